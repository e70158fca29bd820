//! Calls plain C functions of numbers. One kind of call serves all functions. On x86-64 and on 64-bit ARM, the first
//! integer arguments are in registers for integers, and the first float arguments in registers for floats, whatever the
//! order of integers among floats. A function looks only at the registers of its own arguments. So every call loads all
//! of these registers.
#![allow(unsafe_code)]

use super::library::Function;
use crate::kernel::columns::types::{Signature, Type};
use crate::kernel::columns::{Columns, Values};
use std::borrow::Cow;
use std::ffi::c_void;

/// The most integers that a function may take: x86-64 has registers for 6.
const INTEGERS: usize = 6;
/// The most floats that a function may take: x86-64 and 64-bit ARM have registers for 8.
const FLOATS: usize = 8;

/// A function that returns an integer (`R` is `u64`) or a float (`f64`). It is called with a value in each register that
/// can hold an argument.
type Plain<R> = unsafe extern "C" fn(u64, u64, u64, u64, u64, u64, f64, f64, f64, f64, f64, f64, f64, f64) -> R;

/// Checks that a function of these types can be called.
///
/// # Errors
/// If it cannot, with the reason.
pub fn check(signature: &Signature) -> Result<(), String> {
    if !cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) {
        return Err("plain functions can be called on x86-64 and 64-bit ARM alone".to_string());
    }
    signature.is_native()?;
    let (mut integers, mut floats) = (0, 0);
    for input in &signature.inputs {
        match input.of {
            Type::F32 | Type::F64 => floats += 1,
            Type::Text => return Err(ONLY_NUMBERS.to_string()),
            _ => integers += 1,
        }
        if input.may_lack {
            return Err(format!("/na: {NOT_TOLD}"));
        }
    }
    let [output] = signature.outputs[..] else { return Err(format!("several results: {NOT_TOLD}")) };
    if output == Type::Text {
        return Err(ONLY_NUMBERS.to_string());
    }
    if signature.repeats {
        return Err(format!("...: {NOT_TOLD}"));
    }
    if integers > INTEGERS || floats > FLOATS {
        return Err(format!("a plain function takes at most {INTEGERS} integers and {FLOATS} floats"));
    }
    Ok(())
}

const ONLY_NUMBERS: &str =
    "a plain function takes and returns numbers; one of text is a pmap_kernel_v1 (docs/kernels.md)";
const NOT_TOLD: &str =
    "that is for a kernel which exports pmap_kernel_v1, and not for a plain function (docs/kernels.md)";

/// Calls `function` for each row of `columns` and appends the results to `results`. The columns must be of the types
/// that `function` takes.
pub fn map(function: Function, columns: &Columns, results: &mut Values) {
    let rows = columns.rows;
    // Zeros for the registers that the function does not use.
    let none = if rows <= NONE.len() { Cow::Borrowed(&NONE[..]) } else { vec![0; rows].into() };
    let (mut integers, mut floats) = (vec![], vec![]);
    for column in &columns.columns {
        match &column.values {
            Values::I32(values) => integers.push(values.iter().map(|&value| i64::from(value) as u64).collect()),
            Values::U32(values) => integers.push(values.iter().map(|&value| u64::from(value)).collect()),
            Values::I64(values) => integers.push(Cow::Borrowed(bytemuck::cast_slice::<_, u64>(values))),
            Values::U64(values) => integers.push(Cow::Borrowed(&values[..])),
            // A float of 32 bits is the lower half of its register.
            Values::F32(values) => {
                floats.push(values.iter().map(|value| f64::from_bits(u64::from(value.to_bits()))).collect());
            }
            Values::F64(values) => floats.push(Cow::Borrowed(&values[..])),
            Values::Text(_) | Values::Bool(_) => {}
        }
    }
    let integers: [&[u64]; INTEGERS] =
        std::array::from_fn(|at| &integers.get(at).map_or(&none[..], |values| values)[..rows]);
    let floats: [&[f64]; FLOATS] =
        std::array::from_fn(|at| &floats.get(at).map_or(bytemuck::cast_slice(&none), |values| values)[..rows]);
    let registers = Registers { integers, floats, rows };
    match results {
        Values::F64(results) => registers.call(function, results, |value: f64| value),
        Values::F32(results) => registers.call(function, results, |value: f64| f32::from_bits(value.to_bits() as u32)),
        Values::I64(results) => registers.call(function, results, |value: u64| value as i64),
        Values::U64(results) => registers.call(function, results, |value: u64| value),
        Values::I32(results) => registers.call(function, results, |value: u64| value as i32),
        Values::U32(results) => registers.call(function, results, |value: u64| value as u32),
        Values::Text(_) | Values::Bool(_) => {}
    }
}

/// Zeros for a register that no column fills, one for each row. A batch with more rows gets a longer list.
static NONE: [u64; 1024] = [0; 1024];

/// The contents of the registers in the call for each row.
struct Registers<'a> {
    integers: [&'a [u64]; INTEGERS],
    floats: [&'a [f64]; FLOATS],
    rows: usize,
}

impl Registers<'_> {
    /// Calls `function` for each row. `R` must be `f64` if the function returns a float, and `u64` if it returns an
    /// integer. `of` makes a result of what is in the register.
    fn call<R, N>(&self, function: Function, results: &mut Vec<N>, of: impl Fn(R) -> N) {
        let rows = self.rows;
        // The slices show the compiler that no row lies behind the end of a column.
        let [a, b, c, d, e, f] = self.integers.map(|values| &values[..rows]);
        let [s, t, u, v, w, x, y, z] = self.floats.map(|values| &values[..rows]);
        // SAFETY: with --types the user vouches that this is a function of numbers, and so the address of code.
        let call = unsafe { std::mem::transmute::<*mut c_void, Plain<R>>(function.address()) };
        results.extend((0..rows).map(|row| {
            // SAFETY: the user vouches with --types that the function takes numbers, and returns a float or an integer.
            // `map` chooses `R` by these types. So the function finds its arguments in some of these registers, as the
            // top of this file says, and its result is an `R`.
            of(unsafe {
                call(
                    a[row], b[row], c[row], d[row], e[row], f[row], s[row], t[row], u[row], v[row], w[row], x[row],
                    y[row], z[row],
                )
            })
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::native::library::Library;

    #[test]
    fn functions_of_the_c_library_are_called() {
        let library = Library::load("libm.so.6".as_ref()).unwrap();
        let call = |name: &std::ffi::CStr, types: &str, values: Vec<Values>| {
            let signature: Signature = types.parse().unwrap();
            check(&signature).unwrap();
            let rows = values[0].len();
            let column = |values| crate::kernel::columns::Column { values, validity: None, large: vec![] };
            let columns = Columns { columns: values.into_iter().map(column).collect(), rows };
            let mut results = Values::new(signature.outputs[0]);
            map(library.function(name).unwrap(), &columns, &mut results);
            results
        };
        let (a, b) = (Values::F64(vec![3.0, -5.0]), Values::F64(vec![4.0, 12.0]));
        assert_eq!(call(c"hypot", "f64,f64:f64", vec![a.clone(), b]), Values::F64(vec![5.0, 13.0]));
        assert_eq!(call(c"ldexp", "f64,i32:f64", vec![a, Values::I32(vec![-1, 2])]), Values::F64(vec![1.5, -20.0]));
        let (f, g) = (Values::F32(vec![3.0]), Values::F32(vec![4.0]));
        assert_eq!(call(c"hypotf", "f32,f32:f32", vec![f, g]), Values::F32(vec![5.0]));
        assert_eq!(call(c"abs", "i32:i32", vec![Values::I32(vec![-7, i32::MAX])]), Values::I32(vec![7, i32::MAX]));
        assert_eq!(call(c"labs", "i64:i64", vec![Values::I64(vec![-1 << 62])]), Values::I64(vec![1 << 62]));
        assert_eq!(call(c"toupper", "i32:i32", vec![Values::I32(vec![97])]), Values::I32(vec![65]));
        assert_eq!(call(c"ilogb", "f64:i32", vec![Values::F64(vec![1024.0])]), Values::I32(vec![10]));
    }

    #[test]
    fn what_cannot_be_called_is_told() {
        for (types, what) in [
            ("text:f64", "numbers"),
            ("f64:text", "numbers"),
            ("f64/na:f64", "/na"),
            ("f64:f64,f64", "several"),
            ("f64,...:f64", "..."),
            ("i32,i32,i32,i32,i64,u64,u32:f64", "at most 6 integers and 8 floats"),
        ] {
            let error = check(&types.parse().unwrap()).unwrap_err();
            assert!(error.contains(what), "{error}");
        }
    }

    /// Also prints how long a row takes if the function is called directly, and if it is mapped. To see the times, run
    /// `cargo test --release --lib -- --nocapture mapped_results_are_those_of_direct_calls`.
    #[test]
    fn mapped_results_are_those_of_direct_calls() {
        use std::hint::black_box;
        use std::time::Instant;
        const ROWS: usize = 512;
        const TIMES: usize = 20_000;
        let function = Library::load("libm.so.6".as_ref()).unwrap().function(c"fmin").unwrap();
        // SAFETY: that is the type of `fmin`.
        let direct =
            unsafe { std::mem::transmute::<*mut c_void, unsafe extern "C" fn(f64, f64) -> f64>(function.address()) };
        let (a, b): (Vec<f64>, Vec<f64>) = (0..ROWS).map(|row| (row as f64, 300.0)).unzip();
        let column = |values: &Vec<f64>| crate::kernel::columns::Column {
            values: Values::F64(values.clone()),
            validity: None,
            large: vec![],
        };
        let columns = Columns { columns: vec![column(&a), column(&b)], rows: ROWS };
        let nanoseconds = |work: &mut dyn FnMut()| {
            let start = Instant::now();
            (0..TIMES).for_each(|_| work());
            start.elapsed().as_nanos() as f64 / (ROWS * TIMES) as f64
        };
        for _ in 0..3 {
            let mut direct_results = vec![];
            let alone = nanoseconds(&mut || {
                direct_results.clear();
                // SAFETY: as above.
                direct_results.extend(a.iter().zip(&b).map(|(&a, &b)| unsafe { direct(a, b) }));
                black_box(&direct_results);
            });
            let mut results = Values::F64(vec![]);
            let mapped = nanoseconds(&mut || {
                if let Values::F64(results) = &mut results {
                    results.clear();
                }
                map(function, &columns, &mut results);
                black_box(&results);
            });
            assert_eq!(results, Values::F64(direct_results));
            println!("ns a row: {alone:.2} alone, {mapped:.2} mapped");
        }
    }
}
