//! Decides which vector instructions of the processor are used. The decision is made once, when they are first needed.

use std::sync::OnceLock;

/// Name of the environment variable that forbids some vector instructions, for tests and measurements.
const VARIABLE: &str = "PMAPGCD_VECTORS";

/// The values that the environment variable may have, and what each allows at most.
const NAMES: [(&str, Vectors); 3] =
    [("portable", Vectors::Portable), ("avx2", Vectors::Avx2), ("avx512", Vectors::Avx512)];

/// A set of vector instructions. The sets are ordered: each contains all earlier ones.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Vectors {
    /// No more than every processor of the architecture has.
    Portable,
    /// AVX2, with the bit instructions of the same processors (from 2013).
    Avx2,
    /// AVX-512 with instructions that count bits and compress bytes, as in Intel's Ice Lake and AMD's Zen 4.
    Avx512,
}

impl Vectors {
    /// Returns the largest set that this processor has and the environment variable allows. A value of the variable
    /// that is unknown allows all sets here, because [`allowed`](Vectors::allowed) reports it.
    pub fn here() -> Self {
        static HERE: OnceLock<Vectors> = OnceLock::new();
        *HERE.get_or_init(|| Vectors::detected().min(Vectors::allowed().unwrap_or(Vectors::Avx512)))
    }

    /// Returns the largest set that the environment variable allows, whether or not this processor has it. If the
    /// variable is unset or empty, the largest set of all is returned.
    ///
    /// # Errors
    /// If the value of the variable is unknown. The command line and filters report this before anything is computed.
    pub fn allowed() -> Result<Self, String> {
        let name = std::env::var_os(VARIABLE).filter(|name| !name.is_empty());
        let Some(name) = name else { return Ok(Vectors::Avx512) };
        let known = NAMES.iter().find(|(known, _)| name == *known);
        known
            .map(|(_, vectors)| *vectors)
            .ok_or_else(|| format!("{VARIABLE} is {name:?}, and none of portable, avx2 and avx512"))
    }

    /// Returns all sets that this processor has, without regard to the environment variable.
    #[cfg(any(test, fuzzing))]
    pub fn all() -> impl Iterator<Item = Self> {
        NAMES.into_iter().map(|(_, vectors)| vectors).filter(|vectors| *vectors <= Vectors::detected())
    }

    #[cfg(target_arch = "x86_64")]
    fn detected() -> Self {
        // The macro of the standard library takes one name, which must be a literal, so this one takes a list.
        macro_rules! has {
            ($($feature:tt)*) => { true $(&& is_x86_feature_detected!($feature))* };
        }
        if !has!("avx2" "pclmulqdq" "bmi1" "bmi2" "popcnt" "lzcnt") {
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
