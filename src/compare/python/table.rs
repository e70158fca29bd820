//! The tables that `--compare --python` prints for a person. Behind each table, a line for each of its columns says
//! what is in it.

use super::{Measured, RUNS, Report};
use crate::compare::table::{explained, width};
use crate::compare::ten_steps::STEPS;
use crate::compare::{DOUBT, TOO_BUSY};
use std::fmt::Write;

impl Report {
    /// Returns the report as text for a person.
    pub(super) fn text(&self) -> String {
        let workers = if self.jobs == 1 { "worker" } else { "workers" };
        let mut text =
            format!("{} over rows of {}, {} {workers}\n{}\n\n", self.function, self.workload, self.jobs, self.machine);
        self.add_ways(&mut text);
        self.add_steps(&mut text);
        text
    }

    /// Adds the table of the ways: their times, and what becomes of a run in which a process is killed.
    fn add_ways(&self, text: &mut String) {
        *text += "                            rows   ns a row  spread  speed-up  a process killed    results kept\n";
        for way in &self.ways {
            let time = match &way.time {
                Some(time) => format!(
                    "{:>10.0} {:>6.0}%{} {:>8}",
                    time.nanos_a_row,
                    time.spread * 100.0,
                    if time.spread > DOUBT { "?" } else { " " },
                    // A speed-up below 0.1 has four decimals, because a pool with chunks of one row can be a thousand
                    // times as slow as one Python.
                    format!("{:.*}", if time.speed_up < 0.1 { 4 } else { 2 }, time.speed_up),
                ),
                None => format!("{:>10} {:>7}  {:>8}", "too busy", "", ""),
            };
            let Measured { way, rows, crash, written, of_rows, .. } = way;
            let _ = writeln!(text, "{way:<24} {rows:>8} {time}  {crash:<18} {written:>5} of {of_rows}");
        }
        let nanos = format!("the time of the map, divided by the rows; the median of {RUNS} runs");
        let columns = [
            ("rows", "rows of a run; fewer where each is a task of its own, which takes long"),
            ("ns a row", &*nanos),
            ("spread", "the longest of the runs less the shortest, as a part of the median"),
            ("speed-up", "the ns a row of one Python, divided by these"),
            ("a process killed", "what becomes of a run in which one of its processes is sent SIGKILL"),
            ("results kept", "results of that run that are handed over, of all"),
        ];
        *text += &(explained(&columns, width()).join("\n") + "\n");
        let _ = writeln!(
            text,
            "pmapgcd reads and prints text, and took {:.2} s to start, which is not in its ns a row.\n\
             The others map values that are in memory already, in processes that are started.",
            self.start_seconds
        );
        if self.is_too_busy {
            let _ = writeln!(text, "{TOO_BUSY}");
        }
        if self.ways.iter().any(|way| way.time.is_none()) {
            *text +=
                "Too busy: the start of pmapgcd took more time, or less, from run to run than all its rows took.\n";
        }
    }

    /// Adds the table of the ten steps and their costs.
    fn add_steps(&self, text: &mut String) {
        let shown: Vec<&Measured> = self.ways.iter().filter(|way| way.steps.is_some()).collect();
        *text += "\nItem 41's ten steps, ns a row                 chunksize 1  chunksize 1024    pmapgcd\n";
        for (at, (name, _)) in STEPS.iter().enumerate() {
            let _ = write!(text, "{:>3}  {name:<40}", at + 1);
            for (way, width) in shown.iter().zip([14, 16, 11]) {
                let step = way.steps.as_ref().and_then(|steps| steps[at]);
                let step = step.map_or("start".to_string(), |nanos| format!("{nanos:.1}"));
                let _ = write!(text, "{step:>width$}");
            }
            *text += "\n";
        }
        let columns = [
            (
                "chunksize 1",
                "ProcessPoolExecutor with a task for each row, as map does unless it is told otherwise; processor time",
            ),
            (
                "chunksize 1024",
                "the same with tasks of 1024 rows; what a pool takes beyond these steps is its queues, locks and threads",
            ),
            (
                "pmapgcd",
                "columns in memory that is shared, in place of pickles; 4 and 7 are each half of what Python does beside the function",
            ),
            ("start", "done once, when Python starts, and not for each row"),
        ];
        *text += &(explained(&columns, width()).join("\n") + "\n");
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Time, WAYS};
    use super::*;

    #[test]
    fn columns_are_explained_and_what_is_not_known_is_no_figure() {
        let way = |at: usize, time: Option<Time>| Measured {
            way: WAYS[at].name,
            rows: 500_000,
            time,
            steps: (at > 1).then(|| vec![Some(12.34), None]).map(|steps| steps.into_iter().cycle().take(10).collect()),
            crash: "whole program gone".to_string(),
            written: 0,
            of_rows: 1000,
        };
        let known = |spread| Some(Time { nanos_a_row: 123.4, spread, speed_up: 1.0 });
        let ways = (0..5).map(|at| way(at, if at == 4 { None } else { known(0.2 * at as f64) })).collect();
        let (function, workload) = ("f.py:f".to_string(), "rows.csv".to_string());
        let report =
            Report { function, workload, jobs: 1, start_seconds: 0.1, ways, machine: String::new(), is_too_busy: true };
        let text = report.text();
        assert!(text.starts_with("f.py:f over rows of rows.csv, 1 worker\n"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= width().max(100)), "{text}");
        assert_eq!(text.matches("%?").count(), 2, "{text}");
        assert!(
            text.contains("500000   too busy ") && text.contains("\nToo busy: ") && text.contains(TOO_BUSY),
            "{text}"
        );
        assert!(!text.contains("inf") && !text.contains("NaN"), "{text}");
        for column in
            ["rows", "ns a row", "spread", "speed-up", "a process killed", "results kept", "chunksize 1024", "start"]
        {
            assert!(text.contains(&format!("\n{column}  ")), "no {column}: {text}");
        }
    }
}
