//! A filter with a kernel of its own: each row has the latitude and longitude of two places in degrees, and the output is
//! the distance between them in kilometres.
//!
//! `echo 52.52,13.405,48.8566,2.3522 | cargo run --release -q --example haversine`

use pmapgcd::Function;

/// The great-circle distance on a sphere of the Earth's mean radius, by the haversine formula (R. W. Sinnott, "Virtues
/// of the haversine", Sky and Telescope 68, 1984).
fn haversine(&(latitude, longitude, to_latitude, to_longitude): &(f64, f64, f64, f64)) -> f64 {
    let half = |from: f64, to: f64| ((to - from).to_radians() / 2.0).sin().powi(2);
    let shrink = latitude.to_radians().cos() * to_latitude.to_radians().cos();
    2.0 * 6371.0088 * (half(latitude, to_latitude) + shrink * half(longitude, to_longitude)).sqrt().asin()
}

pmapgcd::note_closed_streams!();

fn main() -> std::process::ExitCode {
    pmapgcd::filter("Print the kilometres between the two places of each row", &Function(haversine))
}
