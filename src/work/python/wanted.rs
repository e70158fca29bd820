//! The function of Python that the user asks for. To learn what the function takes and returns, Python is started and
//! imports the function.

use super::message::{Kind, Message};
use super::process::{INTERPRETER, Reply, Running, Unstarted, interpreter};
use super::{SESSION, Session};
use crate::error::{printable, reason};
use crate::kernel::columns::types::Signature;
use crate::process::death;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::sync::atomic::AtomicBool;

/// The oldest version of Python that is supported, as `sys.hexversion` has it.
const OLDEST: u64 = 0x0309_0000;

/// How many times Python is started, at most, if other processes keep killing it before it has imported the function.
const MOST_KILLS: u32 = 30;

/// A function of Python, as the options ask for it.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// `FILE:FUNCTION` or `MODULE:FUNCTION`.
    pub target: OsString,
    /// The types of `--types`.
    pub types: Option<Signature>,
    /// Whether the function is called with columns.
    pub is_batch: bool,
    /// How many columns are chosen; `None` if none are.
    pub columns: Option<usize>,
    /// Whether the first bad row ends the run, so that rows behind it need not be mapped.
    pub stops: bool,
    /// The most memory that Python may use.
    pub memory: Option<u64>,
}

/// What Python says of the function.
#[derive(Clone, Debug)]
pub struct Described {
    /// What the function takes and returns.
    pub signature: Signature,
    /// How many columns the function needs at least.
    pub least: usize,
    /// The names of the results, one for each.
    pub names: Vec<String>,
    /// The name of the function.
    pub name: String,
    /// The version of Python.
    pub version: String,
    /// The path of Python.
    pub interpreter: String,
}

impl Wanted {
    /// Starts Python for this thread and has it import the function. Returns what Python says of the function.
    ///
    /// # Errors
    /// If that cannot be done: the message.
    pub fn open(&self, worker: u32) -> Result<Described, String> {
        let (running, described) = self.start_at_last(worker)?;
        let session = Session { worker, running: Some(running), told: 0, failure: None, columns: vec![] };
        SESSION.with_borrow_mut(|ours| *ours = Some(session));
        Ok(described)
    }

    /// Starts Python, and starts it again if another process kills it before it has imported the function.
    fn start_at_last(&self, worker: u32) -> Result<(Running, Described), String> {
        for _ in 0..MOST_KILLS {
            match self.start(worker, &AtomicBool::new(false)) {
                Err(Unstarted::Killed(_)) => {}
                Err(Unstarted::Unusable(what)) => return Err(what),
                Ok(started) => return Ok(started),
            }
        }
        Err(format!("{}: Python keeps being killed while it starts", printable(&self.target)))
    }

    /// Starts one process of Python, and has it import the function.
    pub(super) fn start(&self, worker: u32, is_abandoned: &AtomicBool) -> Result<(Running, Described), Unstarted> {
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

    /// Returns the text of settings that Python is sent.
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
        let least = value("least").and_then(|least| least.parse().ok()).unwrap_or(signature.inputs.len());
        let count = signature.outputs.len();
        let given = value("names").filter(|names| !names.is_empty());
        let names: Vec<String> = match given {
            Some(names) => names.split(',').map(str::to_string).collect(),
            None if count == 1 => vec![name.clone()],
            None => (1..=count).map(|number| format!("{name}_{number}")).collect(),
        };
        let interpreter = printable(OsStr::new(value("interpreter").unwrap_or_default()));
        match names.len() == count {
            true => Ok(Described { signature, least, names, name, version, interpreter }),
            false => Err(format!("Python names {} results, and there are {count}", names.len())),
        }
    }
}
