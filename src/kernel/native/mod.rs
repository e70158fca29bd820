//! Native kernels: functions of shared libraries, in any language that has a C ABI.
//!
//! A library is either asked for a plain function of numbers ([`call`]), or exports kernels with `pmap_kernel_v1`,
//! which map columns ([`session`], by the structs in [`abi`]). A process that only reads rows for a kernel, or prints
//! its results, has a description of the kernel ([`wanted`]) and never loads its library ([`library`]).

mod abi;
pub mod answer;
mod call;
mod guard;
mod library;
mod machine;
mod session;
mod wanted;

pub use guard::watch_exit;
pub use wanted::{Description, Unusable, Wanted};

use crate::kernel::batch::BatchKernel;
use crate::kernel::columns::methods::reads_columns;
use crate::kernel::columns::results::Results;
use crate::kernel::columns::rows::{Parser, Typed};
use crate::kernel::columns::types::{Input, Signature, Type};
use session::Session;
use std::cell::RefCell;
use wanted::{Code, Loaded};

thread_local! {
    /// The session of the kernel that is open in this thread. The list has at most one element, because a program maps
    /// only one native kernel.
    static SESSIONS: RefCell<Vec<Session>> = const { RefCell::new(vec![]) };
}

/// A native kernel, loaded or only described.
pub struct Native {
    code: Option<Code>,
    args: String,
    names: Vec<String>,
    is_self_contained: bool,
    parser: Parser,
    /// The most bytes of text that a result may have.
    most: usize,
    /// If the kernel cannot be used: the reason.
    unusable: Option<String>,
}

impl Native {
    /// Returns the kernel that is described, for a process that does not map rows itself.
    ///
    /// # Errors
    /// If the types in the description are not valid.
    pub fn described(description: &Description) -> Result<Self, String> {
        Ok(Native {
            code: None,
            args: String::new(),
            names: description.names()?,
            is_self_contained: description.is_self_contained,
            parser: Parser::new(description.signature()?, vec![]),
            most: MOST,
            unusable: None,
        })
    }

    /// Returns a kernel that cannot be used, for the reason `what`. A worker uses it in place of a kernel that it
    /// cannot load, so that the run ends with the reason, printed once.
    pub fn unusable(what: String) -> Self {
        let signature = Signature {
            inputs: vec![Input { of: Type::Text, may_lack: true }],
            repeats: true,
            outputs: vec![Type::Text],
        };
        Native {
            code: None,
            args: String::new(),
            names: vec!["none".to_string()],
            is_self_contained: true,
            parser: Parser::new(signature, vec![]),
            most: MOST,
            unusable: Some(what),
        }
    }

    /// Returns the kernel that is loaded. `args` are those of `--kernel-args`.
    ///
    /// # Errors
    /// If what the kernel says about itself is not valid.
    pub fn loaded(loaded: &Loaded, args: Option<String>) -> Result<Self, String> {
        let described = Native::described(loaded.description())?;
        Ok(Native { code: Some(loaded.code), args: args.unwrap_or_default(), ..described })
    }

    /// Makes these texts, besides the empty text, stand for missing values, if the kernel accepts missing values.
    pub fn missing(mut self, texts: Vec<Vec<u8>>) -> Self {
        self.parser = Parser::new(self.parser.signature().clone(), texts);
        self
    }

    /// Sets the size of blocks, in bytes. A result must fit into one.
    pub fn block_size(mut self, bytes: usize) -> Self {
        self.most = bytes.min(MOST);
        self
    }
}

/// The most bytes of text that one call can add to a column of results. A call is made only if there are at most as
/// many already, so a column stays below 2^31 bytes, the limit of its offsets.
const MOST: usize = (1 << 30) - 1;

impl BatchKernel for Native {
    reads_columns!();

    fn result_name(&self) -> &str {
        &self.names[0]
    }

    fn result_names(&self) -> Vec<String> {
        self.names.clone()
    }

    fn needs_nothing(&self) -> bool {
        self.is_self_contained
    }

    fn open(&self) -> Result<(), String> {
        if let Some(what) = &self.unusable {
            return Err(what.clone());
        }
        let Some(Code::Columns(exported)) = self.code else { return Ok(()) };
        // If this thread opened a session to learn the types, its first worker uses that session.
        if SESSIONS.with_borrow(Vec::is_empty) {
            let session =
                Session::open(exported, &self.args).map_err(|what| format!("the kernel cannot be opened: {what}"))?;
            SESSIONS.with_borrow_mut(|sessions| sessions.push(session));
        }
        Ok(())
    }

    fn close(&self) {
        SESSIONS.with_borrow_mut(Vec::clear);
    }

    fn map_batch(&self, rows: &Typed, results: &mut Results) {
        let types = &self.parser.signature().outputs;
        results.begin(types);
        for part in rows.parts.iter().filter(|part| part.rows > 0) {
            results.rows += part.rows;
            if results.columns.rows + part.rows < results.rows {
                // An earlier part had too many results for a batch. Later rows are not mapped, so that results stay in
                // order.
                continue;
            }
            match self.code {
                Some(Code::Plain(function)) => {
                    guard::inside(|| call::map(function, part, &mut results.columns.columns[0].values));
                    results.columns.rows += part.rows;
                }
                Some(Code::Columns(_)) => match self.open() {
                    Ok(()) => SESSIONS.with_borrow_mut(|sessions| {
                        sessions.iter_mut().for_each(|session| session.map(part, types, self.most, results));
                    }),
                    Err(what) => (0..part.rows).for_each(|_| results.push_bad(None, what.clone())),
                },
                None => {
                    let what = "the kernel is not loaded in this process";
                    (0..part.rows).for_each(|_| results.push_bad(None, what.to_string()));
                }
            }
        }
    }
}
