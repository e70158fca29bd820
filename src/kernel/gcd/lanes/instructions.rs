//! The operations on vectors that the algorithm needs.

/// How many bits a limb has: few enough that the product of a limb and a factor fits into a signed number of 64 bits.
pub const LIMB: u32 = 30;

/// Vectors of numbers of 64 bits. A value of an implementing type must exist only where the processor has the
/// instructions. No method has a default.
pub trait Lanes: Copy {
    /// A vector: numbers of 64 bits, one behind the other.
    type Vector: bytemuck::Pod;
    /// A choice of lanes.
    type Mask: Copy;
    /// How many lanes there are.
    const COUNT: usize;
    /// The least number of pairs for which vectors take less time than dashu. Vectors work on two pairs for each lane
    /// at a time, even if there are fewer pairs (`cargo bench --bench algorithms`, Zen 4).
    const LEAST: usize;

    /// Returns the vector that has `number` in all lanes.
    fn all(self, number: u64) -> Self::Vector;
    fn add(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    fn sub(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    fn and(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    fn or(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    fn left<const BITS: u32>(self, a: Self::Vector) -> Self::Vector;
    fn right<const BITS: u32>(self, a: Self::Vector) -> Self::Vector;
    /// Shifts each lane of `a` by as many bits as the same lane of `bits` says.
    fn left_by(self, a: Self::Vector, bits: Self::Vector) -> Self::Vector;
    fn right_by(self, a: Self::Vector, bits: Self::Vector) -> Self::Vector;
    /// Divides signed numbers of at most 62 bits by 2^30, rounding down.
    fn carry(self, a: Self::Vector) -> Self::Vector;
    /// The products of the low halves, which are signed numbers of 32 bits.
    fn product(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// Returns a vector that says that `halvings` halvings, at most 30, are left to do in each lane. Each
    /// implementation writes such numbers in its own form, in which 0 means that none is left.
    fn left_to_do(self, halvings: u32) -> Self::Vector;
    /// The number of trailing zeros of `a`, but at most the number of halvings that `left` stands for.
    fn zeros(self, a: Self::Vector, left: Self::Vector) -> Self::Vector;
    /// What is left of `left` after `halvings` more halvings.
    fn done(self, left: Self::Vector, halvings: Self::Vector) -> Self::Vector;
    /// The number of halvings that `left` stands for, as a plain number.
    fn count(self, left: Self::Vector) -> Self::Vector;
    /// The bit length of the number in each lane of `a`. The numbers must be from 1 to 2^30 - 1.
    fn length(self, a: Self::Vector) -> Self::Vector;
    /// The lanes in which `a` is less than `b`. Both must have at most 63 bits.
    fn is_less(self, a: Self::Vector, b: Self::Vector) -> Self::Mask;
    /// The lanes in which `a` is negative.
    fn is_negative(self, a: Self::Vector) -> Self::Mask;
    fn is_other_than_zero(self, a: Self::Vector) -> Self::Mask;
    fn both(self, a: Self::Mask, b: Self::Mask) -> Self::Mask;
    fn is_any(self, mask: Self::Mask) -> bool;
    fn is_every(self, mask: Self::Mask) -> bool;
    /// `a` in the lanes of the mask, and `b` elsewhere.
    fn choose(self, mask: Self::Mask, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// `a - b` in the lanes of the mask, and `c` elsewhere.
    fn sub_where(self, mask: Self::Mask, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;
}

/// Defines methods of [`Lanes`], each by an expression, which may call the processor's instructions.
macro_rules! instructions {
    ($(fn $name:ident$(<const $bits:ident: u32>)?($($argument:ident: $type:ty),*) -> $result:ty { $body:expr })*) => {
        $(
            #[inline(always)]
            #[allow(unused_unsafe)]
            fn $name$(<const $bits: u32>)?(self, $($argument: $type),*) -> $result {
                // SAFETY: only `gcds` in the file of this type makes a value of the type, and the caller of `gcds`
                // promises that the processor has the instructions.
                unsafe { $body }
            }
        )*
    };
}
pub(super) use instructions;
