//! The message about a name that is no kernel: it suggests similar names, and says how to provide a kernel.

use std::path::Path;

/// The stock kernel, and functions of libm that people ask for. If the user names a function that does not exist, the
/// message suggests those with similar names. Completions offer all of them. A space separates the names.
pub const FUNCTIONS: &str = "gcd acos acosh asin asinh atan atan2 atanh cbrt ceil copysign cos cosh erf erfc exp \
    exp2 expm1 fabs fdim floor fma fmax fmin fmod hypot ldexp lgamma log log10 log1p log2 nextafter pow remainder \
    rint round sin sinh sqrt tan tanh tgamma trunc";

/// Returns the message about a name that is neither a library nor a function of the C library.
pub fn unknown(name: &str) -> String {
    let here = [format!("./{name}.so"), format!("./lib{name}.so")].into_iter().find(|file| Path::new(file).exists());
    let near: Vec<&str> = FUNCTIONS.split(' ').filter(|known| distance(known, name) <= 1 + name.len() / 6).collect();
    let hint = match here {
        Some(file) => format!("; say {file}, which is here"),
        None if near.is_empty() => String::new(),
        None => format!("; {} is meant, perhaps", near.join(" or ")),
    };
    // A library `libNAME.so` usually has a function NAME. The user can have given `libNAME` or NAME.
    let name_within = name.strip_prefix("lib").filter(|rest| !rest.is_empty()).unwrap_or(name);
    format!(
        "there is no kernel {name}{hint}. A kernel is gcd, a function of libm or libc (--kernel hypot --types f64,f64:f64), or one of a \
         library (--kernel ./lib{name_within}.so:{name_within} --types i64,i64:i64); docs/kernels.md has more"
    )
}

/// Returns how many edits turn one name into the other. An edit changes, adds or removes a letter, or swaps two
/// neighbouring letters, and no letter is edited twice (the restricted distance of Damerau and Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let mut rows: Vec<Vec<usize>> = vec![(0..=other.len()).collect()];
    for at in 1..=one.len() {
        let mut row = vec![at];
        for to in 1..=other.len() {
            let replaced = rows[at - 1][to - 1] + usize::from(one[at - 1] != other[to - 1]);
            let mut least = replaced.min(rows[at - 1][to] + 1).min(row[to - 1] + 1);
            if at > 1 && to > 1 && one[at - 1] == other[to - 2] && one[at - 2] == other[to - 1] {
                least = least.min(rows[at - 2][to - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[one.len()][other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_look_alike_are_offered() {
        assert!(unknown("hypott").contains("; hypot is meant, perhaps"));
        assert!(unknown("libgrade").contains("(--kernel ./libgrade.so:grade --types"));
        assert!(unknown("gdc").contains("; gcd is meant, perhaps") && !unknown("lcm").contains("perhaps"));
        assert_eq!(
            [distance("", "ab"), distance("kitten", "sitting"), distance("a", "a"), distance("abc", "acb")],
            [2, 3, 0, 1]
        );
    }
}
