//! The options for mapping a function of a library over the rows. They belong to `pmapgcd` alone, not to every filter.

use super::near::unknown;
use super::options::Options;
use super::plan::Plan;
use super::probe;
use super::run::{run, work};
use super::{FUNCTION, end};
use crate::compare::trial::Trial;
use crate::csv::trimmed;
use crate::error::{Error, printable};
use crate::executor::{DEFAULT_BLOCK_SIZE, Executor, worker};
use crate::kernel::batch::BatchKernel;
use crate::kernel::columns::types::Signature;
use crate::kernel::native::{Description, Native, Unusable, Wanted, watch_exit};
use crate::output::Output;
use crate::process::streams::set_stdout_aside;
use crate::work::text::Text;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::ExitCode;

/// The options of a kernel.
#[derive(clap::Args, Debug)]
#[command(args_override_self = true)]
pub struct KernelOptions {
    /// Map with gcd, a function of libm, or LIBRARY:FUNCTION
    ///
    /// A value with a / or .so in it names a shared library. LIBRARY without :FUNCTION must export pmap_kernel_v1 (see
    /// docs/kernels.md). A plain C function of numbers needs --types. The worker processes load the library; the main
    /// process loads it only with --executor serial or threads.
    #[arg(long, help_heading = FUNCTION, value_name = "NAME", conflicts_with_all = ["command", "command_mode", "command_input", "command_ok", "python_batch"], group = "function")]
    kernel: Option<OsString>,

    /// Types it takes and returns, like f64,f64:f64
    ///
    /// A plain C function takes up to 6 integers and 8 floats and returns one number, of the types i32, i64, u32, u64,
    /// f32, f64. A kernel with a pmap_kernel_v1 says its types itself. They can also be text. In such types, /na behind
    /// a type means that values may be missing, and ... behind the last type means any number of such columns. With
    /// --python all of these can be given, and also int (of any size) and bool.
    #[arg(long, help_heading = FUNCTION, value_name = "IN:OUT", value_parser = Signature::from_text, requires = "function")]
    types: Option<Signature>,

    /// Text to open the kernel with
    #[arg(long, help_heading = FUNCTION, value_name = "TEXT", requires = "kernel", allow_hyphen_values = true, hide_short_help = true)]
    kernel_args: Option<String>,

    /// Say what the kernel takes and returns
    #[arg(long, help_heading = FUNCTION, requires = "function", conflicts_with_all = ["output", "rejects", "split", "range"], hide_short_help = true)]
    #[cfg_attr(feature = "compare", arg(conflicts_with = "compare"))]
    describe: bool,
}

impl Signature {
    fn from_text(text: &str) -> Result<Self, String> {
        text.parse()
    }
}

impl KernelOptions {
    /// Whether [`KernelOptions::run`] has to handle these options: if `--kernel` is given and names another kernel than
    /// the stock one, or if others of these options are given with it.
    pub fn is_given(&self) -> bool {
        self.kernel
            .as_ref()
            .is_some_and(|name| name != STOCK || self.describe || self.types.is_some() || self.kernel_args.is_some())
    }

    /// Returns the options that apply to functions of Python too: `--types` and `--describe`.
    pub fn of_functions(self) -> (Option<Signature>, bool) {
        (self.types, self.describe)
    }

    /// Runs the filter around the kernel, or, in a worker process, that worker's part of the run. Returns the status
    /// for `main` to end with. `stock_only` are the given options that only the stock kernel accepts.
    pub fn run(self, options: Options, stock_only: &[&str]) -> ExitCode {
        self.try_run(options, stock_only).unwrap_or_else(|error| end(Err(error)))
    }

    fn try_run(self, options: Options, stock_only: &[&str]) -> Result<ExitCode, Error> {
        let given = self.kernel.clone().unwrap_or_default();
        let name = printable(&given);
        if given == STOCK {
            return self.stock();
        }
        if cfg!(target_feature = "crt-static") {
            return Err(Error::usage(format!(
                "--kernel {name}: this is the static pmapgcd, which cannot load a library; the one that cargo install or the .deb brings can"
            )));
        }
        let wanted = self.wanted(&given)?;
        if let Some(option) = stock_only.first() {
            return Err(Error::usage(format!("{option} is for the kernel gcd, and --kernel is {name}")));
        }
        let unusable = |unusable: Unusable| match unusable {
            Unusable::Other(what) => {
                let file = wanted.library.as_deref().unwrap_or(&given);
                let is_elsewhere =
                    what.contains("cannot be loaded") && !name.contains('/') && Path::new(".").join(file).exists();
                let hint = if is_elsewhere { format!("; say ./{name}, which is here") } else { String::new() };
                Error::usage(format!("--kernel: {}{hint}", printable(what.as_ref())))
            }
            Unusable::Unknown => Error::usage(unknown(&name)),
        };
        if probe::is_probe()? {
            return Ok(probe::answer(&wanted.describe(self.describe)));
        }
        let is_worker = worker::is_worker();
        let most = options.block_timeout;
        let described =
            if is_worker { vec![] } else { probe::ask(&format!("--kernel {name}"), most)?.map_err(unusable)? };
        if self.describe {
            return Ok(end(describe(&described)));
        }
        let executor = Trial::of_this_process()?.map_or(options.executor, |trial| trial.executor());
        let of = |what: String| unusable(Unusable::Other(what));
        let native = match described.first() {
            // If workers are processes, only they load the library. A comparison is an exception: it maps the rows once
            // in this process, to see whether they are good.
            Some(described) if executor.has_processes() && !options.is_comparison() => {
                Native::described(described).map_err(of)?
            }
            _ => {
                if !is_worker {
                    watch_exit();
                    set_stdout_aside().map_err(|error| Error::io("stdout", error))?;
                }
                let load = || Native::loaded(&wanted.load().map_err(unusable)?, self.kernel_args.clone()).map_err(of);
                if is_worker {
                    // A worker does not print what is wrong. It tells its parent, which prints it once for all workers.
                    let instead = options.clone();
                    let instead = |what: String| serve_unusable(instead, format!("--kernel {name}: {what}"));
                    match probe::in_time(most, load, |what| instead(what).unwrap_or(2)) {
                        Ok(native) => native,
                        Err(error) => return serve_unusable(options, error.to_string()).map(ExitCode::from),
                    }
                } else {
                    load()?
                }
            }
        };
        if executor == Executor::Threads {
            // From here on only the worker threads call the library, and each of them opens the kernel for itself. What
            // this thread still needs of `native` stays after `close`.
            native.close();
        }
        let missing = options.na.iter().map(|text| trimmed(text.as_bytes()).to_vec()).collect();
        let native = native.missing(missing).block_size(options.block_size.unwrap_or(DEFAULT_BLOCK_SIZE));
        let memory = options.worker_memory;
        let mut plan = Plan::of(options, &native)?;
        if !native.needs_nothing() {
            // A kernel that is not self-contained has no limit unless one is given: libraries for graphics cards
            // reserve more address space than the default allows.
            plan.confinement.memory = memory;
        }
        let work = Text::new(&native, plan.setup.settings.clone());
        Ok(run(&plan, &work))
    }

    /// Handles `--describe`, `--types` and `--kernel-args` if the kernel is the stock one. Describes that kernel, or
    /// refuses the options that it does not accept.
    fn stock(&self) -> Result<ExitCode, Error> {
        if self.types.is_some() || self.kernel_args.is_some() {
            return Err(Error::usage(
                "--types and --kernel-args are for other kernels than gcd, which takes integers of any size",
            ));
        }
        let line = format!("gcd {}: integer,integer:integer, confined\n", env!("CARGO_PKG_VERSION"));
        Ok(end(print(&line)))
    }

    /// Returns the kernel that is wanted, by the value of `--kernel`.
    fn wanted(&self, given: &OsStr) -> Result<Wanted, Error> {
        let wrong = |what: &str| Err(Error::usage(format!("--kernel {}: {what}", printable(given))));
        let (types, args) = (self.types.clone(), self.kernel_args.clone());
        let bytes = given.as_bytes();
        let is_library = bytes.contains(&b'/') || memchr::memmem::find(bytes, b".so").is_some();
        if !is_library {
            return match given.to_str() {
                Some(name) if !name.is_empty() => {
                    Ok(Wanted { library: None, function: Some(name.to_string()), types, args })
                }
                _ => wrong("a kernel is expected: gcd, a function of libm, or LIBRARY:FUNCTION"),
            };
        }
        // The name of the file can contain a colon too. So the last colon counts, unless `/` or `.` is behind it: the
        // name of a function contains neither.
        let colon = bytes.iter().rposition(|&byte| byte == b':');
        let colon = colon.filter(|&at| !bytes[at..].iter().any(|byte| b"/.".contains(byte)));
        let (file, function) = colon.map_or((bytes, None), |at| (&bytes[..at], Some(&bytes[at + 1..])));
        let library = Some(OsStr::from_bytes(file).to_os_string());
        match function.map(str::from_utf8) {
            None => Ok(Wanted { library, function: None, types, args }),
            Some(Ok(name)) if !name.is_empty() => Ok(Wanted { library, function: Some(name.to_string()), types, args }),
            Some(_) => wrong("the name of a function is expected behind the colon"),
        }
    }
}

/// Serves the parent of this worker process in place of a kernel that cannot be used: tells the parent the reason,
/// `what`. Returns the status to end with.
fn serve_unusable(mut options: Options, what: String) -> Result<u8, Error> {
    // `--append` could not be checked, because the names of results are not known without the kernel.
    options.append = None;
    let native = Native::unusable(what);
    let plan = Plan::of(options, &native)?;
    Ok(work(&plan, &Text::new(&native, plan.setup.settings.clone())))
}

/// The name of the stock kernel.
const STOCK: &str = "gcd";

/// Prints a description of these kernels, a line for each.
fn describe(kernels: &[Description]) -> Result<(), Error> {
    let line = |kernel: &Description| {
        let version = kernel.version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
        let names = kernel.names().map(|names| format!(", results {}", names.join(","))).unwrap_or_default();
        let confined = if kernel.is_self_contained { "confined" } else { "not confined" };
        let types = if kernel.types.is_empty() { "types by --kernel-args" } else { &kernel.types };
        let line = format!("{}{version}: {types}{names}, {confined}", kernel.name);
        printable(line.as_ref()) + "\n"
    };
    print(&kernels.iter().map(line).collect::<String>())
}

/// Prints this text as the result of the run.
pub fn print(text: &str) -> Result<(), Error> {
    let stdout = Output::stdout()?;
    stdout.write_all(text.as_bytes())?;
    stdout.complete()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(given: &str) -> Result<(Option<String>, Option<String>), String> {
        let options = KernelOptions { kernel: Some(given.into()), types: None, kernel_args: None, describe: false };
        let wanted = options.wanted(given.as_ref()).map_err(|error| error.to_string())?;
        Ok((wanted.library.map(|file| file.into_string().unwrap()), wanted.function))
    }

    #[test]
    fn a_library_is_told_by_its_name_and_split_at_its_last_colon() {
        let named = |library: &str, function: &str| {
            let some = |text: &str| (!text.is_empty()).then(|| text.to_string());
            Ok((some(library), some(function)))
        };
        assert_eq!(wanted("hypot"), named("", "hypot"));
        assert_eq!(wanted("./libgeo.so"), named("./libgeo.so", ""));
        assert_eq!(wanted("./libgeo.so:bearing"), named("./libgeo.so", "bearing"));
        assert_eq!(wanted("libm.so.6:hypot"), named("libm.so.6", "hypot"));
        assert_eq!(wanted("/a:b/lib.so"), named("/a:b/lib.so", ""));
        assert_eq!(wanted("./a:b.so:c"), named("./a:b.so", "c"));
        assert!(
            wanted("./a.so:").unwrap_err().contains("behind the colon") && wanted("").unwrap_err().contains("expected")
        );
    }
}
