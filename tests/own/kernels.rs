//! Kernels as their authors might write them, each a filter of its own by the name in the variable `OWN`.

use pmapgcd::{BadRow, Function, Kernel, Stateful, filter};
use serde::{Deserialize, Serialize};
use std::num::ParseIntError;
use std::process::{Command, ExitCode, Stdio};

/// Two places. The names stand in the order of the fields.
#[derive(Clone, Serialize, Deserialize)]
pub struct Journey {
    lat1: f64,
    #[serde(rename = "lng1", alias = "lon1")]
    east1: f64,
    lat2: f64,
    #[serde(alias = "lon2")]
    lng2: f64,
}

#[derive(Serialize)]
pub enum Size {
    Small,
    #[serde(rename = "LARGE")]
    Large,
}

/// A struct that leaves out what it has no value for.
#[derive(Serialize)]
pub struct Sparse {
    #[serde(skip_serializing_if = "Option::is_none")]
    one: Option<u64>,
    two: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    three: Option<u64>,
}

#[derive(Serialize)]
pub struct One {
    one: u64,
}

#[derive(Serialize)]
pub struct Halves {
    low: u64,
    high: Option<u64>,
}

/// A kernel that says everything of itself.
pub struct Told;

impl Kernel for Told {
    type Row = (f64, f64);
    type Output = [f64; 2];

    fn map(&self, &(a, b): &(f64, f64)) -> [f64; 2] {
        [a + b, a - b]
    }

    fn names(&self) -> Vec<String> {
        ["sum", "difference"].map(String::from).to_vec()
    }

    fn columns(&self) -> Vec<String> {
        ["left", "right"].map(String::from).to_vec()
    }

    fn version(&self) -> Option<&str> {
        Some("7.5")
    }

    fn is_self_contained(&self) -> bool {
        true
    }
}

fn parsed(text: String) -> Result<i64, ParseIntError> {
    text.parse()
}

/// Runs the filter of this name.
pub fn run(name: &str) -> ExitCode {
    let about = "Map rows";
    match name {
        "journey" => filter(
            about,
            &Function(|j: &Journey| format!("{} {} {} {}", j.lat1, j.east1, j.lat2, j.lng2)).names(["journey"]),
        ),
        "told" => filter(about, &Told),
        "sum" => filter(about, &Function(|(a, b): (u64, u64)| a + b)),
        "first" => filter(about, &Function(|(a, b): (u64, u64)| a + b).ignoring_rest()),
        "root" => {
            filter(
                about,
                &Function(|(name, square): (char, f64)| {
                    if square < 0.0 { Err(BadRow::of_field(1, "is below 0")) } else { Ok((name, square.sqrt())) }
                })
                .names(["name", "root"]),
            )
        }
        "parse" => filter(about, &Function(|text: String| -> Result<i64, BadRow> { Ok(parsed(text)?) })),
        "words" => filter(about, &Function(|text: &String| text.parse::<u8>().map_err(|error| error.to_string()))),
        "maybe" => filter(about, &Function(|a: Option<f64>| a.filter(|&a| a > 0.0))),
        "pairs" => filter(
            about,
            &Function(|(a, b): (Option<u64>, f32)| a.map(|a| (a, b))).names(["a", "b"]).columns(["x", "y"]),
        ),
        "array" => filter(about, &Function(|a: u64| [a, a * a, a * a * a])),
        "halves" => filter(about, &Function(|a: u64| Halves { low: a % 10, high: (a >= 10).then_some(a / 10) })),
        "picky" => filter(
            about,
            &Function(|a: u64| {
                assert_ne!(a, 1, "a row that is made up");
                Halves { low: a % 10, high: Some(a / 10) }
            }),
        ),
        "hangs" => filter(
            about,
            &Function(|a: u64| {
                eprint!("{}", if a == 1 { "a row that is made up" } else { "" });
                if a == 1 {
                    loop {
                        std::thread::sleep(std::time::Duration::from_secs(1));
                    }
                }
                One { one: a }
            }),
        ),
        "size" => filter(about, &Function(|a: u64| if a < 10 { Size::Small } else { Size::Large })),
        "list" => filter(about, &Function(|count: usize| vec![count; count])),
        "sparse" => filter(
            about,
            &Function(|a: u64| Sparse {
                one: a.is_multiple_of(2).then_some(a),
                two: a.is_multiple_of(3).then_some(a),
                three: a.is_multiple_of(5).then_some(a),
            }),
        ),
        "prints" => filter(
            about,
            &Function(|a: u64| {
                println!("looking at {a}");
                a + 1
            }),
        ),
        "reads" => filter(
            about,
            &Function(|a: u64| {
                let (mut line, mut cat) = (String::new(), Command::new("cat"));
                std::io::stdin().read_line(&mut line).unwrap();
                let read = cat.stdin(Stdio::inherit()).output().unwrap().stdout;
                format!("{a}{line}{}", String::from_utf8_lossy(&read))
            }),
        ),
        "unit" => filter(about, &Function(|a: u64| if a > 1 { Ok(()) } else { Err("is small") })),
        "far" => filter(
            about,
            &Function(|a: u64| -> Result<u64, BadRow> {
                Err(BadRow::of_field(if a == 1 { usize::MAX } else { a as usize }, "is wrong"))
            }),
        ),
        "wide" => filter(about, &Function(|(a, b): (i128, u128)| (a, b))),
        "text" => filter(about, &Function(|text: String| text)),
        "captures" => {
            let table: Vec<u64> = (0..100).map(|n| n * n).collect();
            filter(about, &Function(move |a: usize| table.get(a).copied()))
        }
        "state" => {
            let open = || std::env::var("OWN_STATE").map_err(|_| "the variable OWN_STATE is not set");
            filter(about, &Stateful::new(open, |state: &mut String, a: u64| format!("{state}{a}")))
        }
        "panics" => {
            let open = || -> Result<u64, String> { panic!("there is no model") };
            filter(about, &Stateful::new(open, |state: &mut u64, a: u64| *state + a))
        }
        "once" => {
            if !pmapgcd::is_worker() {
                eprintln!("once");
            }
            filter(about, &Function(|a: u64| a))
        }
        "map" => filter(about, &Function(|_: &std::collections::BTreeMap<String, f64>| 0)),
        _ => panic!("there is no kernel {name}"),
    }
}
