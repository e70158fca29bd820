//! Which of the processor's vector instructions are used. That is found out once, when they are first needed.

use std::sync::OnceLock;

/// The environment variable that forbids some of them, for tests and measurements.
const VARIABLE: &str = "PMAPGCD_VECTORS";

/// What its values are called.
const NAMES: [(&str, Vectors); 3] =
    [("portable", Vectors::Portable), ("avx2", Vectors::Avx2), ("avx512", Vectors::Avx512)];

/// Sets of vector instructions, ordered: each has all instructions of those before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Vectors {
    /// What the compiler may take for granted on any processor.
    Portable,
    /// AVX2, as of 2013.
    Avx2,
    /// AVX-512 with counts of bits and compression of bytes, as of Intel's Ice Lake and AMD's Zen 4.
    Avx512,
}

impl Vectors {
    /// The best that this processor has, unless the environment allows less: `PMAPGCD_VECTORS=avx2` or `portable`.
    pub fn here() -> Self {
        static HERE: OnceLock<Vectors> = OnceLock::new();
        *HERE.get_or_init(|| Vectors::detected().min(Vectors::allowed().unwrap_or(Vectors::Avx512)))
    }

    /// The most that the environment allows.
    ///
    /// # Errors
    /// When the name in the environment is unknown; the command line refuses it before anything is computed.
    pub fn allowed() -> Result<Self, String> {
        let Some(name) = std::env::var_os(VARIABLE) else { return Ok(Vectors::Avx512) };
        let known = NAMES.iter().find(|(known, _)| name == *known);
        known.map(|(_, vectors)| *vectors).ok_or_else(|| format!("{VARIABLE} is none of portable, avx2 and avx512"))
    }

    /// All that this processor has.
    #[cfg(test)]
    pub fn all() -> impl Iterator<Item = Self> {
        NAMES.into_iter().map(|(_, vectors)| vectors).filter(|vectors| *vectors <= Vectors::detected())
    }

    #[cfg(target_arch = "x86_64")]
    fn detected() -> Self {
        // The macro of std takes one name, which has to be a literal.
        macro_rules! has {
            ($($feature:tt)*) => { true $(&& is_x86_feature_detected!($feature))* };
        }
        if !has!("avx2" "bmi1" "bmi2" "popcnt" "lzcnt") {
            Vectors::Portable
        } else if !has!("fma" "f16c" "avx512f" "avx512bw" "avx512vl" "avx512vbmi2" "avx512vpopcntdq") {
            Vectors::Avx2
        } else {
            Vectors::Avx512
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn detected() -> Self {
        Vectors::Portable
    }
}
