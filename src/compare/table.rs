//! A comparison as tables, as wide as the terminal.

use crate::compare::Report;
use crate::compare::leverage::short;
use rustix::termios::tcgetwinsize;
use std::fmt::Write;
use std::io::IsTerminal;

/// Item 41's account of what a process pool does for each item, in our words.
const STEPS: [&str; 10] = [
    "take each item from the input",
    "serialise it (pickle)",
    "copy it to the child (socket)",
    "deserialise it (unpickle)",
    "make the function ready in the child",
    "run the function",
    "serialise the result (pickle)",
    "copy it back (socket)",
    "deserialise it (unpickle)",
    "merge the results in order",
];

/// Those that sharing does not have.
const NOT_SHARED: [usize; 6] = [1, 2, 3, 6, 7, 8];

/// The report for a person.
pub fn text(report: &Report) -> String {
    let stdout = std::io::stdout();
    let width = match stdout.is_terminal() {
        true => tcgetwinsize(&stdout).map_or(80, |size| usize::from(size.ws_col).max(60)),
        false => 100,
    };
    let block = if stdout.is_terminal() { '█' } else { '#' };
    let mut text = String::new();
    // A String takes all that is written to it.
    let _ = write_all(&mut text, report, width, block);
    text
}

fn write_all(text: &mut String, report: &Report, width: usize, block: char) -> std::fmt::Result {
    let bar = |part: f64, room: usize| block.to_string().repeat((part * room as f64).round() as usize);
    let workers = if report.jobs == 1 { "worker" } else { "workers" };
    writeln!(text, "{} rows of {}, {} {workers}", report.rows, report.workload, report.jobs)?;
    writeln!(text, "blocks of {} bytes, tasks of {} rows\n", report.block_size, report.chunk_size)?;

    writeln!(text, "executor   seconds  speed-up     rows/s  cpu s  copied B/row  peak MiB  time")?;
    let slowest = report.executors.iter().map(|one| one.seconds).fold(0.0, f64::max);
    for one in &report.executors {
        let fixed = format!(
            "{:<8} {:>9.3} {:>9.2} {:>10.0} {:>6.2} {:>13.1} {:>9.1}",
            one.executor,
            one.seconds,
            one.speed_up,
            one.rows_a_second,
            one.cpu_seconds,
            one.copied_bytes_a_row,
            one.peak_memory_bytes as f64 / f64::from(1 << 20),
        );
        let room = width.saturating_sub(fixed.len() + 3);
        writeln!(text, "{fixed}  {}", bar(one.seconds / slowest, room))?;
    }

    writeln!(text, "\nItem 41's ten steps, in ns of processor time a row             pickle     shared")?;
    for (at, name) in STEPS.iter().enumerate() {
        let (pickle, shared) = (report.steps.pickle[at], report.steps.shared[at]);
        let shared = if NOT_SHARED.contains(&at) { "none".to_string() } else { format!("{shared:.1}") };
        writeln!(text, "{:>3}  {name:<52} {pickle:>11.1} {shared:>10}", at + 1)?;
    }
    let (pickle, shared) = (report.steps.pickle.iter().sum::<f64>(), report.steps.shared.iter().sum::<f64>());
    writeln!(text, "     {:<52} {pickle:>11.1} {shared:>10.1}", "all of them")?;
    let parts = (report.steps.pickle_part_of_cpu * 100.0, report.steps.shared_part_of_cpu * 100.0);
    writeln!(text, "     {:<52} {:>10.0}% {:>9.0}%", "as a part of the runs' processor time", parts.0, parts.1)?;

    writeln!(text, "\nµs a row by work a row (what serial takes)")?;
    let names: String = report.leverage.times[1..].iter().map(|(name, _)| format!("{name:>10}")).collect();
    writeln!(text, "    serial{names}")?;
    for (at, work) in report.leverage.work.iter().enumerate() {
        let row: String =
            report.leverage.times[1..].iter().map(|(_, times)| format!("{:>10}", short(times[at]))).collect();
        writeln!(text, "{:>10}{row}", short(*work))?;
    }
    let transport = report.leverage.transport[1..].iter().map(|(name, nanos)| format!("{name} {nanos:.0} ns"));
    writeln!(text, "A row's way there and back: {}.", transport.collect::<Vec<_>>().join(", "))?;
    writeln!(text, "{}", report.leverage.sentence)?;

    writeln!(
        text,
        "\nkilled in mid-run (SIGKILL)  outcome                                       status  rows written"
    )?;
    for crash in &report.crashes {
        writeln!(
            text,
            "{:<8} {:<19} {:<44} {:>7}  {} of {}",
            crash.executor, crash.killed, crash.outcome, crash.status, crash.written, crash.rows
        )?;
    }
    Ok(())
}
