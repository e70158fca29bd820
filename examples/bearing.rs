//! Columns by name, and two results with names: how far it is from one place to another, and in which direction to start.
//!
//! `cargo run --release -q --example bearing -- --header --append trips.csv`

use pmapgcd::{BadRow, Function};
use serde::{Deserialize, Serialize};

/// A trip. With `--header` these are the names of its columns, wherever they stand in the file.
#[derive(Clone, Serialize, Deserialize)]
struct Trip {
    #[serde(alias = "from_lat")]
    lat1: f64,
    #[serde(alias = "from_lon")]
    lon1: f64,
    #[serde(alias = "to_lat")]
    lat2: f64,
    #[serde(alias = "to_lon")]
    lon2: f64,
}

/// The way: kilometres, and degrees from north by east. From a place to itself there is no direction. These are the names of the results.
#[derive(Serialize)]
struct Way {
    km: f64,
    bearing: Option<f64>,
}

/// The great circle on a sphere of the Earth's mean radius.
fn way(trip: Trip) -> Result<Way, BadRow> {
    for (field, latitude) in [(0, trip.lat1), (2, trip.lat2)] {
        if !(-90.0..=90.0).contains(&latitude) {
            return Err(BadRow::of_field(field, format_args!("is no latitude: {latitude}")));
        }
    }
    let [lat1, lat2] = [trip.lat1, trip.lat2].map(f64::to_radians);
    let (north, east) = ((lat2 - lat1) / 2.0, (trip.lon2 - trip.lon1).to_radians());
    let half = north.sin().powi(2) + lat1.cos() * lat2.cos() * (east / 2.0).sin().powi(2);
    let y = east.sin() * lat2.cos();
    let x = lat1.cos() * lat2.sin() - lat1.sin() * lat2.cos() * east.cos();
    let km = 2.0 * 6371.0088 * half.sqrt().asin();
    Ok(Way { km, bearing: (km > 0.0).then(|| (y.atan2(x).to_degrees() + 360.0) % 360.0) })
}

pmapgcd::note_closed_streams!();

fn main() -> std::process::ExitCode {
    let kernel = Function(way).version(env!("CARGO_PKG_VERSION")).self_contained();
    pmapgcd::filter("Print kilometres and bearing between the two places of each row", &kernel)
}
