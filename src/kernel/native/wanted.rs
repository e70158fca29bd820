//! Finds the kernel that the user asks for, and describes it to processes that do not load its library.

use super::library::{Exported, Function, Library};
use super::session::Session;
use super::{SESSIONS, call};
use crate::csv::columns::names_in;
use crate::error::printable;
use crate::kernel::columns::types::Signature;
use serde::{Deserialize, Serialize};
use std::ffi::{CString, OsString};

/// A function of a library, as the options ask for it.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The file of the library; `None` for the C library with libm.
    pub library: Option<OsString>,
    /// The name of the function, or of one of the library's kernels. `None`: the library's only kernel.
    pub function: Option<String>,
    /// The types of `--types`.
    pub types: Option<Signature>,
    /// The text with which the kernel is opened.
    pub args: Option<String>,
}

/// What can be known of a kernel without loading its library.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Description {
    /// The name of the kernel.
    pub name: String,
    /// The version of the kernel, if it has one.
    pub version: Option<String>,
    /// What the kernel takes and returns, in the form of `--types`. Some kernels say this only when they are opened;
    /// then it is empty until the kernel is opened. Listing the kernels of a library opens none of them.
    pub types: String,
    /// The names of the results, if the kernel gives any.
    pub names: Option<String>,
    /// Whether the kernel asks the system for nothing but memory and the time of the clock.
    pub is_self_contained: bool,
}

/// Why a kernel cannot be used.
#[derive(Debug, Serialize, Deserialize)]
pub enum Unusable {
    /// The C library has no such function.
    Unknown,
    /// Anything else: the message.
    Other(String),
}

impl From<String> for Unusable {
    fn from(what: String) -> Self {
        Unusable::Other(what)
    }
}

/// Where the code of a kernel is.
#[derive(Clone, Copy)]
pub(super) enum Code {
    Plain(Function),
    Columns(Exported),
}

/// A kernel whose library this process has loaded.
pub struct Loaded {
    pub(super) code: Code,
    description: Description,
}

/// The file names that libm can have. libm is linked to the C library, so functions of both are found through it.
const LIBM: [&str; 2] = ["libm.so.6", "libm.so"];

impl Wanted {
    /// Loads the library, and finds the kernel in it.
    ///
    /// # Errors
    /// If the library cannot be loaded, or the kernel is not in it.
    pub fn load(&self) -> Result<Loaded, Unusable> {
        let Some(file) = &self.library else {
            let library = LIBM.iter().find_map(|name| Library::load(name.as_ref()).ok());
            let library = library.ok_or("libm cannot be loaded".to_string())?;
            let name = self.function.clone().unwrap_or_default();
            return self.plain(library, name, true)?.ok_or(Unusable::Unknown);
        };
        let shown = printable(file);
        let library = Library::load(file).map_err(|what| format!("{shown} cannot be loaded: {what}"))?;
        let kernels = library.kernels().map_err(|what| format!("{shown} {what}"))?;
        let listed = kernels.iter().flatten().map(|kernel| kernel.texts().map(|[name, ..]| name.unwrap_or_default()));
        let listed: Vec<String> = listed.collect::<Result<_, _>>().map_err(|what| format!("{shown} {what}"))?;
        let found = match &self.function {
            Some(name) => listed.iter().position(|known| known == name),
            None if listed.len() == 1 => Some(0),
            None if listed.is_empty() => {
                let what = "has no pmap_kernel_v1, which a kernel of columns exports; a plain C function is named with its types";
                return Err(format!("{shown} {what}: --kernel {shown}:FUNCTION --types f64,f64:f64").into());
            }
            None => {
                let names = listed.join(", ");
                return Err(format!("{shown} has several kernels, {names}; say which: {shown}:{}", listed[0]).into());
            }
        };
        if let (Some(at), Some(kernels)) = (found, kernels) {
            return self.columns(kernels[at], &shown);
        }
        let name = self.function.clone().unwrap_or_default();
        self.plain(library, name.clone(), false)?.ok_or_else(|| {
            let others = if listed.is_empty() { String::new() } else { format!("; its kernels are {}", listed.join(", ")) };
            let cpp = "; a function of C++ has its plain name if it is declared extern \"C\", and one of Rust with #[unsafe(no_mangle)]";
            let cpp = if listed.is_empty() { cpp } else { "" };
            Unusable::Other(format!("{shown} has no function {}{others}{cpp}", printable(name.as_ref())))
        })
    }

    /// Returns the description of the kernel. If `all` is true and the user has named no kernel of the library, returns
    /// the descriptions of all its kernels.
    ///
    /// # Errors
    /// The same as for [`load`](Wanted::load).
    pub fn describe(&self, all: bool) -> Result<Vec<Description>, Unusable> {
        if let (true, Some(file), None) = (all, &self.library, &self.function) {
            let shown = printable(file);
            let library = Library::load(file).map_err(|what| format!("{shown} cannot be loaded: {what}"))?;
            let kernels = library.kernels().map_err(|what| format!("{shown} {what}"))?;
            if let Some(kernels) = kernels {
                return kernels.into_iter().map(|kernel| Ok(self.listed_well(kernel, &shown)?)).collect();
            }
        }
        let description = self.load()?.description;
        // `load` has opened the kernel only to ask for its types, so close it.
        SESSIONS.with_borrow_mut(Vec::clear);
        Ok(vec![description])
    }

    /// Returns the plain function `name`; `None` if the library has none.
    fn plain(&self, library: Library, name: String, is_self_contained: bool) -> Result<Option<Loaded>, Unusable> {
        let function = CString::new(name.clone()).ok().and_then(|name| library.function(&name));
        let Some(function) = function else { return Ok(None) };
        let Some(types) = &self.types else {
            return Err(format!(
                "{name} is a plain function: say what it takes and returns, as in --types f64,f64:f64"
            )
            .into());
        };
        if self.args.is_some() {
            return Err(format!("--kernel-args is for kernels that are opened, and {name} is a plain function").into());
        }
        if !function.is_code() {
            return Err(format!("{name} is data, and no function").into());
        }
        call::check(types).map_err(|what| format!("--types {types}: {what}"))?;
        let description = Description { name, version: None, types: types.to_string(), names: None, is_self_contained };
        Ok(Some(Loaded { code: Code::Plain(function), description }))
    }

    /// Returns what a kernel says of itself before it is opened. The description has no types if the kernel says them
    /// only when it is opened.
    fn listed(&self, exported: Exported, shown: &str) -> Result<Description, String> {
        let [name, version, types, names] = exported.texts().map_err(|what| format!("{shown} {what}"))?;
        let (name, types) = (name.unwrap_or_default(), types.unwrap_or_default());
        Ok(Description { name, version, types, names, is_self_contained: exported.is_self_contained() })
    }

    /// Returns what a kernel says of itself before it is opened. Checks it, unless opening can still tell the types.
    fn listed_well(&self, exported: Exported, shown: &str) -> Result<Description, String> {
        let description = self.listed(exported, shown)?;
        let is_to_be_opened = description.types.is_empty() && exported.kernel().open.is_some();
        if !is_to_be_opened {
            description.checked(shown)?;
        }
        Ok(description)
    }

    /// Returns a kernel that the library exports. Opens it, because some kernels tell their types only then, and keeps
    /// it open in `SESSIONS`. So if this thread itself maps rows later, it need not open the kernel again.
    fn columns(&self, exported: Exported, shown: &str) -> Result<Loaded, Unusable> {
        let mut description = self.listed(exported, shown)?;
        let name = description.name.clone();
        if self.args.is_some() && exported.kernel().open.is_none() {
            return Err(
                format!("--kernel-args is for kernels that are opened, and {name} has no function `open`").into()
            );
        }
        let args = self.args.clone().unwrap_or_default();
        let session =
            Session::open(exported, &args).map_err(|what| format!("{shown}: {name} cannot be opened: {what}"))?;
        description.types = session.types.clone().unwrap_or(description.types);
        description.names = session.names.clone().or(description.names);
        SESSIONS.with_borrow_mut(|sessions| sessions.push(session));
        let signature = description.checked(shown)?;
        if let Some(given) = self.types.as_ref().filter(|given| **given != signature) {
            return Err(format!("--types {given}: {name} says its types itself, {signature}").into());
        }
        Ok(Loaded { code: Code::Columns(exported), description })
    }
}

impl Loaded {
    /// Returns what can be known of the kernel without its library.
    pub fn description(&self) -> &Description {
        &self.description
    }
}

impl Description {
    /// Returns what the kernel takes and returns.
    ///
    /// # Errors
    /// If the types are not valid.
    pub fn signature(&self) -> Result<Signature, String> {
        self.types.parse()
    }

    /// Returns what the kernel takes and returns, after a check that the kernel can be used. `shown` is its library.
    fn checked(&self, shown: &str) -> Result<Signature, String> {
        let Description { name, types, .. } = self;
        if types.is_empty() {
            return Err(format!("{shown}: {name} does not say its types"));
        }
        let wrong = |what: String| format!("{shown}: the types of {name}, {types}: {what}");
        let signature: Signature = types.parse().map_err(wrong)?;
        signature.is_native().map_err(wrong)?;
        self.names().map_err(|what| format!("{shown}: {name} {what}"))?;
        Ok(signature)
    }

    /// Returns the names of the results, one for each.
    ///
    /// # Errors
    /// If the types or the names cannot be read, or if there are not as many names as results.
    pub fn names(&self) -> Result<Vec<String>, String> {
        let count = self.signature()?.outputs.len();
        let names = match &self.names {
            Some(names) => names_in(names).map_err(|what| format!("names its results {names:?}: {what}"))?,
            None if count == 1 => vec![self.name.clone()],
            None => (1..=count).map(|number| format!("{}_{number}", self.name)).collect(),
        };
        match names.len() == count {
            true => Ok(names),
            false => {
                let plural = |count: usize| if count == 1 { "" } else { "s" };
                let (results, names) = (plural(count), (names.len(), plural(names.len())));
                Err(format!("has {count} result{results} and {} name{} for them", names.0, names.1))
            }
        }
    }
}
