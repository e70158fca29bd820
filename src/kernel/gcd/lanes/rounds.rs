//! The algorithm, in terms of vectors of any width. This file is long because the parts of a round rely on the same
//! form of limbs, factors and approximations.

use super::Pair;
use super::instructions::{LIMB, Lanes};

/// The most halvings in one round. A round ends with a division by 2^30. A limb has 30 bits too, so the division just
/// drops the lowest limb.
const HALVINGS: u32 = LIMB;
/// How many subtractions one round does with approximations. After 16 of them, most lanes have done all halvings that a
/// round allows. Further subtractions would cost more time than they gain in the other lanes (14 to 17 take about the
/// same time, for 512 to 4096 bits, Zen 4).
const STEPS: usize = 16;
const MASK: u64 = (1 << LIMB) - 1;
/// How many vectors of pairs are worked on together. A step waits for the result of the step before; meanwhile the
/// processor works on the other vector.
const GROUPS: usize = 2;
/// The least number of limbs that numbers are stored in, because an approximation is made of three limbs.
const LEAST: usize = 3;

/// The most lanes that a vector has.
const MOST: usize = 8;

/// The limbs of the numbers `a` and `b` of one pair in each lane. Each vector has one limb of every lane's number.
struct Numbers<L: Lanes> {
    a: Vec<L::Vector>,
    b: Vec<L::Vector>,
}

impl<L: Lanes> Default for Numbers<L> {
    fn default() -> Self {
        Numbers { a: vec![], b: vec![] }
    }
}

/// Does what [`super::with`] does.
///
/// Always inlined, so that it is compiled with the vector instructions of its caller. It has no closures or iterators
/// over vectors: the compiler might make a separate function of a closure, without these instructions, and that
/// function takes several times as long.
#[inline(always)]
pub fn gcds<L: Lanes>(lanes: L, pairs: &[Pair], all: bool, done: &mut dyn FnMut(usize, &[u64])) {
    let mut groups: [Numbers<L>; GROUPS] = Default::default();
    let (mut words, mut divisor) = (vec![], vec![]);
    for (count, some) in pairs.chunks(GROUPS * L::COUNT).enumerate() {
        if some.len() < L::LEAST && !all {
            break;
        }
        let bits = some.iter().flatten().map(|number| bits(number)).max().unwrap_or(0);
        let limbs = bits.div_ceil(LIMB as usize).max(LEAST);
        let mut twos = [[0; MOST]; GROUPS];
        for (group, numbers) in groups.iter_mut().enumerate() {
            let some = some.chunks(L::COUNT).nth(group).unwrap_or_default();
            twos[group] = load(lanes, some, limbs, &mut words, numbers);
        }
        // A pair has at most `2 * bits` bits. Each round has at least `STEPS` halvings, and each halving shortens the
        // pair by one bit. So this many rounds are enough.
        let Some(limbs) = rounds(lanes, &mut groups, limbs, 2 * bits / STEPS + 1) else {
            debug_assert!(false, "more rounds than there can be");
            continue;
        };
        for at in 0..some.len() {
            let (group, lane) = (at / L::COUNT, at % L::COUNT);
            divisor.clear();
            store::<L>(&groups[group].a[..limbs], lane, twos[group][lane], &mut divisor);
            done(count * GROUPS * L::COUNT + at, &divisor);
        }
    }
}

/// Returns how many bits a number has, or more if its highest limb is 0.
fn bits(limbs: &[u64]) -> usize {
    limbs.last().map_or(0, |top| limbs.len() * 64 - top.leading_zeros() as usize)
}

/// Puts pairs of numbers into lanes. Divides both numbers of a pair by the largest power of two that divides both, and
/// puts the odd one first. Returns the exponents of these powers. `words` is a buffer, whose contents do not matter.
#[inline(always)]
fn load<L: Lanes>(
    lanes: L,
    pairs: &[Pair],
    limbs: usize,
    words: &mut Vec<L::Vector>,
    numbers: &mut Numbers<L>,
) -> [usize; MOST] {
    // A lane without a pair has the numbers 1 and 0: it is finished from the start.
    let (mut ordered, mut twos): ([Pair; MOST], _) = ([[&[1], &[]]; MOST], [0; MOST]);
    let mut shifts = [lanes.all(0)];
    for (lane, [a, b]) in pairs.iter().enumerate() {
        let [a_zeros, b_zeros] = [zeros(a), zeros(b)];
        ordered[lane] = if a_zeros <= b_zeros { [a, b] } else { [b, a] };
        twos[lane] = a_zeros.min(b_zeros);
        bytemuck::cast_slice_mut::<_, u64>(&mut shifts)[lane] = twos[lane] as u64 % 64;
    }
    let (shifts, others) = (shifts[0], lanes.sub(lanes.all(64), shifts[0]));
    for (index, number) in [&mut numbers.a, &mut numbers.b].into_iter().enumerate() {
        words.clear();
        words.resize(limbs * LIMB as usize / 64 + 2, lanes.all(0));
        for (lane, pair) in ordered[..L::COUNT].iter().enumerate() {
            let places = bytemuck::cast_slice_mut::<_, u64>(words)[lane..].iter_mut().step_by(L::COUNT);
            for (place, limb) in places.zip(&pair[index][twos[lane] / 64..]) {
                *place = *limb;
            }
        }
        // The last word is 0 in all lanes, and so need not be shifted.
        for at in 1..words.len() {
            words[at - 1] = lanes.or(lanes.right_by(words[at - 1], shifts), lanes.left_by(words[at], others));
        }
        number.clear();
        number.reserve(limbs);
        for at in 0..limbs {
            let (word, shift) = (at * LIMB as usize / 64, (at * LIMB as usize % 64) as u64);
            let low = lanes.right_by(words[word], lanes.all(shift));
            let high = lanes.left_by(words[word + 1], lanes.all(64 - shift));
            number.push(lanes.and(lanes.or(low, high), lanes.all(MASK)));
        }
    }
    twos
}

/// Returns how many zeros a number has below its lowest 1, in base 2.
fn zeros(limbs: &[u64]) -> usize {
    let words = limbs.iter().take_while(|&&limb| limb == 0).count();
    64 * words + limbs.get(words).map_or(0, |limb| limb.trailing_zeros() as usize)
}

/// Writes the number in this lane, times 2^`twos`, to `limbs`, which must be empty.
fn store<L: Lanes>(vectors: &[L::Vector], lane: usize, twos: usize, limbs: &mut Vec<u64>) {
    limbs.resize(twos / 64, 0);
    let (mut held, mut bits) = (0u128, (twos % 64) as u32);
    for limb in bytemuck::cast_slice::<_, u64>(vectors)[lane..].iter().step_by(L::COUNT) {
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

/// In all lanes, makes `a` the greatest common divisor of `a` and `b`, and `b` 0, in at most `most` rounds. Returns how
/// many limbs the numbers then have, or `None` if some `b` is still not 0.
#[inline(always)]
fn rounds<L: Lanes>(lanes: L, groups: &mut [Numbers<L>; GROUPS], mut limbs: usize, most: usize) -> Option<usize> {
    let [Numbers { a: first_a, b: first_b }, Numbers { a: second_a, b: second_b }] = groups;
    for _ in 0..most {
        let (first_a, first_b) = (&mut first_a[..limbs], &mut first_b[..limbs]);
        let (second_a, second_b) = (&mut second_a[..limbs], &mut second_b[..limbs]);
        let mut first = approximate(lanes, first_a, first_b);
        let mut second = approximate(lanes, second_a, second_b);
        for _ in 0..STEPS {
            first = subtract(lanes, halve(lanes, first));
            second = subtract(lanes, halve(lanes, second));
        }
        let first_is_left = combine(lanes, halve(lanes, first), first_a, first_b);
        let second_is_left = combine(lanes, halve(lanes, second), second_a, second_b);
        if !first_is_left && !second_is_left {
            return Some(limbs);
        }
        while limbs > LEAST {
            let first = lanes.or(first_a[limbs - 1], first_b[limbs - 1]);
            let second = lanes.or(second_a[limbs - 1], second_b[limbs - 1]);
            if goes_on(lanes, lanes.or(first, second)) {
                break;
            }
            limbs -= 1;
        }
    }
    None
}

/// Whether there is anything but 0 in any lane.
#[inline(always)]
fn goes_on<L: Lanes>(lanes: L, left: L::Vector) -> bool {
    lanes.is_any(lanes.is_other_than_zero(left))
}

/// Approximations of two numbers, between steps.
#[derive(Clone, Copy)]
struct Steps<L: Lanes> {
    a: L::Vector,
    b: L::Vector,
    /// The new `a` is the sum of both old numbers, each times its factor in `factors[0]`, divided by 2^30. The new `b`
    /// is the same with `factors[1]`. Each vector holds two factors in one number: the factor of the old `a`, plus 2^32
    /// times the factor of the old `b`.
    factors: [L::Vector; 2],
    /// How many halvings are left to do, as [`Lanes::left_to_do`] writes it.
    left: L::Vector,
}

/// Returns an approximation of 62 bits for each number: 32 high bits and the 30 lowest bits. In both numbers the high
/// bits are those from the highest bit of the longer number down. Numbers of at most 62 bits are returned whole.
#[inline(always)]
fn approximate<L: Lanes>(lanes: L, a: &[L::Vector], b: &[L::Vector]) -> Steps<L> {
    // For each lane, take three consecutive limbs of both numbers, at the same places. The highest of these places is
    // the highest at which either number is not 0. If that is below the third place, the three lowest limbs are taken.
    let mut at = a.len() - 1;
    let mut top = top(lanes, a, b, at);
    let mut a_three = [a[at], a[at - 1], a[at - 2]];
    let mut b_three = [b[at], b[at - 1], b[at - 2]];
    while !lanes.is_every(lanes.is_other_than_zero(top)) {
        at -= 1;
        let is_found = lanes.is_other_than_zero(top);
        top = lanes.choose(is_found, top, self::top(lanes, a, b, at));
        for place in 0..3 {
            a_three[place] = lanes.choose(is_found, a_three[place], a[at - place]);
            b_three[place] = lanes.choose(is_found, b_three[place], b[at - place]);
        }
    }
    let length = lanes.length(top);
    Steps {
        a: approximation(lanes, a_three, length, a[0]),
        b: approximation(lanes, b_three, length, b[0]),
        factors: [lanes.all(1), lanes.all(1 << 32)],
        left: lanes.left_to_do(HALVINGS),
    }
}

/// Returns the limbs of both numbers at this place, combined by OR. At the lowest place that the search can reach, bit
/// 1 is set as well, so that the search ends there. This bit also makes the limb at least 2 bits long, so that the
/// approximation has 2 + 30 + 30 bits: enough to keep every number of up to 62 bits whole.
#[inline(always)]
fn top<L: Lanes>(lanes: L, a: &[L::Vector], b: &[L::Vector], at: usize) -> L::Vector {
    lanes.or(lanes.or(a[at], b[at]), lanes.all(if at < LEAST { 2 } else { 0 }))
}

/// Returns a number of 62 bits: the highest 32 bits of the three limbs, and below them the 30 bits of `lowest`.
/// `length` is the bit length of the limb `high`.
#[inline(always)]
fn approximation<L: Lanes>(
    lanes: L,
    [high, middle, low]: [L::Vector; 3],
    length: L::Vector,
    lowest: L::Vector,
) -> L::Vector {
    let upper = lanes.or(lanes.left::<32>(high), lanes.left::<2>(middle));
    let upper = lanes.or(upper, lanes.right::<28>(low));
    lanes.or(lanes.left::<30>(lanes.right_by(upper, length)), lowest)
}

/// Halves `b` until it is odd, or until no halving is left to do.
#[inline(always)]
fn halve<L: Lanes>(lanes: L, Steps { a, b, factors: [a_factors, b_factors], left }: Steps<L>) -> Steps<L> {
    let zeros = lanes.zeros(b, left);
    let factors = [lanes.left_by(a_factors, zeros), b_factors];
    Steps { a, b: lanes.right_by(b, zeros), factors, left: lanes.done(left, zeros) }
}

/// Sets `a` to the smaller number and `b` to the difference, in lanes that have halvings left to do. Updates the
/// factors to match.
#[inline(always)]
fn subtract<L: Lanes>(lanes: L, Steps { a, b, factors: [a_factors, b_factors], left }: Steps<L>) -> Steps<L> {
    let goes_on = lanes.is_other_than_zero(left);
    let is_less = lanes.both(goes_on, lanes.is_less(b, a));
    let difference = lanes.sub_where(is_less, a, b, lanes.sub_where(goes_on, b, a, b));
    let of_factors = lanes.sub_where(goes_on, b_factors, a_factors, b_factors);
    let of_factors = lanes.sub_where(is_less, a_factors, b_factors, of_factors);
    Steps {
        a: lanes.choose(is_less, b, a),
        b: difference,
        factors: [lanes.choose(is_less, b_factors, a_factors), of_factors],
        left,
    }
}

/// Replaces `a` and `b` by the sums that [`Steps::factors`] describes. Returns whether any `b` is other than 0.
#[inline(always)]
fn combine<L: Lanes>(lanes: L, steps: Steps<L>, a: &mut [L::Vector], b: &mut [L::Vector]) -> bool {
    // The sums are divided by 2^30 in all lanes. A lane that has done fewer than 30 halvings needs a smaller divisor,
    // so its factors are first multiplied by two for each missing halving.
    let left = lanes.count(steps.left);
    let of_a = split(lanes, lanes.left_by(steps.factors[0], left));
    let of_b = split(lanes, lanes.left_by(steps.factors[1], left));
    let mask = lanes.all(MASK);
    // The lowest limb of the sums is 0 and is left out: only its carry counts.
    let mut a_carry = lanes.carry(sum(lanes, of_a, a[0], b[0], lanes.all(0)));
    let mut b_carry = lanes.carry(sum(lanes, of_b, a[0], b[0], lanes.all(0)));
    let last = a.len() - 1;
    let b = &mut b[..a.len()];
    for at in 0..last {
        let a_sum = sum(lanes, of_a, a[at + 1], b[at + 1], a_carry);
        let b_sum = sum(lanes, of_b, a[at + 1], b[at + 1], b_carry);
        (a[at], b[at]) = (lanes.and(a_sum, mask), lanes.and(b_sum, mask));
        (a_carry, b_carry) = (lanes.carry(a_sum), lanes.carry(b_sum));
    }
    (a[last], b[last]) = (a_carry, b_carry);
    let (a_is_negative, b_is_negative) = (lanes.is_negative(a_carry), lanes.is_negative(b_carry));
    if lanes.is_any(a_is_negative) {
        negate(lanes, a_is_negative, a);
    }
    if lanes.is_any(b_is_negative) {
        negate(lanes, b_is_negative, b);
    }
    // The lowest limb alone nearly always shows that some `b` is not 0. Only if it does not are the others looked at.
    let mut any = b[0];
    if !goes_on(lanes, any) {
        for limb in b {
            any = lanes.or(any, *limb);
        }
    }
    goes_on(lanes, any)
}

/// Splits two factors that are in one number. Only the lower half of each lane of the results is meaningful.
#[inline(always)]
fn split<L: Lanes>(lanes: L, factors: L::Vector) -> [L::Vector; 2] {
    // A negative lower factor has taken 1 from the upper half. Adding 2^31 to the lower half carries that 1 back.
    [factors, lanes.right::<32>(lanes.add(factors, lanes.all(1 << 31)))]
}

/// Returns `factors[0]` times the limb `a`, plus `factors[1]` times the limb `b`, plus the carry.
#[inline(always)]
fn sum<L: Lanes>(lanes: L, factors: [L::Vector; 2], a: L::Vector, b: L::Vector, carry: L::Vector) -> L::Vector {
    lanes.add(lanes.add(lanes.product(factors[0], a), carry), lanes.product(factors[1], b))
}

/// Changes the signs of the numbers in the lanes `which`. The highest limb of a number carries its sign.
#[inline(always)]
fn negate<L: Lanes>(lanes: L, which: L::Mask, limbs: &mut [L::Vector]) {
    let (mask, mut carry) = (lanes.all(MASK), lanes.all(0));
    for limb in limbs {
        let negated = lanes.sub(carry, *limb);
        *limb = lanes.choose(which, lanes.and(negated, mask), *limb);
        carry = lanes.carry(negated);
    }
}
