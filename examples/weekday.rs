//! A text in, a word out: on which day of the week a date was.
//!
//! `printf '2000-02-29\n1969-07-20\n' | cargo run --release -q --example weekday`

use pmapgcd::Function;

const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// The day of the week of a date like 2000-02-29, in the Gregorian calendar.
fn weekday(date: String) -> Result<&'static str, String> {
    let parts: Vec<&str> = date.split('-').collect();
    let [year, month, day] = parts[..] else { return Err(format!("a date like 2000-02-29 is expected: {date}")) };
    let number = |part: &str| part.parse::<i64>().map_err(|error| format!("{error}: {part}"));
    let (year, month, day) = (number(year)?, number(month)?, number(day)?);
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + i64::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return Err(format!("there is no month {month}")),
    };
    if !(1..=days).contains(&day) {
        return Err(format!("month {month} of {year} has no day {day}"));
    }
    // Sakamoto's method: how far each month's first day is from Sunday, in years that begin in March.
    let shift = [0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4][month as usize - 1];
    let year = if month < 3 { year - 1 } else { year };
    let number = year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + shift + day;
    Ok(DAYS[number.rem_euclid(7) as usize])
}

pmapgcd::note_closed_streams!();

fn main() -> std::process::ExitCode {
    let kernel = Function(weekday).names(["weekday"]).version(env!("CARGO_PKG_VERSION")).self_contained();
    pmapgcd::filter("Print the day of the week of each date", &kernel)
}
