//! Judges how the command line is read, with arguments of any content.

use crate::cli::Options;
use crate::cli::plan::Plan;
use crate::error::must_be_escaped;
use crate::executor::{MAX_BLOCK_SIZE, MIN_BLOCK_SIZE};
use crate::filter::builder::Setup;
use crate::kernel::gcd::Gcd;
use clap::{Args, FromArgMatches};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// Checks that arguments of any content are either refused with a message or lead to a consistent plan. `bytes` holds
/// the arguments, separated by NUL bytes.
pub fn arguments(bytes: &[u8]) {
    let arguments = bytes.split(|&byte| byte == 0).map(OsStr::from_bytes).take(20);
    let command = Options::augment_args(clap::Command::new("pmapgcd")).no_binary_name(true);
    let matches = match command.try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let options = Options::from_arg_matches(&matches).unwrap();
    let gcd = Gcd::default();
    match Plan::of(options, &gcd) {
        Ok(Plan { setup: Setup { sizes, shape, .. }, .. }) => {
            let format = shape.format;
            let special = [Some(format.delimiter), format.quote, format.comment];
            let is_different = |at: usize| special[at].is_none() || !special[..at].contains(&special[at]);
            assert!((0..3).all(is_different), "{format:?}");
            assert!((MIN_BLOCK_SIZE..=MAX_BLOCK_SIZE).contains(&sizes.block) && sizes.room > sizes.block);
            assert_eq!(shape.head_size(), sizes.head);
            assert!(shape.append.iter().flatten().all(|name| format.can_hold(name)));
        }
        Err(error) => {
            assert_eq!(error.exit_status(), 2);
            assert!(!error.to_string().contains(must_be_escaped), "{error}");
        }
    }
}
