//! The algorithm, in terms of vectors of any width.

use super::Pair;

/// How many halvings are done with approximations.
const STEPS: u32 = 30;
/// How many bits a limb has. It is the number of halvings, so that to divide by their product is to leave out a limb.
pub const LIMB: u32 = STEPS;
const MASK: u64 = (1 << LIMB) - 1;
/// How many vectors of pairs are worked on together, since each step waits for the one before.
const GROUPS: usize = 2;
/// The least number of limbs: as many as an approximation is made of.
const LEAST: usize = 3;

/// Vectors of numbers of 64 bits. A value of the type shows that the processor has their instructions.
pub trait Lanes: Copy {
    /// A vector.
    type Vector: Copy;
    /// A choice of lanes.
    type Mask: Copy;
    /// How many lanes there are.
    const COUNT: usize;

    /// The vector that has `number` in all lanes.
    fn all(self, number: u64) -> Self::Vector;
    /// The lanes, as they lie in memory.
    fn lanes(vectors: &[Self::Vector]) -> &[u64];
    /// The lanes, as they lie in memory.
    fn lanes_mut(vectors: &mut [Self::Vector]) -> &mut [u64];
    fn add(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    fn sub(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    fn and(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    fn or(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    fn left<const BITS: u32>(self, a: Self::Vector) -> Self::Vector;
    fn right<const BITS: u32>(self, a: Self::Vector) -> Self::Vector;
    /// Shifts by so many bits in each lane.
    fn left_by(self, a: Self::Vector, bits: Self::Vector) -> Self::Vector;
    fn right_by(self, a: Self::Vector, bits: Self::Vector) -> Self::Vector;
    /// Divides signed numbers of at most 62 bits by 2^30, rounding down.
    fn carry(self, a: Self::Vector) -> Self::Vector;
    /// The products of the low halves, which are signed numbers of 32 bits.
    fn product(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// The number of trailing zeros, or `most` where that is less. It is at most 30.
    fn zeros(self, a: Self::Vector, most: Self::Vector) -> Self::Vector;
    /// The number of bits of numbers from 1 to 2^30 - 1.
    fn length(self, a: Self::Vector) -> Self::Vector;
    /// Where `a` is less than `b`, both of at most 63 bits.
    fn is_less(self, a: Self::Vector, b: Self::Vector) -> Self::Mask;
    /// Where `a` is a negative number.
    fn is_negative(self, a: Self::Vector) -> Self::Mask;
    fn is_other_than_zero(self, a: Self::Vector) -> Self::Mask;
    fn both(self, a: Self::Mask, b: Self::Mask) -> Self::Mask;
    fn is_any(self, mask: Self::Mask) -> bool;
    fn is_every(self, mask: Self::Mask) -> bool;
    /// `a` where the mask says so, and `b` elsewhere.
    fn choose(self, mask: Self::Mask, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// `a - b` where the mask says so, and `c` elsewhere.
    fn sub_where(self, mask: Self::Mask, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;
}

/// The two numbers of a pair in each lane: their limbs.
struct Numbers<L: Lanes> {
    a: Vec<L::Vector>,
    b: Vec<L::Vector>,
}

impl<L: Lanes> Default for Numbers<L> {
    fn default() -> Self {
        Numbers { a: vec![], b: vec![] }
    }
}

/// Does what [`super::gcds`] does. Pairs that come one after the other should be of like length.
///
/// Always inlined, so that it is compiled with the vector instructions of its caller. Arrays of vectors are not mapped here: the compiler may
/// leave that a function of its own, without these instructions.
#[inline(always)]
pub fn gcds<L: Lanes>(lanes: L, pairs: &[Pair], done: &mut dyn FnMut(usize, &[u64])) {
    let mut groups: [Numbers<L>; GROUPS] = Default::default();
    let mut divisor = vec![];
    for (count, some) in pairs.chunks(GROUPS * L::COUNT).enumerate() {
        let bits = some.iter().flatten().map(|number| bits(number)).max().unwrap_or(0);
        let limbs = bits.div_ceil(LIMB as usize).max(LEAST);
        let mut twos = [0; 64];
        for (group, numbers) in groups.iter_mut().enumerate() {
            for number in [&mut numbers.a, &mut numbers.b] {
                number.clear();
                number.resize(limbs, lanes.all(0));
            }
            let some = some.chunks(L::COUNT).nth(group).unwrap_or_default();
            for lane in 0..L::COUNT {
                let twos = &mut twos[group * L::COUNT + lane];
                match some.get(lane) {
                    Some(pair) => *twos = load::<L>(pair, lane, numbers),
                    // Lanes without a pair are finished from the start.
                    None => L::lanes_mut(&mut numbers.a)[lane] = 1,
                }
            }
        }
        // Each round shortens both numbers by 30 bits in all.
        if !rounds(lanes, &mut groups, limbs, 2 * bits / STEPS as usize + 1) {
            debug_assert!(false, "more rounds than there can be");
            continue;
        }
        for at in 0..some.len() {
            divisor.clear();
            store::<L>(&groups[at / L::COUNT].a, at % L::COUNT, twos[at], &mut divisor);
            done(count * GROUPS * L::COUNT + at, &divisor);
        }
    }
}

/// Returns how many bits a number has.
fn bits(limbs: &[u64]) -> usize {
    limbs.last().map_or(0, |top| limbs.len() * 64 - top.leading_zeros() as usize)
}

/// Puts a pair of numbers other than 0 into a lane, without the power of two that both are multiples of, and with the odd one first.
/// Returns the exponent of that power.
fn load<L: Lanes>(pair: &Pair, lane: usize, numbers: &mut Numbers<L>) -> usize {
    let zeros = |limbs: &[u64]| {
        let words = limbs.iter().take_while(|&&limb| limb == 0).count();
        64 * words + limbs.get(words).map_or(0, |limb| limb.trailing_zeros() as usize)
    };
    let [a, b] = pair.map(zeros);
    let (twos, [odd, other]) = if a <= b { (a, *pair) } else { (b, [pair[1], pair[0]]) };
    for (limbs, vectors) in [(odd, &mut numbers.a), (other, &mut numbers.b)] {
        let (mut limbs, mut held, mut bits) = (limbs[twos / 64..].iter(), 0u128, 0);
        let mut skip = (twos % 64) as u32;
        for place in L::lanes_mut(vectors)[lane..].iter_mut().step_by(L::COUNT) {
            while bits < LIMB + skip
                && let Some(&limb) = limbs.next()
            {
                held |= u128::from(limb) << bits;
                bits += 64;
            }
            held >>= skip;
            bits = bits.saturating_sub(skip);
            skip = 0;
            *place = held as u64 & MASK;
            held >>= LIMB;
            bits = bits.saturating_sub(LIMB);
        }
    }
    twos
}

/// Appends the number in a lane, times this power of two, to `limbs`.
fn store<L: Lanes>(vectors: &[L::Vector], lane: usize, twos: usize, limbs: &mut Vec<u64>) {
    limbs.resize(twos / 64, 0);
    let (mut held, mut bits) = (0u128, (twos % 64) as u32);
    for limb in L::lanes(vectors)[lane..].iter().step_by(L::COUNT) {
        held |= u128::from(*limb) << bits;
        bits += LIMB;
        if bits >= 64 {
            limbs.push(held as u64);
            held >>= 64;
            bits -= 64;
        }
    }
    limbs.push(held as u64);
}

/// Makes `a` the greatest common divisor of `a` and `b` in all lanes, and `b` 0, in at most so many rounds. Returns whether that is done.
#[inline(always)]
fn rounds<L: Lanes>(lanes: L, groups: &mut [Numbers<L>; GROUPS], mut limbs: usize, most: usize) -> bool {
    for _ in 0..most {
        let mut numbers = [[lanes.all(0); 2]; GROUPS];
        for (approximations, group) in numbers.iter_mut().zip(&*groups) {
            *approximations = approximate(lanes, &group.a[..limbs], &group.b[..limbs]);
        }
        let factors = halve(lanes, numbers);
        let mut is_left = false;
        for (factors, Numbers { a, b }) in factors.into_iter().zip(&mut *groups) {
            is_left |= combine(lanes, factors, &mut a[..limbs], &mut b[..limbs]);
        }
        if !is_left {
            return true;
        }
        let is_zero = |vector: L::Vector| !lanes.is_any(lanes.is_other_than_zero(vector));
        while limbs > LEAST && groups.iter().all(|group| is_zero(lanes.or(group.a[limbs - 1], group.b[limbs - 1]))) {
            limbs -= 1;
        }
    }
    groups.iter().all(|group| group.b[..limbs].iter().all(|b| !lanes.is_any(lanes.is_other_than_zero(*b))))
}

/// Returns numbers of 62 bits: 32 from the top of the longer number down, and the lowest 30. Numbers of at most 62 bits are returned whole.
#[inline(always)]
fn approximate<L: Lanes>(lanes: L, a: &[L::Vector], b: &[L::Vector]) -> [L::Vector; 2] {
    // The three highest limbs that are not 0, in each lane, or the three lowest. Of numbers of less than 62 bits none is to be left out.
    let top_at = |at: usize| lanes.or(lanes.or(a[at], b[at]), lanes.all(if at < LEAST { 2 } else { 0 }));
    let three_at = |at: usize| [[a[at], a[at - 1], a[at - 2]], [b[at], b[at - 1], b[at - 2]]];
    let mut at = a.len() - 1;
    let (mut top, mut three) = (top_at(at), three_at(at));
    while !lanes.is_every(lanes.is_other_than_zero(top)) {
        at -= 1;
        let is_found = lanes.is_other_than_zero(top);
        top = lanes.choose(is_found, top, top_at(at));
        for (chosen, limb) in three.as_flattened_mut().iter_mut().zip(three_at(at).as_flattened()) {
            *chosen = lanes.choose(is_found, *chosen, *limb);
        }
    }
    let length = lanes.length(top);
    let approximation = |[high, middle, low]: [L::Vector; 3], lowest: L::Vector| {
        let upper = lanes.or(lanes.left::<32>(high), lanes.left::<2>(middle));
        let upper = lanes.or(upper, lanes.right::<28>(low));
        lanes.or(lanes.left::<30>(lanes.right_by(upper, length)), lowest)
    };
    [approximation(three[0], a[0]), approximation(three[1], b[0])]
}

/// Does all halvings with approximations. Returns the factors of `a` and `b` for the new `a`, and those for the new `b`: the first one
/// plus 2^32 times the second one.
#[inline(always)]
fn halve<L: Lanes>(lanes: L, mut numbers: [[L::Vector; 2]; GROUPS]) -> [[L::Vector; 2]; GROUPS] {
    let mut factors = [[lanes.all(1), lanes.all(1 << 32)]; GROUPS];
    let mut left = [lanes.all(STEPS.into()); GROUPS];
    loop {
        let mut all_left = lanes.all(0);
        for ((numbers, factors), left) in numbers.iter_mut().zip(&mut factors).zip(&mut left) {
            let ([a, b], [a_factors, b_factors]) = (*numbers, *factors);
            let zeros = lanes.zeros(b, *left);
            let (b, a_factors) = (lanes.right_by(b, zeros), lanes.left_by(a_factors, zeros));
            *left = lanes.sub(*left, zeros);
            all_left = lanes.or(all_left, *left);
            let goes_on = lanes.is_other_than_zero(*left);
            let is_less = lanes.both(goes_on, lanes.is_less(b, a));
            let smaller = |a, b| lanes.choose(is_less, b, a);
            let difference = |a, b| lanes.sub_where(is_less, a, b, lanes.sub_where(goes_on, b, a, b));
            *numbers = [smaller(a, b), difference(a, b)];
            *factors = [smaller(a_factors, b_factors), difference(a_factors, b_factors)];
        }
        if !lanes.is_any(lanes.is_other_than_zero(all_left)) {
            return factors;
        }
    }
}

/// Replaces `a` and `b` by what these factors make of them. Returns whether any `b` is left that is not 0.
#[inline(always)]
fn combine<L: Lanes>(lanes: L, factors: [L::Vector; 2], a: &mut [L::Vector], b: &mut [L::Vector]) -> bool {
    // Half of the range of the lower factor is added, so that the upper one is what the upper half holds.
    let upper = |factors| lanes.right::<32>(lanes.add(factors, lanes.all(1 << 31)));
    let [[a_a, a_b], [b_a, b_b]] = [[factors[0], upper(factors[0])], [factors[1], upper(factors[1])]];
    let mask = lanes.all(MASK);
    let sums = |x: L::Vector, y: L::Vector| {
        [
            lanes.add(lanes.product(a_a, x), lanes.product(a_b, y)),
            lanes.add(lanes.product(b_a, x), lanes.product(b_b, y)),
        ]
    };
    // The lowest limb of the sums is 0.
    let [a_sum, b_sum] = sums(a[0], b[0]);
    let [mut a_carry, mut b_carry] = [lanes.carry(a_sum), lanes.carry(b_sum)];
    let mut any = lanes.all(0);
    let last = a.len() - 1;
    let b = &mut b[..=last];
    for at in 1..=last {
        let [a_sum, b_sum] = sums(a[at], b[at]);
        let [a_sum, b_sum] = [lanes.add(a_sum, a_carry), lanes.add(b_sum, b_carry)];
        a[at - 1] = lanes.and(a_sum, mask);
        b[at - 1] = lanes.and(b_sum, mask);
        any = lanes.or(any, b[at - 1]);
        [a_carry, b_carry] = [lanes.carry(a_sum), lanes.carry(b_sum)];
    }
    (a[last], b[last]) = (a_carry, b_carry);
    any = lanes.or(any, b_carry);
    for (limbs, top) in [(a, a_carry), (b, b_carry)] {
        let is_negative = lanes.is_negative(top);
        if lanes.is_any(is_negative) {
            negate(lanes, is_negative, limbs);
        }
    }
    lanes.is_any(lanes.is_other_than_zero(any))
}

/// Changes the signs of these numbers, of which the highest limbs have the signs.
#[inline(always)]
fn negate<L: Lanes>(lanes: L, which: L::Mask, limbs: &mut [L::Vector]) {
    let (mask, mut carry) = (lanes.all(MASK), lanes.all(0));
    for limb in limbs {
        let negated = lanes.sub(carry, *limb);
        *limb = lanes.choose(which, lanes.and(negated, mask), *limb);
        carry = lanes.carry(negated);
    }
}
