//! The tables that `--compare` prints for a person, as wide as the terminal.

use crate::compare::crash::Crash;
use crate::compare::leverage::{Leverage, short};
use crate::compare::{Report, Steps};
use rustix::termios::tcgetwinsize;
use std::io::IsTerminal;

/// Returns `report` as text for a person.
pub fn text(report: &Report) -> String {
    let stdout = std::io::stdout();
    let (width, block) = match stdout.is_terminal() {
        true => (tcgetwinsize(&stdout).map_or(80, |size| usize::from(size.ws_col).max(60)), "█"),
        false => (100, "#"),
    };
    let steps = report.steps.as_ref().map(steps);
    let leverage = report.leverage.as_ref().map(|measured| leverage(measured, width));
    let tables = [Some(executors(report, width, block)), steps, leverage, Some(crashes(report))];
    tables.into_iter().flatten().map(|lines| lines.join("\n") + "\n").collect::<Vec<_>>().join("\n")
}

/// The table of the executors: their times, and their processor time, copied bytes and memory.
fn executors(report: &Report, width: usize, block: &str) -> Vec<String> {
    let workers = if report.jobs == 1 { "worker" } else { "workers" };
    let mut lines = vec![
        format!("{} rows of {}, {} {workers}", report.rows, report.workload, report.jobs),
        format!("blocks of {} bytes, tasks of {} rows\n", report.block_size, report.chunk_size),
        "executor  seconds speed-up     rows/s  cpu s  B/row   MiB  time".to_string(),
    ];
    let slowest = report.executors.iter().map(|one| one.seconds).fold(0.0, f64::max);
    lines.extend(report.executors.iter().map(|one| {
        let fixed = format!(
            "{:<8} {:>8.3} {:>8.2} {:>10.0} {:>6.2} {:>6.1} {:>5.1}",
            one.executor,
            one.seconds,
            one.speed_up,
            one.rows_per_second,
            one.cpu_seconds,
            one.copied_bytes_a_row,
            one.peak_memory_bytes as f64 / f64::from(1 << 20),
        );
        let room = width.saturating_sub(fixed.len() + 2) as f64;
        format!("{fixed}  {}", block.repeat((one.seconds / slowest * room).round() as usize))
    }));
    lines.push("B/row: bytes copied between processes. MiB: peak memory (PSS).".to_string());
    lines
}

/// The table of the ten steps and their costs.
fn steps(steps: &Steps) -> Vec<String> {
    let mut lines = vec!["Item 41's ten steps, ns of CPU a row            pickle   shared".to_string()];
    lines.extend(steps.steps.iter().map(|step| {
        let shared = step.shared.map_or("none".to_string(), |shared| format!("{shared:.1}"));
        format!("{:>3}  {:<40} {:>8.1} {shared:>8}", step.number, step.name, step.pickle)
    }));
    let pickle: f64 = steps.steps.iter().map(|step| step.pickle).sum();
    let shared: f64 = steps.steps.iter().filter_map(|step| step.shared).sum();
    lines.push(format!("     {:<40} {pickle:>8.1} {shared:>8.1}", "all of them"));
    let [pickle, shared] = [steps.pickle_part_of_cpu, steps.shared_part_of_cpu].map(|part| part * 100.0);
    lines.push(format!("     {:<40} {pickle:>7.0}% {shared:>7.0}%", "as a part of the runs' processor time"));
    lines
}

/// The table of time by work, and the sentences about how much work makes an executor pay.
fn leverage(leverage: &Leverage, width: usize) -> Vec<String> {
    let (work, others) = (&leverage.work, &leverage.times[1..]);
    let names: String = others.iter().map(|(name, _)| format!("{name:>10}")).collect();
    let mut lines = vec!["µs a row by work a row (what serial takes)".to_string(), format!("    serial{names}")];
    lines.extend(work.iter().enumerate().map(|(at, work)| {
        let row: String = others.iter().map(|(_, times)| format!("{:>10}", short(times[at]))).collect();
        format!("{:>10}{row}", short(*work))
    }));
    let transport: Vec<_> =
        leverage.transport[1..].iter().map(|(name, nanos)| format!("{name} {nanos:.0} ns")).collect();
    let transport = format!("A row's way there and back: {}.", transport.join(", "));
    lines.extend([&transport, &leverage.sentence].map(|prose| textwrap::fill(prose, width)));
    lines
}

/// The table of the runs in which a process was killed.
fn crashes(report: &Report) -> Vec<String> {
    let title = "killed in mid-run (SIGKILL)  outcome                 status  rows written".to_string();
    let line = |crash: &Crash| {
        let Crash { executor, killed, outcome, status, written, rows } = crash;
        format!("{executor:<8} {killed:<19} {outcome:<22} {status:>7}  {written} of {rows}")
    };
    [title].into_iter().chain(report.crashes.iter().map(line)).collect()
}
