//! The outputs of a batch of rows, and how they are written: each as a line of as many fields as it has values.

use super::cell::{Cell, Sent};
use super::write::{Sink, Splitter, Unwritten, names, sent_output};
use crate::csv::Format;
use crate::kernel::Output;
use crate::kernel::batch::{Batch, Written};
use crate::kernel::columns::results::{Pen, text};
use serde::de::{Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};
use std::ops::Range;

/// A number that is set as soon as it is known. It can be set through a shared reference, because the code that works
/// it out only has shared access to the outputs.
pub type Known = std::cell::Cell<Option<usize>>;

/// The outputs of a batch of rows.
#[derive(Debug)]
pub struct Outputs<O> {
    list: List<O>,
    /// How many fields each output has, once that is known. If nobody else sets it, the first output does.
    pub width: Known,
}

#[derive(Debug)]
enum List<O> {
    /// Outputs as the kernel has returned them.
    Own(Vec<O>),
    /// Outputs as another process has sent them.
    Sent(Vec<Sent>),
}

impl<O> Default for Outputs<O> {
    fn default() -> Self {
        Outputs { list: List::Own(vec![]), width: Known::default() }
    }
}

impl<O> Outputs<O> {
    /// Returns the list to which outputs are appended.
    pub fn list(&mut self) -> &mut Vec<O> {
        if let List::Sent(_) = self.list {
            self.list = List::Own(vec![]);
        }
        match &mut self.list {
            List::Own(list) => list,
            List::Sent(_) => unreachable!("the list has just been made"),
        }
    }
}

impl<O: Output> Batch for Outputs<O> {
    fn len(&self) -> usize {
        match &self.list {
            List::Own(list) => list.len(),
            List::Sent(list) => list.len(),
        }
    }

    fn clear(&mut self) {
        match &mut self.list {
            List::Own(list) => list.clear(),
            List::Sent(list) => list.clear(),
        }
    }
}

impl<O: Output> Serialize for Outputs<O> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.list {
            List::Own(list) => serializer.collect_seq(list.iter().map(sent_output)),
            List::Sent(list) => list.serialize(serializer),
        }
    }
}

impl<'de, O> Deserialize<'de> for Outputs<O> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Outputs { list: List::Sent(Vec::deserialize(deserializer)?), width: Known::default() })
    }
}

/// A line that is being written.
struct Line<'l, 'r> {
    pen: &'l mut Pen<'r>,
    format: Format,
}

impl Sink for Line<'_, '_> {
    #[inline(always)]
    fn put(&mut self, cell: Cell, is_first: bool, is_alone: bool) -> Result<(), Unwritten> {
        let Line { pen, format } = self;
        let is_written = (is_first || pen.write(&[format.delimiter]))
            && match cell {
                Cell::Missing => pen.write(format.empty_field()),
                Cell::Bool(value) => pen.write(if value { b"true" } else { b"false" }),
                Cell::Signed(value) => pen.write(itoa::Buffer::new().format(value).as_bytes()),
                Cell::Unsigned(value) => pen.write(itoa::Buffer::new().format(value).as_bytes()),
                Cell::Wide(value) => pen.write(itoa::Buffer::new().format(value).as_bytes()),
                Cell::Widest(value) => pen.write(itoa::Buffer::new().format(value).as_bytes()),
                Cell::Single(value) => pen.write(zmij::Buffer::new().format(value).as_bytes()),
                Cell::Double(value) => pen.write(zmij::Buffer::new().format(value).as_bytes()),
                Cell::Text(value) => {
                    text(value.as_bytes(), *format, is_alone, pen).map_err(|what| Unwritten::Bad(None, what))?
                }
            };
        if is_written { Ok(()) } else { Err(Unwritten::NoRoom) }
    }
}

impl<O: Output> Outputs<O> {
    /// Returns the names of the fields of the output at index `at`, if they have names.
    fn names(&self, at: usize) -> Option<Vec<String>> {
        match &self.list {
            List::Own(list) => names(&list[at]).map(|names| names.into_iter().map(String::from).collect()),
            List::Sent(list) => {
                if let Sent::Named(names, _) = &list[at] {
                    Some(names.clone())
                } else {
                    None
                }
            }
        }
    }

    /// Writes the outputs in `range` to the front of `room`, as
    /// [`BatchKernel::write`](crate::kernel::batch::BatchKernel::write) requires.
    pub fn write(&self, range: Range<usize>, format: Format, room: &mut [u8]) -> Written {
        let mut written = Written::default();
        let mut pen = Pen::new(room);
        for at in range {
            let (width, line) = (self.width.get(), &mut Line { pen: &mut pen, format });
            let count = match &self.list {
                List::Own(list) => Splitter::new(line, width.unwrap_or(1)).write(&list[at]),
                List::Sent(list) => again(&list[at], line, width.unwrap_or(1)),
            };
            let ended = count.and_then(|count| match width.unwrap_or(count) {
                expected if expected != count => {
                    Err(Unwritten::Bad(None, other_width(count, expected, self.names(at))))
                }
                _ if pen.write(b"\n") => Ok(count),
                _ => Err(Unwritten::NoRoom),
            });
            match ended {
                Ok(count) => self.width.set(Some(count)),
                Err(Unwritten::NoRoom) => break,
                Err(Unwritten::Bad(field, what)) => {
                    (written.field, written.bad) = (field, Some(what));
                    break;
                }
            }
            written.bytes = pen.written();
            written.outputs += 1;
        }
        written
    }
}

/// Writes an output that another process has sent. If it is a missing value, writes `width` empty fields. Returns the
/// number of fields.
fn again(sent: &Sent, line: &mut Line, width: usize) -> Result<usize, Unwritten> {
    match sent {
        Sent::Bad(field, what) => Err(Unwritten::Bad(*field, what.clone())),
        // A missing value: the other process does not know how many fields there would be.
        Sent::Fields(fields) if fields.is_empty() => {
            (0..width).try_for_each(|at| line.put(Cell::Missing, at == 0, width == 1))?;
            Ok(width)
        }
        Sent::Fields(fields) | Sent::Named(_, fields) => {
            for (at, field) in fields.iter().enumerate() {
                line.put(field.cell(), at == 0, fields.len() == 1)?;
            }
            Ok(fields.len())
        }
    }
}

/// Returns the message about an output that does not have as many fields as it must.
fn other_width(count: usize, expected: usize, names: Option<Vec<String>>) -> String {
    let plural = if count == 1 { "" } else { "s" };
    let are = if expected == 1 { "is" } else { "are" };
    let (listed, given) = match &names {
        Some(names) => (format!(", {},", names.join(", ")), names.join(",")),
        None => (String::new(), (1..=count).map(|number| format!("NAME{number}")).collect::<Vec<_>>().join(",")),
    };
    format!(
        "the output has {count} field{plural}{listed} where {expected} {are} expected: as in the first row, or as --append={given} or the kernel's names say"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BadRow;

    fn outputs<O>(list: Vec<O>, width: Option<usize>) -> Outputs<O> {
        Outputs { list: List::Own(list), width: width.into() }
    }

    /// Writes all outputs, and the same outputs again after they were pickled and unpickled.
    fn written<O: Output>(list: Vec<O>, width: Option<usize>, format: Format) -> (String, Option<String>) {
        let (mut room, all) = ([0; 200], outputs(list, width));
        let first = all.write(0..all.len(), format, &mut room);
        let text = String::from_utf8(room[..first.bytes].to_vec()).unwrap();
        assert_eq!(first.outputs, text.lines().count(), "{text:?}");
        for size in 0..first.bytes {
            let part = all.write(0..first.outputs, format, &mut room[..size]);
            let lines = text[..size].matches('\n').count();
            assert_eq!((part.outputs, part.bad), (lines, None), "{size} of {text:?}");
        }
        let mut pickled = vec![];
        crate::kernel::rows::tests::pickle(&all, &mut pickled);
        let back: Outputs<O> = crate::kernel::rows::tests::unpickle(&pickled);
        back.width.set(width);
        assert_eq!(back.write(0..all.len(), format, &mut room), first, "{text:?}");
        (text, first.bad)
    }

    #[test]
    fn each_output_is_a_line_of_its_fields() {
        let plain = Format::default();
        let line = |text: &str| (text.to_string(), None);
        assert_eq!(written(vec![1.5, 0.1, f64::INFINITY], Some(1), plain), line("1.5\n0.1\ninf\n"));
        assert_eq!(written(vec![0.1f32], Some(1), plain), line("0.1\n"));
        assert_eq!(written(vec![(1u8, "a,b")], Some(2), plain), line("1,\"a,b\"\n"));
        assert_eq!(written(vec![[1i64, -2], [3, 4]], None, plain), line("1,-2\n3,4\n"));
        assert_eq!(written(vec![i128::MIN], None, plain), line(&format!("{}\n", i128::MIN)));
        assert_eq!(written(vec![u128::MAX], None, plain), line(&format!("{}\n", u128::MAX)));
        assert_eq!(written(vec![None, Some(2)], Some(1), plain), line("\n2\n"));
        assert_eq!(written(vec![None, Some((2, 'c'))], Some(2), plain), line(",\n2,c\n"));
        assert_eq!(written(vec![""], Some(1), plain), line("\"\"\n"));
        let blanks = Format { delimiter: b' ', quote: None, blanks: true, ..plain };
        assert_eq!(written(vec![(None::<u8>, 2)], Some(2), blanks), line("NA 2\n"));
    }

    #[test]
    fn what_is_no_line_is_a_bad_row() {
        let plain = Format::default();
        let (text, bad) = written(vec![Ok(1), Err("is odd"), Ok(2)], Some(1), plain);
        assert_eq!((text.as_str(), bad.as_deref()), ("1\n", Some("is odd")));
        let (_, bad) = written(vec![Err::<u8, _>(BadRow::of_field(1, "is odd"))], Some(1), plain);
        assert_eq!(bad.as_deref(), Some("is odd"));
        let (text, bad) = written(vec![vec![1, 2], vec![3], vec![4, 5]], None, plain);
        assert!(text == "1,2\n" && bad.is_some_and(|bad| bad.contains("1 field where 2 are expected")), "{text}");
        let tabs = Format { delimiter: b'\t', quote: None, ..plain };
        assert!(written(vec!["a\tb"], Some(1), tabs).1.is_some());
        assert!(written(vec![std::collections::BTreeMap::from([(1, 2)])], Some(1), plain).1.is_some());
    }
}
