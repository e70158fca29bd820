//! The types of columns, and the language in which `--types` and native kernels write them: `f64,text/na:f64,i64`.

use std::fmt;
use std::str::FromStr;

/// The type of the values in a column. Messages to and from Python name it by its number (docs/protocol.md).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Type {
    /// Signed, 32 bits.
    I32 = 1,
    /// Signed, 64 bits.
    I64,
    /// Unsigned, 32 bits.
    U32,
    /// Unsigned, 64 bits.
    U64,
    /// IEEE 754, 32 bits.
    F32,
    /// IEEE 754, 64 bits.
    F64,
    /// UTF-8.
    Text,
    /// An integer of any size, as in Python.
    Int,
    /// True or false.
    Bool,
}

impl Type {
    /// All types, in the order in which messages list them.
    pub const ALL: [Type; 9] =
        [Type::I32, Type::I64, Type::U32, Type::U64, Type::F32, Type::F64, Type::Text, Type::Int, Type::Bool];

    /// How many types a library may use: the first ones of [`ALL`](Self::ALL). The others are for Python.
    pub const NATIVE: usize = 7;

    /// Returns the type's name.
    pub fn name(self) -> &'static str {
        // In the order of the types' numbers, of which the first is 1.
        ["i32", "i64", "u32", "u64", "f32", "f64", "text", "int", "bool"][self as usize - 1]
    }

    /// Returns the type of the array in which a column of this type is stored. For integers of any size it is an array
    /// of 64-bit integers; those that do not fit are stored apart.
    pub fn stored(self) -> Type {
        if self == Type::Int { Type::I64 } else { self }
    }

    /// Whether values of the type have fractions.
    pub fn is_float(self) -> bool {
        matches!(self, Type::F32 | Type::F64)
    }

    /// Returns the type that other languages and programs call `name`.
    fn called(name: &str) -> Option<Type> {
        Some(match name.to_ascii_lowercase().as_str() {
            "int32" | "int32_t" | "integer" => Type::I32,
            "long" | "int64" | "int64_t" | "bigint" | "ssize_t" => Type::I64,
            "unsigned" | "uint" | "uint32" | "uint32_t" => Type::U32,
            "uint64" | "uint64_t" | "ulong" | "size_t" | "usize" => Type::U64,
            "float" | "float32" | "real" => Type::F32,
            "double" | "float64" | "number" | "f" => Type::F64,
            "boolean" | "_bool" => Type::Bool,
            "string" | "str" | "utf8" | "char*" | "char" | "varchar" => Type::Text,
            _ => return None,
        })
    }
}

/// A column that a kernel takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Input {
    /// The type of its values.
    pub of: Type,
    /// Whether the value may be missing in a row. The kernel is told in which rows it is missing.
    pub may_lack: bool,
}

/// The columns that a kernel takes, and those of its results.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signature {
    /// The columns that the kernel takes, in order: at least one.
    pub inputs: Vec<Input>,
    /// Whether the kernel takes any number of further columns of the same type as the last one.
    pub repeats: bool,
    /// The types of the results: at least one.
    pub outputs: Vec<Type>,
}

impl Signature {
    /// Returns the column that the kernel takes at index `at`, from 0. If there are more columns than `inputs`, the
    /// further ones are like the last of `inputs`.
    pub fn input(&self, at: usize) -> Input {
        self.inputs[at.min(self.inputs.len() - 1)]
    }

    /// Checks that a library can have a kernel of these types.
    ///
    /// # Errors
    /// If one of the types is for Python alone.
    pub fn is_native(&self) -> Result<(), String> {
        let mut all = self.inputs.iter().map(|input| input.of).chain(self.outputs.iter().copied());
        let what = |of: Type| {
            if of == Type::Int { "int is for --python; i32 or i64 is meant" } else { "bool is for --python" }
        };
        all.find(|of| matches!(of, Type::Int | Type::Bool)).map_or(Ok(()), |of| Err(what(of).to_string()))
    }

    /// Returns the number of columns that the kernel takes; `None` if it takes any number.
    pub fn count(&self) -> Option<usize> {
        (!self.repeats).then_some(self.inputs.len())
    }
}

/// What messages say about the form of types.
const EXPECTED: &str = "what goes in and what comes out are expected, as in f64,f64:f64";

impl FromStr for Signature {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (inputs, outputs) = text.split_once(':').ok_or(format!("there is no colon: {EXPECTED}"))?;
        if outputs.contains(':') {
            return Err(format!("there are two colons: {EXPECTED}"));
        }
        let mut signature = Signature { inputs: vec![], repeats: false, outputs: vec![] };
        for name in inputs.split(',').map(str::trim) {
            if signature.repeats {
                return Err("... stands behind the last type that goes in".to_string());
            }
            if name == "..." {
                signature.repeats = true;
                continue;
            }
            let (name, may_lack) = name.strip_suffix("/na").map_or((name, false), |name| (name, true));
            signature.inputs.push(Input { of: type_of(name)?, may_lack });
        }
        if signature.inputs.is_empty() {
            return Err("... stands behind a type, as in f64,...:f64".to_string());
        }
        for name in outputs.split(',').map(str::trim) {
            if name.ends_with("/na") || name == "..." {
                return Err(format!("{name} is for what goes in; any result of a kernel may be missing"));
            }
            signature.outputs.push(type_of(name)?);
        }
        Ok(signature)
    }
}

fn type_of(name: &str) -> Result<Type, String> {
    if let Some(known) = Type::ALL.into_iter().find(|known| known.name() == name) {
        return Ok(known);
    }
    if name.is_empty() {
        return Err(format!("a type is missing: {EXPECTED}"));
    }
    let hint = Type::called(name).map(|meant| format!("; {} is meant, perhaps", meant.name())).unwrap_or_default();
    let names = |types: &[Type]| types.iter().map(|of| of.name()).collect::<Vec<_>>().join(" ");
    let (all, python) = Type::ALL.split_at(Type::NATIVE);
    let name = crate::error::printable(name.as_ref());
    Err(format!("there is no type '{name}' among {}, and with --python {}{hint}", names(all), names(python)))
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let input = |input: &Input| format!("{}{}", input.of.name(), if input.may_lack { "/na" } else { "" });
        let inputs = self.inputs.iter().map(input).chain(self.repeats.then(|| "...".to_string()));
        let outputs: Vec<&str> = self.outputs.iter().map(|output| output.name()).collect();
        write!(f, "{}:{}", inputs.collect::<Vec<_>>().join(","), outputs.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_come_back_as_they_were_written() {
        for text in ["f64,f64:f64", "i32:u64,text", "text/na,...:f32", "u32/na,i64:i32", "int,bool/na:bool,int"] {
            assert_eq!(text.parse::<Signature>().unwrap().to_string(), text);
        }
        let signature: Signature = " f64 , text/na , ... : f64 ".parse().unwrap();
        assert_eq!(signature.to_string(), "f64,text/na,...:f64");
        assert_eq!((signature.input(0).of, signature.input(7).of), (Type::F64, Type::Text));
        assert_eq!((signature.count(), "f64:f64".parse::<Signature>().unwrap().count()), (None, Some(1)));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, what) in [
            ("f64,f64", "no colon"),
            ("f64:f64:f64", "two colons"),
            ("f64,:f64", "a type is missing"),
            (":f64", "a type is missing"),
            ("f64:", "a type is missing"),
            ("...:f64", "stands behind a type"),
            ("...,f64:f64", "stands behind the last type"),
            ("f64:f64/na", "for what goes in"),
            ("double:f64", "'double' among i32 i64 u32 u64 f32 f64 text, and with --python int bool; f64 is meant"),
            ("f64:\x1b", "'\\u{1b}'"),
        ] {
            let found = text.parse::<Signature>().unwrap_err();
            assert!(found.contains(what), "{text}: {found}");
        }
    }
}
