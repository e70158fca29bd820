//! Splits a value of any type that serde knows into cells: an output into the fields of a line, a row into what
//! `pickle` sends.
//!
//! The file has more than 300 lines because serde has a method for each kind of value.

use super::cell::{Cell, Kept, Sent};
use crate::bad_row;
use serde::ser::{self, Serialize, Serializer};
use std::fmt::{self, Display};

/// Where cells go, one after the other.
pub trait Sink {
    /// Takes a cell. `is_first` says whether it is the first one, and `is_alone` whether it is the only one.
    ///
    /// # Errors
    /// If it cannot be taken.
    fn put(&mut self, cell: Cell, is_first: bool, is_alone: bool) -> Result<(), Unwritten>;

    /// Takes the name of the next cell. Not called if the cell has none.
    #[inline(always)]
    fn name(&mut self, _name: &'static str) {}
}

/// Why an output was not written.
#[derive(Debug, PartialEq)]
pub enum Unwritten {
    /// There is no more room.
    NoRoom,
    /// What is wrong, and the index of the field at fault among those that the kernel takes, if it is a single field.
    Bad(Option<usize>, String),
}

impl Display for Unwritten {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("the output is not written")
    }
}

impl std::error::Error for Unwritten {}

impl ser::Error for Unwritten {
    fn custom<T: Display>(what: T) -> Self {
        Unwritten::Bad(None, format!("the output cannot be written: {what}"))
    }
}

fn unwritable<T>(what: &str) -> Result<T, Unwritten> {
    Err(Unwritten::Bad(None, format!("the output cannot be written as fields: it has {what} in it")))
}

/// Splits a value into cells, and gives them to a sink one after the other.
pub struct Splitter<'s, S> {
    /// Where cells go.
    pub sink: &'s mut S,
    /// How many cells are written if the whole value is missing.
    pub width: usize,
    count: usize,
    is_alone: bool,
    is_bad_row: bool,
    /// Whether the whole value is missing (`None`).
    is_nothing: bool,
}

impl<'s, S: Sink> Splitter<'s, S> {
    /// Returns a splitter for one value. If the whole value is missing, `width` cells are written for it.
    #[inline]
    pub fn new(sink: &'s mut S, width: usize) -> Self {
        Splitter { sink, width, count: 0, is_alone: true, is_bad_row: false, is_nothing: false }
    }

    /// Writes `value`. Returns how many cells it has.
    ///
    /// # Errors
    /// If the value has no cells and is not `None`, if it is an `Err`, or if the sink refuses a cell.
    #[inline]
    pub fn write(mut self, value: &impl Serialize) -> Result<usize, Unwritten> {
        value.serialize(&mut self)?;
        if self.count == 0 && !self.is_nothing {
            return Err(Unwritten::Bad(
                None,
                "the output has no field, as a list without elements has none".to_string(),
            ));
        }
        Ok(self.count)
    }

    #[inline(always)]
    fn put(&mut self, cell: Cell) -> Result<(), Unwritten> {
        self.sink.put(cell, self.count == 0, self.is_alone)?;
        self.count += 1;
        Ok(())
    }

    /// Writes a missing value: `width` cells if it is the whole value that is written, otherwise one cell.
    fn nothing(&mut self) -> Result<(), Unwritten> {
        let cells = if self.count == 0 && self.is_alone { self.width } else { 1 };
        self.is_nothing = true;
        self.is_alone &= cells <= 1;
        (0..cells).try_for_each(|_| self.put(Cell::Missing))
    }

    /// Begins a value that consists of `count` values.
    #[inline]
    fn begin(&mut self, count: usize) -> &mut Self {
        self.is_alone &= count == 1;
        self
    }
}

/// Returns the message in `error`, which the kernel has returned in an `Err`.
fn words(error: &(impl Serialize + ?Sized)) -> Unwritten {
    let mut cells: Vec<Kept> = vec![];
    let mut splitter = Splitter::new(&mut cells, 1);
    if let Err(unwritten) = error.serialize(&mut splitter) {
        return unwritten;
    }
    if splitter.is_bad_row
        && let [field, Kept::Text(what)] = &cells[..]
    {
        let field = if let Cell::Unsigned(number) = field.cell() { Some(number as usize) } else { None };
        return Unwritten::Bad(field, what.clone());
    }
    let text = |kept: &Kept| match kept.cell() {
        Cell::Text(text) => text.to_string(),
        Cell::Missing => String::new(),
        Cell::Bool(value) => value.to_string(),
        Cell::Signed(value) => value.to_string(),
        Cell::Unsigned(value) => value.to_string(),
        Cell::Wide(value) => value.to_string(),
        Cell::Widest(value) => value.to_string(),
        Cell::Single(value) => value.to_string(),
        Cell::Double(value) => value.to_string(),
    };
    let words: Vec<String> = cells.iter().map(text).filter(|text| !text.is_empty()).collect();
    Unwritten::Bad(None, if words.is_empty() { "the kernel has refused the row".to_string() } else { words.join(" ") })
}

macro_rules! values {
    ($($ask:ident $number:ty => $cell:ident,)*) => { $(
        #[inline]
        fn $ask(self, value: $number) -> Result<(), Unwritten> {
            self.put(Cell::$cell(value.into()))
        }
    )* };
}

impl<S: Sink> Serializer for &mut Splitter<'_, S> {
    type Ok = ();
    type Error = Unwritten;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = ser::Impossible<(), Unwritten>;
    type SerializeMap = ser::Impossible<(), Unwritten>;
    type SerializeStruct = Self;
    type SerializeStructVariant = ser::Impossible<(), Unwritten>;

    values! {
        serialize_bool bool => Bool,
        serialize_i8 i8 => Signed,
        serialize_i16 i16 => Signed,
        serialize_i32 i32 => Signed,
        serialize_i64 i64 => Signed,
        serialize_i128 i128 => Wide,
        serialize_u8 u8 => Unsigned,
        serialize_u16 u16 => Unsigned,
        serialize_u32 u32 => Unsigned,
        serialize_u64 u64 => Unsigned,
        serialize_u128 u128 => Widest,
        serialize_f32 f32 => Single,
        serialize_f64 f64 => Double,
    }

    fn serialize_char(self, value: char) -> Result<(), Unwritten> {
        self.put(Cell::Text(value.encode_utf8(&mut [0; 4])))
    }

    fn serialize_str(self, value: &str) -> Result<(), Unwritten> {
        self.put(Cell::Text(value))
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Unwritten> {
        match std::str::from_utf8(value) {
            Ok(text) => self.put(Cell::Text(text)),
            Err(_) => unwritable("bytes that are not UTF-8"),
        }
    }

    fn serialize_none(self) -> Result<(), Unwritten> {
        self.nothing()
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Unwritten> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Unwritten> {
        Ok(())
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<(), Unwritten> {
        self.put(Cell::Text(name))
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Unwritten> {
        self.put(Cell::Text(variant))
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Unwritten> {
        value.serialize(self)
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Unwritten> {
        if (name, variant) == ("Result", "Err") {
            return Err(words(value));
        }
        value.serialize(self)
    }

    fn serialize_seq(self, count: Option<usize>) -> Result<Self, Unwritten> {
        Ok(self.begin(count.unwrap_or_default()))
    }

    #[inline]
    fn serialize_tuple(self, count: usize) -> Result<Self, Unwritten> {
        Ok(self.begin(count))
    }

    fn serialize_tuple_struct(self, _: &'static str, count: usize) -> Result<Self, Unwritten> {
        Ok(self.begin(count))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Unwritten> {
        unwritable("a variant with several fields")
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, Unwritten> {
        unwritable("a map")
    }

    #[inline]
    fn serialize_struct(self, name: &'static str, count: usize) -> Result<Self, Unwritten> {
        self.is_bad_row = name == bad_row::NAME;
        // A missing value in a field of a struct is always one cell. `count` cannot tell whether the field is the only
        // one, because serde leaves out of it the fields that are skipped in this value.
        self.width = 1;
        Ok(self.begin(count))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Unwritten> {
        unwritable("a variant with several fields")
    }
}

macro_rules! elements {
    ($($several:ident $each:ident,)*) => { $(
        impl<S: Sink> ser::$several for &mut Splitter<'_, S> {
            type Ok = ();
            type Error = Unwritten;

            #[inline]
            fn $each<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unwritten> {
                value.serialize(&mut **self)
            }
            #[inline]
            fn end(self) -> Result<(), Unwritten> {
                Ok(())
            }
        }
    )* };
}
elements! { SerializeSeq serialize_element, SerializeTuple serialize_element, SerializeTupleStruct serialize_field, }

impl<S: Sink> ser::SerializeStruct for &mut Splitter<'_, S> {
    type Ok = ();
    type Error = Unwritten;

    #[inline]
    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Unwritten> {
        self.sink.name(name);
        value.serialize(&mut **self)
    }
    fn skip_field(&mut self, name: &'static str) -> Result<(), Unwritten> {
        // Write a skipped field as missing, so that all values of the type have the same number of cells.
        self.sink.name(name);
        self.put(Cell::Missing)
    }
    #[inline]
    fn end(self) -> Result<(), Unwritten> {
        Ok(())
    }
}

/// The names of a value's cells. Only cells that are fields of a struct have names.
#[derive(Default)]
struct Names {
    next: Option<&'static str>,
    names: Vec<Option<&'static str>>,
}

impl Sink for Names {
    fn put(&mut self, _: Cell, _: bool, _: bool) -> Result<(), Unwritten> {
        self.names.push(self.next.take());
        Ok(())
    }
    fn name(&mut self, name: &'static str) {
        self.next = Some(name);
    }
}

/// Returns the names of the fields of `value`, if all have one.
pub fn names(value: &impl Serialize) -> Option<Vec<&'static str>> {
    let mut names = Names::default();
    Splitter::new(&mut names, 1).write(value).ok()?;
    names.names.into_iter().collect()
}

impl Sink for Vec<Kept> {
    fn put(&mut self, cell: Cell, _: bool, _: bool) -> Result<(), Unwritten> {
        self.push(cell.into());
        Ok(())
    }
}

/// Returns the form in which an output is sent. A missing value is sent as no fields: only the process that writes the
/// outputs knows how many fields there would be.
pub fn sent_output(output: &impl Serialize) -> Sent {
    let mut cells: Vec<Kept> = vec![];
    let written = Splitter::new(&mut cells, 0).write(output).map(drop);
    match (sent(written, cells), names(output)) {
        (Sent::Fields(cells), Some(names)) => Sent::Named(names.into_iter().map(String::from).collect(), cells),
        (sent, _) => sent,
    }
}

/// Returns the form in which a row is sent.
pub fn sent_row(row: &impl Serialize) -> Sent {
    let mut cells: Vec<Kept> = vec![];
    let written = row.serialize(&mut Splitter::new(&mut cells, 1));
    sent(written, cells)
}

fn sent(written: Result<(), Unwritten>, cells: Vec<Kept>) -> Sent {
    match written {
        Ok(()) => Sent::Fields(cells),
        Err(Unwritten::Bad(field, what)) => Sent::Bad(field, what),
        Err(Unwritten::NoRoom) => Sent::Bad(None, "the output has no room".to_string()),
    }
}
