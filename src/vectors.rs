//! Which of the processor's vector instructions are used: found out once.

use std::sync::OnceLock;

/// The environment variable that forbids some of them, for tests and measurements.
const VARIABLE: &str = "PMAPGCD_VECTORS";

/// Sets of vector instructions, from the one that every processor has.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Vectors {
    /// What the compiler may take for granted.
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
        *HERE.get_or_init(|| {
            let most = match std::env::var(VARIABLE).as_deref() {
                Ok("portable") => Vectors::Portable,
                Ok("avx2") => Vectors::Avx2,
                _ => Vectors::Avx512,
            };
            Vectors::detected().min(most)
        })
    }

    /// Refuses a name in the environment that is none of theirs.
    ///
    /// # Errors
    /// When there is one.
    pub fn check_environment() -> Result<(), String> {
        match std::env::var_os(VARIABLE) {
            Some(name) if !["portable", "avx2", "avx512"].iter().any(|known| name == *known) => {
                Err(format!("{VARIABLE} is none of portable, avx2 and avx512"))
            }
            _ => Ok(()),
        }
    }

    /// All that this processor has.
    #[cfg(test)]
    pub fn all() -> impl Iterator<Item = Self> {
        let all = [Vectors::Portable, Vectors::Avx2, Vectors::Avx512];
        all.into_iter().filter(|vectors| *vectors <= Vectors::detected())
    }

    #[cfg(target_arch = "x86_64")]
    fn detected() -> Self {
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
