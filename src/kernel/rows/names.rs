//! How many fields the outputs of a kernel have, as far as their type tells it, and the names of these fields.

use super::layout::sample;
use super::record::read;
use super::write::names;
use crate::csv::Format;
use crate::csv::record::{Record, split};
use crate::kernel::Kernel;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// How many fields a type of outputs has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Width {
    /// This many fields, as the form of the type shows.
    Fields(usize),
    /// A list, which may have any number of fields.
    List,
    /// The type has a name of its own, like a struct's. How many fields it has is not known before there is a value.
    Named,
}

/// Returns how many fields outputs of type `O` have.
///
/// Without a value, all that is known of a type is the name that the compiler gives it ([`std::any::type_name`]).
/// Tuples and arrays are recognized by the form of that name. The form is not guaranteed, so each output is checked
/// too.
pub fn of<O: ?Sized>() -> Width {
    form(std::any::type_name::<O>())
}

/// Types that are written as one field.
const SINGLE: [&str; 19] = [
    "bool",
    "char",
    "str",
    "i8",
    "i16",
    "i32",
    "i64",
    "i128",
    "isize",
    "u8",
    "u16",
    "u32",
    "u64",
    "u128",
    "usize",
    "f32",
    "f64",
    "alloc::string::String",
    "pmapgcd::kernel::integer::Integer",
];

/// Types that are written in the same way as the value that they contain.
const AROUND: [&str; 5] = [
    "core::option::Option<",
    "core::result::Result<",
    "alloc::boxed::Box<",
    "alloc::borrow::Cow<",
    "alloc::sync::Arc<",
];

fn form(name: &str) -> Width {
    let name = name.trim_start_matches('&').trim_start_matches("mut ");
    if SINGLE.contains(&name) {
        return Width::Fields(1);
    }
    if name.starts_with("alloc::vec::Vec<") || name.starts_with('[') && !name.contains("; ") {
        return Width::List;
    }
    if let Some(inside) = AROUND.iter().find_map(|around| name.strip_prefix(around)?.strip_suffix('>')) {
        return parts(inside).first().map_or(Width::Named, |first| form(first));
    }
    if let Some(inside) = name.strip_prefix('(').and_then(|name| name.strip_suffix(')')) {
        let mut sum = 0;
        for part in parts(inside) {
            match form(part) {
                Width::Fields(fields) => sum += fields,
                other => return other,
            }
        }
        return Width::Fields(sum);
    }
    let array = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).and_then(|name| name.rsplit_once("; "));
    match array.and_then(|(of, count)| Some((form(of), count.parse::<usize>().ok()?))) {
        Some((Width::Fields(fields), count)) => Width::Fields(fields * count),
        Some((other, _)) => other,
        None => Width::Named,
    }
}

/// Returns the types in a list of types.
fn parts(list: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (vec![], 0, 0);
    for (at, byte) in list.bytes().enumerate() {
        match byte {
            b'<' | b'(' | b'[' => depth += 1,
            b'>' | b')' | b']' => depth -= 1,
            b',' if depth == 0 => {
                parts.push(list[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(list[start..].trim());
    parts.retain(|part| !part.is_empty());
    parts
}

/// Returns names for the results of a kernel that does not name them itself. They are the name of the kernel, with a
/// number behind it if there are several results.
pub fn by_type<K: Kernel + ?Sized>(kernel: &K) -> Vec<String> {
    let name = kernel.name();
    match of::<K::Output>() {
        Width::Fields(count @ 2..) => (1..=count).map(|number| format!("{name}{number}")).collect(),
        _ => vec![name.to_string()],
    }
}

/// Returns how many fields each output of `kernel` has, if that is known before any row is mapped.
pub fn width<K: Kernel + ?Sized>(kernel: &K) -> Option<usize> {
    let named = kernel.names();
    match of::<K::Output>() {
        Width::Fields(count) => Some(count),
        // The type does not tell the number. But if the names differ from the default, the kernel's author has given
        // one name for each field.
        _ => (named != [kernel.name()]).then_some(named.len()),
    }
}

/// Returns the names of the fields of an output, if the output may be a struct and the kernel itself gives no names.
/// Maps a row to find them: the kernel's first sample, or a made-up row.
pub fn by_trial<K: Kernel>(kernel: &K) -> Option<Vec<String>> {
    if of::<K::Output>() != Width::Named || kernel.names() != [kernel.name()] {
        return None;
    }
    let row = match kernel.sample(0) {
        Some(text) => {
            let (mut fields, format) = (vec![], Format::default());
            split(text.as_bytes(), format, &mut fields);
            read(&Record::new(text.as_bytes(), &fields, None, format), kernel.ignores_rest()).ok()?
        }
        None => sample::<K::Row>()?,
    };
    // The kernel might panic on a made-up row. Do not print that, because no row of the user is at fault.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let mapped = catch_unwind(AssertUnwindSafe(|| Kernel::open(kernel).ok().map(|()| kernel.map(&row))));
    std::panic::set_hook(hook);
    let names = names(&mapped.ok().flatten()?)?;
    Some(names.into_iter().map(String::from).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tuples_and_arrays_are_counted() {
        assert_eq!(of::<f64>(), Width::Fields(1));
        assert_eq!(of::<&'static str>(), Width::Fields(1));
        assert_eq!(of::<(f64, String)>(), Width::Fields(2));
        assert_eq!(of::<(f64,)>(), Width::Fields(1));
        assert_eq!(of::<[u8; 3]>(), Width::Fields(3));
        assert_eq!(of::<(u8, [(i8, char); 2])>(), Width::Fields(5));
        assert_eq!(of::<Result<Option<(f64, f64)>, crate::BadRow>>(), Width::Fields(2));
        assert_eq!(of::<(u8, ())>(), Width::Fields(1));
        assert_eq!(of::<Result<(), String>>(), Width::Fields(0));
        assert_eq!(of::<Vec<f64>>(), Width::List);
        assert_eq!(of::<Result<Vec<f64>, String>>(), Width::List);
        assert_eq!(of::<std::time::Duration>(), Width::Named);
        assert_eq!(of::<(u8, std::time::Duration)>(), Width::Named);
    }
}
