//! A function of Python as what is mapped over rows. It is a kernel of columns like those of libraries, and its calls go to another
//! process: each worker keeps one process of Python ([`process`]), with which it shares memory that holds columns ([`region`]), and
//! exchanges messages of fixed size ([`message`]). `docs/protocol.md` describes all three.
//!
//! If Python dies, its worker starts it again and lives on, as with a command. Which row is to blame is found by trying halves of the rows
//! ([`search`](super::search)).

pub mod message;
mod process;
pub mod region;

use crate::bad_row::BadRow;
use crate::csv::Format;
use crate::csv::index::Rows;
use crate::csv::notation::may_be_number;
use crate::csv::record::Record;
use crate::error::{printable, reason};
use crate::kernel::batch::{BatchKernel, Other, Written};
use crate::kernel::columns::Columns;
use crate::kernel::columns::results::Results;
use crate::kernel::columns::rows::{Reader, Typed};
use crate::kernel::columns::types::{Input, Signature, Type};
use crate::process::children::NUMBER;
use crate::process::console::say;
use crate::process::death;
use crate::steps::{self, STEPS, Step, lap};
use crate::work::search::{Next, Search};
use message::{Kind, Mapped, Message};
use process::{INTERPRETER, Reply, Running, Unstarted};
pub use process::{PROGRAM, interpreter};
use std::cell::RefCell;
use std::ffi::{OsStr, OsString};
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// How many rows Python is given at a time at most: all of a block, because each time costs as much as hundreds of rows.
const MOST_ROWS: usize = 1 << 16;

/// How many deaths of its Pythons a worker reports one by one.
const TOLD: u32 = 10;

/// How often Python is started at first if others kill it.
const MOST_KILLS: u32 = 30;

/// The oldest Python that there may be, as `sys.hexversion` has it.
const OLDEST: u64 = 0x0309_0000;

thread_local! {
    /// The Python of this thread, if there is one: a program maps one function.
    static SESSION: RefCell<Option<Session>> = const { RefCell::new(None) };
}

/// What is asked for: a function of Python.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// `FILE:FUNCTION` or `MODULE:FUNCTION`.
    pub target: OsString,
    /// The types that were given for it.
    pub types: Option<Signature>,
    /// Whether it is called with columns.
    pub is_batch: bool,
    /// How many columns are chosen; `None` if none are.
    pub columns: Option<usize>,
    /// Whether the first bad row ends the run, so that no row behind it need be mapped.
    pub stops: bool,
    /// The most memory that Python may use.
    pub memory: Option<u64>,
}

/// What Python says of the function.
#[derive(Clone, Debug)]
pub struct Described {
    /// What it takes and returns.
    pub signature: Signature,
    /// The names of its results, one for each.
    pub names: Vec<String>,
    /// The name of the function.
    pub name: String,
    /// The version of Python.
    pub version: String,
}

/// A worker's Python.
struct Session {
    /// The number of the worker.
    worker: u32,
    /// `None` after a death.
    running: Option<Running>,
    /// How many deaths have been reported.
    told: u32,
    /// Why Python cannot be started any more.
    failure: Option<String>,
    /// The columns that are sent, kept for their memory.
    columns: Vec<u8>,
}

/// A function of Python as a kernel.
pub struct Python {
    wanted: Wanted,
    described: Described,
    reader: Reader,
    /// Why it cannot be used in this process.
    unusable: Option<String>,
    /// The number of the next worker of this process.
    number: AtomicU32,
    /// Whether the run has failed, so that no answer is needed any more.
    is_abandoned: Arc<AtomicBool>,
}

impl Wanted {
    /// Starts Python in this thread and has the function imported. Returns what it is.
    ///
    /// # Errors
    /// If that cannot be done: the message.
    pub fn open(&self, worker: u32) -> Result<Described, String> {
        let (running, described) = self.start_at_last(worker)?;
        let session = Session { worker, running: Some(running), told: 0, failure: None, columns: vec![] };
        SESSION.with_borrow_mut(|ours| *ours = Some(session));
        Ok(described)
    }

    /// Starts a Python, again and again if others kill it.
    fn start_at_last(&self, worker: u32) -> Result<(Running, Described), String> {
        for _ in 1..MOST_KILLS {
            match self.start(worker, &AtomicBool::new(false)) {
                Err(Unstarted::Killed(_)) => {}
                Err(Unstarted::Unusable(what)) => return Err(what),
                Ok(started) => return Ok(started),
            }
        }
        Err(format!("{}: Python keeps being killed while it starts", printable(&self.target)))
    }

    /// Starts a Python, and has it import the function.
    fn start(&self, worker: u32, is_abandoned: &AtomicBool) -> Result<(Running, Described), Unstarted> {
        let (interpreter, target) = (interpreter(), printable(&self.target));
        let shown = printable(&interpreter);
        let hint = format!("{INTERPRETER} says which interpreter to use");
        let mut running = Running::start(&interpreter, worker, self.memory)
            .map_err(|error| format!("cannot start {shown}: {}; {hint}", reason(&error)))?;
        let version = running.greeting(is_abandoned).map_err(|error| match error {
            Unstarted::Unusable(what) => Unstarted::Unusable(format!("{shown} {what}; {hint}")),
            killed => killed,
        })?;
        let number = |shift: u32| version >> shift & 0xff;
        let version_text = format!("{}.{}.{}", number(24), number(16), number(8));
        if version < OLDEST {
            return Err(Unstarted::Unusable(format!(
                "{shown} is Python {version_text}, and 3.9 or newer is needed; {hint}"
            )));
        }
        let opened = running.open(&self.settings(), &target, is_abandoned);
        let (reply, text) = opened.map_err(|error| format!("cannot talk to {shown}: {}", reason(&error)))?;
        let text = String::from_utf8_lossy(&text);
        let described = match reply {
            Reply::Answer(Message { kind: Kind::Opened, .. }) => Described::read(&text, version_text),
            Reply::Answer(Message { kind: Kind::Failed, .. }) => Err(printable(OsStr::new(&*text))),
            Reply::Answer(_) => Err(format!("{shown} has answered what it was not asked")),
            Reply::Ended(status) if !death::is_fault(status) => return Err(Unstarted::Killed(death::cause(status))),
            Reply::Ended(status) => Err(format!("{target}: {shown} {} while it imported it", death::cause(status))),
            Reply::Useless(what) => Err(format!("{target}: {shown} {what} while it imported it")),
            Reply::Abandoned => Err("the run has ended".to_string()),
        };
        Ok((running, described?))
    }

    /// Returns the settings as they are sent.
    fn settings(&self) -> Vec<u8> {
        let flag = |is_set: bool| if is_set { "1" } else { "" };
        let types = self.types.as_ref().map(Signature::to_string).unwrap_or_default();
        let columns = self.columns.map(|count| count.to_string()).unwrap_or_default();
        let (batch, stop) = (flag(self.is_batch), flag(self.stops));
        let mut text = b"target=".to_vec();
        text.extend_from_slice(self.target.as_bytes());
        text.extend_from_slice(format!("\0types={types}\0columns={columns}\0batch={batch}\0stop={stop}\0").as_bytes());
        text
    }
}

impl Described {
    /// Reads what Python has answered.
    fn read(text: &str, version: String) -> Result<Self, String> {
        let value = |key: &str| text.split('\0').find_map(|item| item.strip_prefix(key)?.strip_prefix('='));
        let (types, name) = (value("types").unwrap_or_default(), value("name").unwrap_or_default());
        let name = printable(OsStr::new(name));
        let signature: Signature = types.parse().map_err(|what| format!("Python says its types wrongly: {what}"))?;
        let count = signature.outputs.len();
        let given = value("names").filter(|names| !names.is_empty());
        let names: Vec<String> = match given {
            Some(names) => names.split(',').map(str::to_string).collect(),
            None if count == 1 => vec![name.clone()],
            None => (1..=count).map(|number| format!("{name}_{number}")).collect(),
        };
        match names.len() == count {
            true => Ok(Described { signature, names, name, version }),
            false => Err(format!("Python names {} results, and there are {count}", names.len())),
        }
    }
}

impl Python {
    /// Makes the kernel of a function that is described so. `missing` are the texts, beside no text, that stand for missing values where the
    /// function is told of such. `is_worker` says that this process is a worker, and has its number from its parent.
    pub fn new(wanted: Wanted, described: Described, missing: Vec<Vec<u8>>, is_worker: bool) -> Self {
        let reader = Reader::new(described.signature.clone(), missing);
        let number = AtomicU32::new(if is_worker { own_number() } else { 0 });
        Python { wanted, described, reader, unusable: None, number, is_abandoned: Arc::default() }
    }

    /// Makes a kernel that cannot be used, for a worker whose Python could not import the function, though its parent's has. `what` is the
    /// message with which the run ends.
    pub fn unusable(wanted: Wanted, what: String) -> Self {
        let any = Input { of: Type::Text, may_lack: true };
        let signature = Signature { inputs: vec![any], repeats: true, outputs: vec![Type::Text] };
        let described =
            Described { signature, names: vec![String::new()], name: String::new(), version: String::new() };
        Python { unusable: Some(what), ..Python::new(wanted, described, vec![], true) }
    }

    /// Maps the rows of one part, and appends their results to `results`, up to the first row that has none.
    fn map_part(&self, session: &mut Session, part: &Columns, results: &mut Results) {
        let before = results.columns.rows;
        let mut search = Search::new(part.rows, "Python", true);
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

    /// Has these rows mapped, by a new Python if there is none.
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

/// Adds what Python has measured to the steps, if these are timed. What is not in the function lies in reading and writing columns, half and
/// half as far as is known.
fn note_steps(mapped: &Mapped) {
    if steps::is_timing() {
        let mut nanos = [0; STEPS];
        let others = mapped.in_all.saturating_sub(mapped.in_function) / 2;
        nanos[Step::Run as usize] = mapped.in_function;
        (nanos[Step::Unpickle as usize], nanos[Step::PickleResult as usize]) = (others, others);
        steps::add(nanos);
    }
}

/// What came of having rows mapped.
enum Tried {
    /// So many of them are mapped. If these are fewer than all, the last one is bad and ends the run.
    Mapped(usize),
    /// Python died. The cause is the predicate of a sentence.
    Died { cause: String, is_fault: bool },
    /// Trying again is useless: the message.
    Hopeless(String),
}

/// Returns the number of this worker process.
pub fn own_number() -> u32 {
    std::env::var(NUMBER).ok().and_then(|number| number.parse().ok()).unwrap_or(0)
}

impl BatchKernel for Python {
    type Rows = Typed;
    type Outputs = Results;

    fn fields(&self) -> Option<usize> {
        self.described.signature.count()
    }

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
        // The session from which the types are known is that of the first worker of this thread.
        if SESSION.with_borrow(Option::is_none) {
            self.wanted.open(self.number.fetch_add(1, Ordering::Relaxed))?;
        }
        Ok(())
    }

    fn close(&self) {
        SESSION.with_borrow_mut(|session| *session = None);
    }

    fn read(&self, record: &Record, rows: &mut Typed) -> Result<(), BadRow> {
        self.reader.read(record, rows)
    }

    fn try_read(&self, record: &Record, rows: &mut Typed) -> bool {
        self.reader.try_read(record, rows).is_ok()
    }

    fn read_rows(&self, found: &Rows, rows: &mut Typed, other: Other<Typed>) -> usize {
        self.reader.read_rows(found, rows, other)
    }

    fn map_batch(&self, rows: &Typed, results: &mut Results) {
        results.begin(&self.described.signature.outputs);
        SESSION.with_borrow_mut(|session| {
            for part in rows.parts.iter().filter(|part| part.rows > 0) {
                let is_whole = results.columns.rows == results.rows;
                results.rows += part.rows;
                match session {
                    // The results end before this part.
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

    fn write(&self, results: &Results, range: Range<usize>, format: Format, room: &mut [u8]) -> Written {
        results.write(&self.described.signature.outputs, range, format, room)
    }

    fn takes_missing(&self, field: usize) -> bool {
        self.described.signature.input(field).may_lack
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

    fn may_be_value(&self, text: &[u8]) -> bool {
        let is_number = |of: Type| !matches!(of, Type::Text | Type::Bool);
        may_be_number(text) || !self.described.signature.inputs.iter().all(|input| is_number(input.of))
    }

    fn is_known_to_write_rows(&self) -> bool {
        true
    }
}
