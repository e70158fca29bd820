//! Trial division from the smaller number downwards: what *Effective Python*, Item 41, has to show work that is worth
//! another process.

/// The greatest common divisor; `gcd(0, n)` is `n`. It takes as many steps as the smaller number counts.
pub fn gcd(a: u64, b: u64) -> u64 {
    let low = a.min(b);
    (1..=low).rev().find(|&divisor| a.is_multiple_of(divisor) && b.is_multiple_of(divisor)).unwrap_or(a | b)
}
