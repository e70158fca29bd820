//! The plot of `--compare`: time for a row against work for a row.

use crate::compare::leverage::Leverage;
use crate::error::Error;
use plotters::element::{DynElement, IntoDynElement};
use plotters::prelude::*;

/// The colours of the executors, in the order of `Executor::ALL`. Their marks differ too, so that a reader can tell the
/// lines apart without colours.
const COLOURS: [RGBColor; 4] = [RGBColor(0, 0, 0), RGBColor(0, 114, 178), RGBColor(213, 94, 0), RGBColor(0, 158, 115)];

/// Returns the plot as SVG.
///
/// # Errors
/// If the plot cannot be drawn.
pub fn svg(leverage: &Leverage) -> Result<String, Error> {
    let mut svg = String::new();
    let drawn = draw_into(leverage, &mut svg);
    drawn.map_err(|error| Error::defect(format!("cannot draw the plot: {error}")))?;
    Ok(svg)
}

fn draw_into(leverage: &Leverage, svg: &mut String) -> Result<(), Box<dyn std::error::Error>> {
    let all = || leverage.times.iter().flat_map(|(_, times)| times.iter().copied());
    let (low, high) = (all().fold(f64::INFINITY, f64::min), all().fold(0.0, f64::max));
    let (first, last) = (leverage.work[0], leverage.work[leverage.work.len() - 1]);
    let area = SVGBackend::with_string(svg, (800, 560)).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .margin(16)
        .caption("Time a row against work a row", ("sans-serif", 22))
        .x_label_area_size(52)
        .y_label_area_size(70)
        .build_cartesian_2d((first * 0.8..last * 1.25).log_scale(), (low * 0.7..high * 1.4).log_scale())?;
    chart
        .configure_mesh()
        .x_desc("work a row, µs (what serial takes)")
        .y_desc("time a row, µs")
        .x_label_formatter(&|value| label(*value))
        .y_label_formatter(&|value| label(*value))
        .label_style(("sans-serif", 15))
        .axis_desc_style(("sans-serif", 17))
        .light_line_style(RGBColor(235, 235, 235))
        .bold_line_style(RGBColor(210, 210, 210))
        .draw()?;
    for (number, (name, times)) in leverage.times.iter().enumerate() {
        let points = || leverage.work.iter().copied().zip(times.iter().copied());
        let line = COLOURS[number].stroke_width(2);
        chart.draw_series(LineSeries::new(points(), line))?;
        let marks = chart.draw_series(points().map(|at| mark(number, at)))?;
        let path = move |at| EmptyElement::at(at) + PathElement::new([(0, 0), (24, 0)], line);
        marks.label(*name).legend(move |at| path(at) + mark(number, (12, 0)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .label_font(("sans-serif", 16))
        .background_style(WHITE.mix(0.9))
        .border_style(RGBColor(160, 160, 160))
        .draw()?;
    area.present()?;
    Ok(())
}

/// Returns the mark of the executor `number`, counted in the order of `Executor::ALL`, at the place `at`.
fn mark<'a, Place: Clone + 'static>(number: usize, at: Place) -> DynElement<'static, SVGBackend<'a>, Place> {
    let (line, fill) = (COLOURS[number].stroke_width(2), COLOURS[number].filled());
    match number {
        0 => Circle::new(at, 4, fill).into_dyn(),
        1 => Circle::new(at, 5, line).into_dyn(),
        2 => Cross::new(at, 5, line).into_dyn(),
        _ => TriangleMarker::new(at, 6, fill).into_dyn(),
    }
}

fn label(value: f64) -> String {
    if value >= 1.0 { format!("{value:.0}") } else { format!("{value}") }
}
