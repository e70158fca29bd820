//! Loads shared libraries, and finds functions in them. A library is never unloaded, because threads that it has
//! started may still run its code.
#![allow(unsafe_code)]

use super::abi::{Find, Kernel, LEAST_KERNEL, NEWER, SELF_CONTAINED, SYMBOL};
use super::machine;
use nix::libc;
use std::ffi::{CStr, CString, OsStr, c_char, c_void};
use std::os::unix::ffi::OsStrExt;

/// A library that was loaded.
#[derive(Clone, Copy, Debug)]
pub struct Library(*mut c_void);

// SAFETY: the handle is only given to `dlsym`, which any thread may call at any time.
unsafe impl Send for Library {}
// SAFETY: as above.
unsafe impl Sync for Library {}

/// The address of a function in a library.
#[derive(Clone, Copy, Debug)]
pub struct Function(*mut c_void);

// SAFETY: code stays where it is, because libraries are never unloaded.
unsafe impl Send for Function {}
// SAFETY: as above.
unsafe impl Sync for Function {}

impl Function {
    /// Returns the address of the function.
    pub fn address(self) -> *mut c_void {
        self.0
    }

    /// Whether the address is one of code, and not of the library's data. If that is not known, returns true.
    pub fn is_code(self) -> bool {
        let mappings = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
        let mapping = mappings.lines().find_map(|mapping| {
            let (range, mapping) = mapping.split_once(' ')?;
            let (start, end) = range.split_once('-')?;
            let parsed = |text| usize::from_str_radix(text, 16).ok();
            (parsed(start)?..parsed(end)?).contains(&(self.0 as usize)).then_some(mapping)
        });
        // The permissions follow the addresses, like r-xp.
        mapping.is_none_or(|mapping| mapping.as_bytes().get(2) == Some(&b'x'))
    }
}

/// A kernel of a library, as the library describes it.
#[derive(Clone, Copy)]
pub struct Exported(Kernel);

// SAFETY: the header says that a kernel's texts are constant as long as the library is loaded, and that worker threads
// may call the kernel's functions at the same time. Libraries are never unloaded.
unsafe impl Send for Exported {}
// SAFETY: as above.
unsafe impl Sync for Exported {}

impl Library {
    /// Loads the library in this file. If there is no `/` in the name, looks for it where the system has its libraries.
    /// The code that a library runs when it is loaded is trusted.
    ///
    /// # Errors
    /// If the file is not there, or is no library that can be loaded. The error is that of the system.
    pub fn load(file: &OsStr) -> Result<Self, String> {
        let Ok(name) = CString::new(file.as_bytes()) else { return Err("a name has no NUL".to_string()) };
        // SAFETY: `name` ends with a NUL. What the library does when it is loaded is trusted.
        let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        if !handle.is_null() {
            return Ok(Library(handle));
        }
        if let Some(what) = machine::other(file) {
            return Err(what);
        }
        // SAFETY: `dlerror` returns null, or a text with a NUL at its end that is valid until this thread calls the
        // loader again.
        let said = unsafe { libc::dlerror().as_ref() }.map(|said| unsafe { CStr::from_ptr(said) });
        let said = said.map_or("it is not known why".into(), |said| said.to_string_lossy().into_owned());
        // The loader's text often begins with the name of the file. Cut the name off, because our message begins with
        // it too.
        let named = format!("{}: ", file.to_string_lossy());
        Err(said.strip_prefix(&named).map_or(said.clone(), str::to_string))
    }

    /// Returns the function of this name, in the library or in the libraries that it needs.
    pub fn function(self, name: &CStr) -> Option<Function> {
        // SAFETY: the handle is that of a loaded library, and `name` ends with a NUL.
        let found = unsafe { libc::dlsym(self.0, name.as_ptr()) };
        (!found.is_null()).then_some(Function(found))
    }

    /// Returns the kernels that the library exports. `None`: it does not export [`SYMBOL`].
    ///
    /// # Errors
    /// If this version of the program cannot use one of the kernels. The error says what to do.
    pub fn kernels(self) -> Result<Option<Vec<Exported>>, String> {
        let Some(find) = self.function(SYMBOL) else {
            let newer = NEWER.iter().find(|name| self.function(name).is_some());
            return match newer {
                Some(name) => Err(format!(
                    "exports {} for a newer version of this program, which knows pmap_kernel_v1: update this program, or build \
                     the library with the pmap_kernel.h that belongs to it",
                    name.to_string_lossy()
                )),
                None => Ok(None),
            };
        };
        // SAFETY: the header says that a function with this name has this type, and the library is trusted.
        let find: Find = unsafe { std::mem::transmute::<*mut c_void, Find>(find.0) };
        let (mut kernels, mut last) = (vec![], std::ptr::null());
        for index in 0..MOST_KERNELS {
            // SAFETY: the library is trusted to do what the header says.
            let found = unsafe { find(index) };
            if found.is_null() {
                break;
            }
            if index == MOST_KERNELS - 1 || last == found {
                return Err(
                    "has a pmap_kernel_v1 that does not come to an end: behind the last kernel it returns NULL"
                        .to_string(),
                );
            }
            last = found;
            // SAFETY: the header says that `found` points to a `pmap_kernel`, whose first field is its size, and the
            // library is trusted to keep to the header.
            kernels.push(unsafe { Exported::read(found) }?);
        }
        let names = kernels.iter().map(|kernel: &Exported| Ok(kernel.texts()?[0].clone().unwrap_or_default()));
        let names: Vec<String> = names.collect::<Result<_, String>>()?;
        if let Some((_, twice)) = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)) {
            return Err(format!("has two kernels with the name {twice}: each needs one of its own"));
        }
        if kernels.is_empty() { Err("exports pmap_kernel_v1 and no kernel".to_string()) } else { Ok(Some(kernels)) }
    }
}

/// How many times at most a library is asked for its next kernel. If it returns one even then, its list is taken to be
/// endless, and the library is refused.
const MOST_KERNELS: u32 = 1000;

impl Exported {
    /// Returns the kernel at `found`, with the fields that both this program and the library know.
    unsafe fn read(found: *const Kernel) -> Result<Self, String> {
        if !found.is_aligned() {
            return Err("has a pmap_kernel at an address that is not aligned".to_string());
        }
        // SAFETY: the caller promises that the address is valid for this read.
        let size = unsafe { found.cast::<u32>().read() };
        if size < LEAST_KERNEL {
            return Err(format!("has a pmap_kernel of {size} bytes; the first version has {LEAST_KERNEL}"));
        }
        let mut kernel = std::mem::MaybeUninit::<Kernel>::zeroed();
        let known = (size as usize).min(size_of::<Kernel>());
        // SAFETY: the caller promises that a valid struct of `size` bytes is at `found`. Only `known` bytes of it are
        // copied, which is at most `size` and at most the size of `kernel`. The bytes of `kernel` behind them stay 0,
        // which is valid in every field. So `kernel` is initialised.
        let kernel = unsafe {
            std::ptr::copy_nonoverlapping(found.cast::<u8>(), kernel.as_mut_ptr().cast::<u8>(), known);
            kernel.assume_init()
        };
        let unknown = kernel.flags & !SELF_CONTAINED;
        if unknown != 0 {
            return Err(format!(
                "has a kernel with flags that this version of the program does not know ({unknown:#x}): update the program"
            ));
        }
        if kernel.map.is_none() || kernel.name.is_null() {
            return Err("has a kernel without a name or without a function `map`".to_string());
        }
        Ok(Exported(kernel))
    }

    /// Returns the struct of the library.
    pub fn kernel(&self) -> &Kernel {
        &self.0
    }

    /// Whether the kernel, once it is open, asks the system for nothing but memory and the time of the clock.
    pub fn is_self_contained(&self) -> bool {
        self.0.flags & SELF_CONTAINED != 0
    }

    /// Returns four texts of the kernel: its name, its version, its types, and the names of its results. Returns `None`
    /// for each text that the kernel does not have.
    ///
    /// # Errors
    /// If one is not UTF-8.
    pub fn texts(&self) -> Result<[Option<String>; 4], String> {
        let Kernel { name, version, types, names, .. } = self.0;
        // SAFETY: each is null or a text with a NUL at its end: the header says so.
        let [name, version, types, names] = [name, version, types, names].map(|text| unsafe { text_at(text) });
        Ok([name?, version?, types?, names?])
    }
}

/// Returns the text at this address; `None` if there is none.
///
/// # Safety
/// `text` must be null, or the address of a text with a NUL at its end.
pub unsafe fn text_at(text: *const c_char) -> Result<Option<String>, String> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller promises that this is the address of a text with a NUL at its end.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str().map(|text| Some(text.to_string())).map_err(|_| "has a text that is not UTF-8".to_string())
}
