//! A filter whose kernel writes outputs that are not lines, under every executor. This test is a program of its own,
//! because its workers are this program again.

mod common;

use common::run;
use pmapgcd::batch::{BatchKernel, Written};
use pmapgcd::{BadRow, Executor, Format, Record};
use std::ops::Range;
use std::process::{Command, ExitCode};

/// Tells this program to be the filter.
const FILTER: &str = "LOOSE_FILTER";

/// Writes the row's text as it is, where `N` stands for a line end; of `M` it says that it is longer than any room.
struct Loose;

impl BatchKernel for Loose {
    type Rows = Vec<String>;
    type Outputs = Vec<String>;

    fn result_name(&self) -> &str {
        "loose"
    }

    fn needs_nothing(&self) -> bool {
        true
    }

    fn sample_row(&self, _: u64) -> Option<String> {
        None
    }

    fn read(&self, record: &Record, rows: &mut Vec<String>) -> Result<(), BadRow> {
        rows.push(String::from_utf8_lossy(&record.value(0)).into_owned());
        Ok(())
    }

    fn map_batch(&self, rows: &Vec<String>, outputs: &mut Vec<String>) {
        outputs.extend(rows.iter().map(|row| row.replace('N', "\n")));
    }

    fn write(&self, outputs: &Vec<String>, range: Range<usize>, _: Format, room: &mut [u8]) -> Written {
        let mut written = Written::default();
        for output in &outputs[range] {
            let Some(space) = room.get_mut(written.bytes..written.bytes + output.len()) else { break };
            space.copy_from_slice(output.as_bytes());
            written.bytes += if output == "M" { 1 << 40 } else { output.len() };
            written.outputs += 1;
        }
        written
    }
}

/// Each of these is a bad row, wherever it stands.
const BAD: [&str; 5] = ["7", "7N8N", "7N8", "NN", "M"];

fn main() -> ExitCode {
    if std::env::var_os(FILTER).is_some() {
        return pmapgcd::filter("Print fields as they are", &Loose);
    }
    for executor in Executor::ALL {
        for (bad, append) in BAD.into_iter().flat_map(|bad| [(bad, false), (bad, true)]) {
            let line = |n: usize| if append { format!("{n}N,{n}\n") } else { format!("{n}\n") };
            let expected: String = (0..2000).map(line).collect();
            let rows = |range: Range<usize>| range.map(|n| format!("{n}N\n")).collect::<String>();
            let input = format!("{}{bad}\n{}", rows(0..700), rows(700..2000));
            for block_size in ["1K", "128K"] {
                let mut command = Command::new(std::env::current_exe().unwrap());
                command.args(["--executor", executor.name(), "-j2", "--bad-rows=skip", "--block-size", block_size]);
                let finished = run(command.args(append.then_some("--append")).env(FILTER, "1"), &*input);
                let case = format!("{} {bad} {append} {block_size}: {finished:?}", executor.name());
                assert_eq!(finished.status.code(), Some(1), "{case}");
                assert!(finished.stdout == expected.as_bytes(), "{case}");
                let said =
                    finished.stderr.contains(":701: the kernel did not write its output as one line with an end: it ");
                assert!(said && finished.stderr.lines().count() == 2, "{case}");
            }
        }
    }
    println!("{} passed, 0 failed", Executor::ALL.len());
    ExitCode::SUCCESS
}
