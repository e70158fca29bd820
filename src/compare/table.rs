//! The tables that `--compare` prints for a person, as wide as the terminal. Below each table, a line for each column
//! says what is in the column.

use crate::compare::crash::Crash;
use crate::compare::leverage::{Leverage, short};
use crate::compare::ten_steps::Steps;
use crate::compare::{DOUBT, RUNS, Report, TOO_BUSY};
use rustix::termios::tcgetwinsize;
use std::io::IsTerminal;

/// Returns `report` as text for a person.
pub fn text(report: &Report) -> String {
    let (width, block) = (width(), if std::io::stdout().is_terminal() { "█" } else { "#" });
    let steps = report.steps.as_ref().map(|measured| steps(measured, width));
    let leverage = report.leverage.as_ref().map(|measured| leverage(measured, width));
    let tables = [Some(executors(report, width, block)), steps, leverage, Some(crashes(report, width))];
    tables.into_iter().flatten().map(|lines| lines.join("\n") + "\n").collect::<Vec<_>>().join("\n")
}

/// Returns how many columns of text a line may have.
pub fn width() -> usize {
    let stdout = std::io::stdout();
    match stdout.is_terminal() {
        true => tcgetwinsize(&stdout).map_or(80, |size| usize::from(size.ws_col).max(60)),
        false => 100,
    }
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
            "{:<8} {:>8.3}{}{:>8.2} {:>10.0} {:>6.2} {:>6.1} {:>5.1}",
            one.executor,
            one.seconds,
            if one.spread > DOUBT { "?" } else { " " },
            one.speed_up,
            one.rows_per_second,
            one.cpu_seconds,
            one.copied_bytes_a_row,
            one.peak_memory_bytes as f64 / f64::from(1 << 20),
        );
        let room = width.saturating_sub(fixed.len() + 2) as f64;
        format!("{fixed}  {}", block.repeat((one.seconds / slowest * room).round() as usize))
    }));
    let seconds = format!("from the start of a run to its end; the median of {RUNS} runs");
    let columns = [
        ("seconds", &*seconds),
        ("speed-up", "the seconds of serial, divided by these"),
        ("rows/s", "rows, divided by the seconds"),
        ("cpu s", "processor time of all processes of the run"),
        ("B/row", "bytes that are copied from process to process for each row"),
        ("MiB", "the most memory that all processes of the run have at a time; what they share counts once (PSS)"),
        ("time", "the seconds, as a bar"),
    ];
    lines.extend(explained(&columns, width));
    if report.is_too_busy {
        lines.push(textwrap::fill(TOO_BUSY, width));
    }
    lines
}

/// Returns the legend of a table: the name of each column and what is in it, wrapped to `width`.
pub fn explained(columns: &[(&str, &str)], width: usize) -> Vec<String> {
    let longest = columns.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let explained = columns.iter().flat_map(|(name, what)| {
        let (first, next) = (format!("{name:<longest$}  "), " ".repeat(longest + 2));
        textwrap::wrap(what, textwrap::Options::new(width).initial_indent(&first).subsequent_indent(&next))
            .into_iter()
            .map(|line| line.into_owned())
            .collect::<Vec<_>>()
    });
    explained.collect()
}

/// The table of the ten steps and their costs.
fn steps(steps: &Steps, width: usize) -> Vec<String> {
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
    let columns = [
        ("pickle", "rows and results are sent to worker processes and back, as Python's ProcessPoolExecutor does"),
        ("shared", "worker processes find rows, and leave results, in memory that they share with this process"),
        ("none", "there is no such step"),
        (
            "Item 41",
            "of Effective Python, Consider concurrent.futures for True Parallelism: Item 41 of the first edition, 64 of the second, \
             79 of the third",
        ),
    ];
    lines.extend(explained(&columns, width));
    lines
}

/// Returns a table of the time per row, with one line for each amount of work per row. Sentences below it say what
/// sending a row costs, and how much work it takes to make that worthwhile.
fn leverage(leverage: &Leverage, width: usize) -> Vec<String> {
    let (work, others) = (&leverage.work, &leverage.times[1..]);
    let names: String = others.iter().map(|(name, _)| format!("{name:>10}")).collect();
    let mut lines = vec!["µs a row by work a row (what serial takes)".to_string(), format!("    serial{names}")];
    lines.extend(work.iter().enumerate().map(|(at, work)| {
        let row: String = others.iter().map(|(_, times)| format!("{:>10}", short(times[at]))).collect();
        format!("{:>10}{row}", short(*work))
    }));
    let columns = [
        ("serial", "the work of a row: what it takes in one loop, without workers"),
        ("others", "what a row takes with these workers, from the start of the run to its end"),
    ];
    lines.extend(explained(&columns, width));
    let transport: Vec<_> =
        leverage.transport[1..].iter().map(|(name, nanos)| format!("{name} {nanos:.0} ns")).collect();
    let transport = format!("A row's way there and back: {}.", transport.join(", "));
    lines.extend([&transport, &leverage.sentence].map(|prose| textwrap::fill(prose, width)));
    lines
}

/// The table of the runs in which a process was killed.
fn crashes(report: &Report, width: usize) -> Vec<String> {
    let title = "killed in mid-run (SIGKILL)  outcome                 status  rows written".to_string();
    let line = |crash: &Crash| {
        let Crash { executor, killed, outcome, status, written, rows } = crash;
        format!("{executor:<8} {killed:<19} {outcome:<22} {status:>7}  {written} of {rows}")
    };
    let columns = [
        ("killed", "what is sent the signal, when the run is half-way"),
        ("outcome", "what becomes of the run"),
        ("status", "the exit status of the program, or the signal that it dies of"),
        ("rows written", "results that are written, of all"),
    ];
    let explained = explained(&columns, width);
    [title].into_iter().chain(report.crashes.iter().map(line)).chain(explained).collect()
}
