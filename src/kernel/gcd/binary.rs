//! Binary GCD (J. Stein, "Computational problems associated with Racah algebra", J. Comput. Phys. 1, 1967), with the
//! shift taken from the difference before its sign is known: ctz(a - b) = ctz(b - a), so the count overlaps with the
//! minimum (D. Lemire, "Greatest common divisor, the extended Euclidean algorithm, and speed!", 2024).

/// Pairs that are worked on at once. One step depends on the step before it, about 6 cycles, of which a core could do
/// several side by side: 8 keep it busy. `cargo bench --bench algorithms` compares it with one at a time.
const LANES: usize = 8;

/// The greatest common divisor; `gcd(0, n)` is `n`.
pub fn gcd(a: u64, b: u64) -> u64 {
    let mut lane = Lane::new(a, b);
    while lane.step() {}
    lane.result()
}

/// Appends the greatest common divisor of each row.
pub fn gcd_rows(rows: &[[u64; 2]], outputs: &mut Vec<u64>) {
    let (groups, rest) = rows.as_chunks::<LANES>();
    for group in groups {
        let mut lanes = group.map(|[a, b]| Lane::new(a, b));
        loop {
            let mut unfinished = false;
            for lane in &mut lanes {
                unfinished |= lane.step();
            }
            if !unfinished {
                break;
            }
        }
        outputs.extend(lanes.iter().map(Lane::result));
    }
    outputs.extend(rest.iter().map(|&[a, b]| gcd(a, b)));
}

/// Two odd numbers whose greatest common divisor is that of the pair but for `twos` factors of two.
#[derive(Clone, Copy)]
struct Lane {
    a: u64,
    b: u64,
    twos: u32,
}

impl Lane {
    #[inline(always)]
    fn new(a: u64, b: u64) -> Self {
        // A zero takes the other's value: gcd(0, n) = gcd(n, n). Two zeros stay, and are equal at once.
        let (a, b) = (if a == 0 { b } else { a }, if b == 0 { a } else { b });
        Lane { a: odd(a), b: odd(b), twos: (a | b).trailing_zeros() & 63 }
    }

    /// One subtraction and shift; once the two are equal, that changes nothing. Answers whether they were different.
    #[inline(always)]
    fn step(&mut self) -> bool {
        let difference = self.a.wrapping_sub(self.b);
        let shift = difference.trailing_zeros() & 63;
        let larger_less_smaller = self.a.abs_diff(self.b) >> shift;
        let smaller = self.a.min(self.b);
        self.a = smaller;
        self.b = if difference == 0 { smaller } else { larger_less_smaller };
        difference != 0
    }

    #[inline(always)]
    fn result(&self) -> u64 {
        self.a << self.twos
    }
}

#[inline(always)]
fn odd(n: u64) -> u64 {
    n >> (n.trailing_zeros() & 63)
}

#[cfg(test)]
mod tests {
    use super::super::euclid::gcd as euclid;
    use super::*;

    fn edges() -> Vec<u64> {
        let mut edges = vec![0, 1, 2, 3, u64::MAX, u64::MAX - 1, 1 << 63, (1 << 63) - 1];
        edges.extend((2..64).step_by(7).flat_map(|bit| [1 << bit, (1 << bit) - 1, (1 << bit) + 1]));
        let (mut a, mut b) = (1u64, 1u64); // consecutive Fibonacci numbers: the most steps of Euclid's algorithm
        while let Some(next) = a.checked_add(b) {
            (a, b) = (b, next);
        }
        edges.extend([a, b]);
        edges
    }

    #[test]
    fn agrees_with_euclid_at_every_edge_in_every_lane() {
        let edges = edges();
        let rows: Vec<_> = edges.iter().flat_map(|&a| edges.iter().map(move |&b| [a, b])).collect();
        for offset in 0..LANES {
            let mut outputs = vec![];
            gcd_rows(&rows[offset..], &mut outputs);
            let expected: Vec<_> = rows[offset..].iter().map(|&[a, b]| euclid(a, b)).collect();
            assert_eq!(outputs, expected);
        }
        assert!(rows.iter().all(|&[a, b]| gcd(a, b) == euclid(a, b)));
    }

    proptest::proptest! {
        #[test]
        fn agrees_with_euclid(rows in proptest::collection::vec((0u64.., 0u64.., 0u64..1 << 32), 0..40)) {
            let rows: Vec<_> = rows.iter().map(|&(a, b, c)| [a.wrapping_mul(c), b.wrapping_mul(c)]).collect();
            let mut outputs = vec![];
            gcd_rows(&rows, &mut outputs);
            let expected: Vec<_> = rows.iter().map(|&[a, b]| euclid(a, b)).collect();
            proptest::prop_assert_eq!(outputs, expected);
        }
    }
}
