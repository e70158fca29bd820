//! Stands in for `pickles.rs` if this crate is built without pickles: each function fails.

use crate::error::Error;
use serde::{Serialize, de::DeserializeOwned};

fn none() -> Error {
    Error::usage("this program is built without the executor pickle: the feature pickle of the crate pmapgcd brings it")
}

/// Fails.
///
/// # Errors
/// Always.
pub fn pickle<T: Serialize>(_: &str, _: &T, _: &mut Vec<u8>) -> Result<(), Error> {
    Err(none())
}

/// Fails.
///
/// # Errors
/// Always.
pub fn unpickle<T: DeserializeOwned>(_: &str, _: &[u8]) -> Result<T, Error> {
    Err(none())
}

/// Fails.
///
/// # Errors
/// Always.
pub fn unpickle_untrusted<T: DeserializeOwned>(_: &str, _: &[u8]) -> Result<T, Error> {
    Err(none())
}
