//! A comparison as tables, as wide as the terminal.

use crate::compare::Report;
use crate::compare::crash::Crash;
use crate::compare::leverage::short;
use rustix::termios::tcgetwinsize;
use std::fmt::Write;
use std::io::IsTerminal;

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

    writeln!(text, "executor  seconds speed-up     rows/s  cpu s  B/row   MiB  time")?;
    let slowest = report.executors.iter().map(|one| one.seconds).fold(0.0, f64::max);
    for one in &report.executors {
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
        let room = width.saturating_sub(fixed.len() + 2);
        writeln!(text, "{fixed}  {}", bar(one.seconds / slowest, room))?;
    }
    writeln!(text, "B/row: bytes copied between processes. MiB: peak memory (PSS).")?;

    writeln!(text, "\nItem 41's ten steps, ns of CPU a row            pickle   shared")?;
    for step in &report.steps.steps {
        let shared = step.shared.map_or("none".to_string(), |shared| format!("{shared:.1}"));
        writeln!(text, "{:>3}  {:<40} {:>8.1} {shared:>8}", step.number, step.name, step.pickle)?;
    }
    let pickle: f64 = report.steps.steps.iter().map(|step| step.pickle).sum();
    let shared: f64 = report.steps.steps.iter().filter_map(|step| step.shared).sum();
    writeln!(text, "     {:<40} {pickle:>8.1} {shared:>8.1}", "all of them")?;
    let parts = (report.steps.pickle_part_of_cpu * 100.0, report.steps.shared_part_of_cpu * 100.0);
    writeln!(text, "     {:<40} {:>7.0}% {:>7.0}%", "as a part of the runs' processor time", parts.0, parts.1)?;

    writeln!(text, "\nµs a row by work a row (what serial takes)")?;
    let names: String = report.leverage.times[1..].iter().map(|(name, _)| format!("{name:>10}")).collect();
    writeln!(text, "    serial{names}")?;
    for (at, work) in report.leverage.work.iter().enumerate() {
        let row: String =
            report.leverage.times[1..].iter().map(|(_, times)| format!("{:>10}", short(times[at]))).collect();
        writeln!(text, "{:>10}{row}", short(*work))?;
    }
    let transport = report.leverage.transport[1..].iter().map(|(name, nanos)| format!("{name} {nanos:.0} ns"));
    let transport = format!("A row's way there and back: {}.", transport.collect::<Vec<_>>().join(", "));
    wrap(text, &transport, width)?;
    wrap(text, &report.leverage.sentence, width)?;

    writeln!(text, "\nkilled in mid-run (SIGKILL)  outcome                 status  rows written")?;
    for crash in &report.crashes {
        let Crash { executor, killed, outcome, status, written, rows } = crash;
        writeln!(text, "{executor:<8} {killed:<19} {outcome:<22} {status:>7}  {written} of {rows}")?;
    }
    Ok(())
}

/// A line of prose, broken between words.
fn wrap(text: &mut String, prose: &str, width: usize) -> std::fmt::Result {
    let mut column = 0;
    for word in prose.split(' ') {
        let length = word.chars().count();
        match column {
            0 => column = length,
            _ if column + 1 + length > width => {
                writeln!(text)?;
                column = length;
            }
            _ => {
                write!(text, " ")?;
                column += 1 + length;
            }
        }
        write!(text, "{word}")?;
    }
    writeln!(text)
}
