//! The algorithm on any processor.

/// Pairs that are worked on at once: 8 keep a core busy. `cargo bench --bench algorithms` compares it with one at a time.
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
