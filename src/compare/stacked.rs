//! The picture of the ten [`STEPS`] of a process pool. It has a bar for each way to map rows, in which the costs of the
//! steps are stacked. The picture fits a slide.

use super::ten_steps::STEPS;
use crate::error::must_be_escaped;
use std::fmt::Write;
use std::fs;
use std::process::Command;

/// Bars, each with its name and with nanoseconds for each of the ten steps.
pub struct Chart {
    /// What the chart shows.
    pub title: String,
    /// How the figures were measured.
    pub subtitle: String,
    /// The name of each bar, and the nanoseconds of its steps, in the order of [`STEPS`]. A step that it lacks has 0.
    pub bars: Vec<(String, Vec<f64>)>,
}

const WIDTH: f64 = 800.0;
/// The height without bars: titles, names of steps, and the machine.
const FRAME: f64 = 210.0;
/// The height of a bar with its name and the room below it.
const BAR: f64 = 74.0;
const MARGIN: f64 = 24.0;

/// The colours of the steps. Steps that a row takes with every executor are grey or green. Steps that take a row to
/// another process and its result back have warm colours.
const COLOURS: [&str; 10] =
    ["#8c8c8c", "#e66101", "#fdae61", "#fdd49e", "#cccccc", "#1a9850", "#d7301f", "#fc8d59", "#fee08b", "#4d4d4d"];

impl Chart {
    /// Returns the picture as SVG.
    pub fn svg(&self) -> String {
        let height = self.height();
        let mut svg = format!(
            "<svg width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" xmlns=\"http://www.w3.org/2000/svg\" font-family=\"sans-serif\">\n\
             <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>\n"
        );
        text(&mut svg, MARGIN, 40.0, 24, &self.title);
        text(&mut svg, MARGIN, 64.0, 15, &self.subtitle);
        let total = |steps: &[f64]| steps.iter().sum::<f64>();
        let most = self.bars.iter().map(|(_, steps)| total(steps)).fold(f64::MIN_POSITIVE, f64::max);
        // Leave room for the sum to the right of the longest bar.
        let scale = (WIDTH - 2.0 * MARGIN - 90.0) / most;
        for (number, (name, steps)) in self.bars.iter().enumerate() {
            let top = 92.0 + BAR * number as f64;
            text(&mut svg, MARGIN, top, 16, name);
            let mut left = MARGIN;
            for (at, nanos) in steps.iter().enumerate() {
                let width = nanos * scale;
                let _ = writeln!(
                    svg,
                    "<rect x=\"{left:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"34\" fill=\"{}\"><title>{}: {nanos:.0} ns</title></rect>",
                    top + 8.0,
                    COLOURS[at],
                    escaped(STEPS[at].0)
                );
                left += width;
            }
            text(&mut svg, left + 8.0, top + 31.0, 16, &format!("{} ns", grouped(total(steps))));
        }
        let top = 104.0 + BAR * self.bars.len() as f64;
        for (at, (name, _)) in STEPS.iter().enumerate() {
            let (column, row) = ((at / 5) as f64, (at % 5) as f64);
            let (x, y) = (MARGIN + column * 380.0, top + row * 17.0);
            let _ = writeln!(
                svg,
                "<rect x=\"{x}\" y=\"{:.1}\" width=\"12\" height=\"12\" fill=\"{}\"/>",
                y - 10.0,
                COLOURS[at]
            );
            text(&mut svg, x + 18.0, y, 13, &format!("{}  {name}", at + 1));
        }
        text(&mut svg, MARGIN, height - 12.0, 12, &machine());
        svg + "</svg>\n"
    }

    fn height(&self) -> f64 {
        FRAME + BAR * self.bars.len() as f64
    }
}

/// Returns one picture of `chart` and, under it, `below`; only `below` if there is no chart.
pub fn above(chart: Option<&Chart>, below: &str) -> String {
    let Some(chart) = chart else { return below.to_string() };
    /// The height of `below`, as `plot.rs` draws it.
    const BELOW: f64 = 560.0;
    let (upper, height) = (chart.svg(), chart.height());
    let below = below.replacen("<svg ", &format!("<svg y=\"{height}\" "), 1);
    let all = height + BELOW;
    format!(
        "<svg width=\"{WIDTH}\" height=\"{all}\" viewBox=\"0 0 {WIDTH} {all}\" xmlns=\"http://www.w3.org/2000/svg\">\n{upper}{}\n</svg>\n",
        below.trim_end()
    )
}

fn text(svg: &mut String, x: f64, y: f64, size: u32, text: &str) {
    let _ =
        writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size}\" fill=\"#222222\">{}</text>", escaped(text));
}

fn escaped(text: &str) -> String {
    let text: String = text.chars().filter(|&c| !must_be_escaped(c)).collect();
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Returns a number with a blank between thousands.
fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let parts = digits.as_bytes().rchunks(3).rev().map(|part| String::from_utf8_lossy(part).into_owned());
    parts.collect::<Vec<_>>().join(" ")
}

/// Returns a line that names the machine, today's date and the version of this program.
pub fn machine() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let name = name.map_or(std::env::consts::ARCH, |(_, name)| name.trim());
    let date = Command::new("date").arg("+%Y-%m-%d").output().map(|date| date.stdout).unwrap_or_default();
    let date = String::from_utf8_lossy(&date).trim().to_string();
    let count = crate::executor::processors();
    format!("{name}, {count} processors, {date}, pmapgcd {}", env!("CARGO_PKG_VERSION"))
}
