//! Maps a function of Python over rows. The function is a kernel of columns, like those of libraries, but its calls go
//! to another process. Each worker keeps one process of Python ([`process`]). The two share memory that holds columns
//! ([`region`]), and exchange messages of fixed size ([`message`]). `docs/protocol.md` describes all three.
//!
//! If Python dies, its worker starts it again and lives on, as with a command. To find the row that is to blame, halves
//! of the rows are tried ([`search`](super::search)).

pub mod message;
mod process;
pub mod region;
mod wanted;

use crate::error::reason;
use crate::kernel::batch::BatchKernel;
use crate::kernel::columns::Columns;
use crate::kernel::columns::methods::reads_columns;
use crate::kernel::columns::results::Results;
use crate::kernel::columns::rows::{Parser, Typed};
use crate::kernel::columns::types::{Input, Signature, Type};
use crate::process::children::NUMBER;
use crate::process::console::say;
use crate::process::death;
use crate::steps::{self, STEPS, Step, lap};
use crate::work::search::{Next, Search};
use message::{Kind, Mapped, Message};
pub use process::{PROGRAM, interpreter};
use process::{Reply, Running, Unstarted};
use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
pub use wanted::{Described, Wanted};

/// The most rows that Python is given at a time. That is all rows of a usual block, because one exchange of messages
/// costs as much as hundreds of rows.
const MOST_ROWS: usize = 1 << 16;

/// A worker reports this many deaths of its Python processes one by one.
const TOLD: u32 = 10;

thread_local! {
    /// The session of this thread, if it has started Python. One session is enough, because a program maps only one
    /// function.
    static SESSION: RefCell<Option<Session>> = const { RefCell::new(None) };
}

/// A worker's process of Python.
struct Session {
    /// The number of the worker.
    worker: u32,
    /// `None` after a death.
    running: Option<Running>,
    /// How many deaths have been reported.
    told: u32,
    /// Why Python cannot be started any more.
    failure: Option<String>,
    /// The columns that are sent. They are kept so that their memory is reused.
    columns: Vec<u8>,
}

/// A function of Python as a kernel.
pub struct Python {
    wanted: Wanted,
    described: Described,
    parser: Parser,
    /// Why the function cannot be used in this process; `None` if it can.
    unusable: Option<String>,
    /// The number of the next worker of this process.
    number: AtomicU32,
    /// Whether the run has failed, so that no answer is needed any more.
    is_abandoned: Arc<AtomicBool>,
}

impl Python {
    /// Makes the kernel of the function that `described` describes. `missing` are the texts, besides the empty text,
    /// that stand for missing values if the function accepts missing values. `is_worker` says whether this process is a
    /// worker: its parent has then put the worker's number into the environment.
    pub fn new(wanted: Wanted, described: Described, missing: Vec<Vec<u8>>, is_worker: bool) -> Self {
        let parser = Parser::new(described.signature.clone(), missing).at_least(described.least);
        let number = AtomicU32::new(if is_worker { own_number() } else { 0 });
        Python { wanted, described, parser, unusable: None, number, is_abandoned: Arc::default() }
    }

    /// Makes a kernel that cannot be used, for a worker whose Python could not import the function, although the Python
    /// of its parent could. `what` is the message with which the run ends.
    pub fn unusable(wanted: Wanted, what: String) -> Self {
        let any = Input { of: Type::Text, may_lack: true };
        let signature = Signature { inputs: vec![any], repeats: true, outputs: vec![Type::Text] };
        let (names, [name, version, interpreter]) = (vec![String::new()], [const { String::new() }; 3]);
        let described = Described { signature, least: 1, names, name, version, interpreter };
        Python { unusable: Some(what), ..Python::new(wanted, described, vec![], true) }
    }

    /// Maps the rows of one part, and appends their results to `results`, up to the first row that has none.
    fn map_part(&self, session: &mut Session, part: &Columns, results: &mut Results) {
        let before = results.columns.rows;
        let mut search = Search::new(part.rows, "Python");
        while let Some(rows) = search.part() {
            let (cause, is_fault) = match self.try_rows(session, part, rows.clone(), results) {
                Tried::Mapped(done) if done < rows.len() => return,
                Tried::Mapped(_) => {
                    search.answered();
                    continue;
                }
                Tried::Died { cause, is_fault } => (cause, is_fault),
                Tried::Hopeless(what) => {
                    session.failure = Some(what);
                    return;
                }
            };
            session.running = None;
            let next = search.died(cause.clone(), is_fault);
            if search.is_first() && session.told < TOLD {
                session.told += 1;
                say(&format_args!("the Python of worker {} {cause}; it is started again", session.worker));
            }
            match next {
                Next::Goes => {}
                Next::Names(what) | Next::Ends(_, what) => {
                    debug_assert_eq!(results.columns.rows, before + rows.start);
                    results.push_bad(None, what);
                    return;
                }
            }
        }
    }

    /// Sends these rows to Python to be mapped. Starts a new process of Python first if there is none.
    fn try_rows(&self, session: &mut Session, part: &Columns, rows: Range<usize>, results: &mut Results) -> Tried {
        let running = match &mut session.running {
            Some(running) => running,
            none => match self.wanted.start(session.worker, &self.is_abandoned) {
                Ok((running, _)) => none.insert(running),
                Err(Unstarted::Killed(cause)) => return Tried::Died { cause, is_fault: false },
                Err(Unstarted::Unusable(what)) => {
                    return Tried::Hopeless(format!("Python cannot be started again: {what}"));
                }
            },
        };
        region::write(part, |at| self.described.signature.input(at).of, rows.clone(), &mut session.columns);
        lap(Step::Pickle);
        let fault = |cause: String| Tried::Died { cause, is_fault: true };
        let reply = running.map(&session.columns, rows.len(), part.columns.len(), &self.is_abandoned);
        match reply {
            Err(error) => Tried::Hopeless(format!("cannot talk to Python: {}", reason(&error))),
            Ok(Reply::Abandoned) => Tried::Hopeless("the run has ended".to_string()),
            Ok(Reply::Ended(status)) => Tried::Died { cause: death::cause(status), is_fault: death::is_fault(status) },
            Ok(Reply::Useless(what)) => fault(what),
            Ok(Reply::Answer(Message { kind: Kind::Mapped, values, .. })) => {
                let mapped = Mapped::from(values);
                let types = &self.described.signature.outputs;
                let answer = running.bytes(mapped.offset, mapped.length);
                lap(Step::Receive);
                let count = part.columns.len();
                let read = answer.and_then(|answer| region::read(&answer, mapped, rows.len(), count, types, results));
                lap(Step::UnpickleResult);
                match read {
                    Ok(()) => {
                        note_steps(&mapped);
                        Tried::Mapped(mapped.done as usize)
                    }
                    Err(what) => fault(format!("has answered {what}")),
                }
            }
            Ok(Reply::Answer(_)) => fault("has answered what it was not asked".to_string()),
        }
    }
}

/// Adds what Python has measured to the steps, if these are timed. The time outside of the function is spent on reading
/// columns and on writing columns. How much each takes is not known, so each is given half.
fn note_steps(mapped: &Mapped) {
    if steps::is_timing() {
        let mut nanos = [0; STEPS];
        let others = mapped.in_all.saturating_sub(mapped.in_function) / 2;
        nanos[Step::Run as usize] = mapped.in_function;
        (nanos[Step::Unpickle as usize], nanos[Step::PickleResult as usize]) = (others, others);
        steps::add(nanos);
    }
}

/// How an attempt to map some rows has ended.
enum Tried {
    /// How many rows are done: mapped or found bad. If these are fewer than all, the last of them is bad and ends the
    /// run.
    Mapped(usize),
    /// Python died. `cause` is the predicate of a sentence.
    Died { cause: String, is_fault: bool },
    /// Trying again is useless. The string is the message.
    Hopeless(String),
}

/// Returns the number of this worker, which its parent has put into the environment; 0 if it has not.
pub fn own_number() -> u32 {
    std::env::var(NUMBER).ok().and_then(|number| number.parse().ok()).unwrap_or(0)
}

impl BatchKernel for Python {
    reads_columns!();

    fn result_name(&self) -> &str {
        &self.described.names[0]
    }

    fn result_names(&self) -> Vec<String> {
        self.described.names.clone()
    }

    fn open(&self) -> Result<(), String> {
        if let Some(what) = &self.unusable {
            return Err(what.clone());
        }
        // Python might already run in this thread: it was started there if the types of the function had to be learned.
        if SESSION.with_borrow(Option::is_none) {
            self.wanted.open(self.number.fetch_add(1, Ordering::Relaxed))?;
        }
        Ok(())
    }

    fn close(&self) {
        SESSION.with_borrow_mut(|session| *session = None);
    }

    fn map_batch(&self, rows: &Typed, results: &mut Results) {
        results.begin(&self.described.signature.outputs);
        SESSION.with_borrow_mut(|session| {
            for part in rows.parts.iter().filter(|part| part.rows > 0) {
                let is_whole = results.columns.rows == results.rows;
                results.rows += part.rows;
                match session {
                    // A row of an earlier part has ended the results, so this part is not mapped.
                    _ if !is_whole => {}
                    Some(session) => self.map_part(session, part, results),
                    None => {
                        let what = "Python is not started in this process";
                        (0..part.rows).for_each(|_| results.push_bad(None, what.to_string()));
                    }
                }
            }
        });
    }

    fn most_rows(&self) -> Option<usize> {
        Some(MOST_ROWS)
    }

    fn failure(&self) -> Option<String> {
        SESSION.with_borrow(|session| session.as_ref().and_then(|session| session.failure.clone()))
    }

    fn abandon(&self) {
        self.is_abandoned.store(true, Ordering::Relaxed);
    }
}
