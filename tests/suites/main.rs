//! CSV files that others have written, and malformed ones. The program must see the rows and fields that the `csv`
//! crate sees; a table lists the exceptions, with reasons.

#[path = "../common/mod.rs"]
mod common;

mod cases;
mod judge;

use cases::{DIFFERENCES, files};
use common::{pmapgcd, run};
use csv::{ByteRecord, Terminator};
use judge::{MARK, Row, read, records};
use std::collections::BTreeMap;
use std::fs;

const EXECUTORS: [&str; 4] = ["--executor=serial", "--executor=threads", "--executor=pickle", "--executor=shared"];

/// The rows give what they are to give, and those that are bad are named and set aside with what is wrong with them.
#[track_caller]
fn agrees(name: &str, file: &[u8], rows: &[Row], columns: Option<[usize; 2]>, arguments: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let rejects = folder.path().join("rejects");
    let finished = run(pmapgcd(arguments).arg("--rejects").arg(&rejects), file);
    let what = format!("{name}: {}: {}", finished.command, finished.stderr);
    let is_whole = arguments.contains(&"--append");
    let (mut stdout, mut bad) = (vec![], vec![]);
    if is_whole && file.len() > MARK.len() && file.starts_with(MARK) {
        stdout.extend(MARK);
    }
    let is_fine = |row: &&Row| !row.is_unclosed && row.field_with_stray_return().is_none();
    let mut first = rows.iter().filter(is_fine).map(|row| row.fields.len());
    let length = first.find(|&count| columns.is_some_and(|columns| count >= columns[0].max(columns[1])));
    for row in rows {
        match row.judge(columns, length.filter(|_| is_whole)) {
            Ok(gcd) if is_whole => stdout.extend(row.appended(gcd)),
            Ok(gcd) => stdout.extend(format!("{gcd}\n").into_bytes()),
            Err(faults) => {
                stdout.extend(match is_whole && arguments.contains(&"--bad-rows=blank") {
                    // A row without an end would take the next one with it.
                    true if row.is_unclosed => b"\n".to_vec(),
                    true => row.appended(""),
                    false => vec![],
                });
                bad.push((row, faults));
            }
        }
    }
    assert_eq!(finished.stdout.escape_ascii().to_string(), stdout.escape_ascii().to_string(), "{what}");
    assert_eq!(finished.status.code(), Some(i32::from(!bad.is_empty())), "{what}");

    let rejected = records(&fs::read(rejects).unwrap(), Terminator::CRLF);
    assert_eq!(rejected[0], "file line offset field reason row".split(' ').collect::<Vec<_>>(), "{what}");
    assert_eq!(rejected.len() - 1, bad.len(), "{what}");
    let mut messages = finished.stderr.lines();
    for (number, ((row, faults), found)) in bad.iter().zip(&rejected[1..]).enumerate() {
        let place = format!("stdin {} {}", row.line, row.start);
        assert!(found.iter().take(3).eq(place.split(' ').map(str::as_bytes)), "{place}: {found:?}: {what}");
        assert_eq!(found[5].escape_ascii().to_string(), row.text.escape_ascii().to_string(), "{what}");
        let (field, reason) = (str::from_utf8(&found[3]).unwrap(), str::from_utf8(&found[4]).unwrap());
        if row.is_unclosed {
            assert!(reason.contains("quote") && reason.contains("never closed"), "{what}");
        } else {
            assert!(faults.iter().any(|(at, start)| field == at && reason.starts_with(start)), "{faults:?}: {what}");
        }
        if number < 10 {
            assert_eq!(messages.next().unwrap(), format!("pmapgcd: stdin:{}: {reason}", row.line), "{what}");
        }
    }
    if !bad.is_empty() {
        assert!(messages.next().unwrap().starts_with(&format!("pmapgcd: {} bad row", bad.len())), "{what}");
    }
    assert_eq!(messages.next(), None, "{what}");
}

/// All pairs of what there is.
fn pairs<T: Clone>(of: &[T]) -> impl Iterator<Item = [T; 2]> {
    of.iter().flat_map(move |first| of.iter().map(move |second| [first.clone(), second.clone()]))
}

#[test]
fn the_judge_is_right_about_csv_spectrum() {
    // The JSON of location_coordinates has another telephone number than its CSV.
    for sample in csv_spectrum::spectrum().iter().filter(|sample| sample.name != "location_coordinates") {
        let text = |field| String::from_utf8(field).unwrap();
        let rows = read(sample.csv).into_iter();
        let mut rows = rows.map(|row| row.fields.into_iter().map(text).collect::<Vec<_>>());
        let names = rows.next().unwrap();
        let found: Vec<BTreeMap<_, _>> = rows.map(|row| names.iter().cloned().zip(row).collect()).collect();
        let expected: Vec<BTreeMap<String, String>> = serde_json::from_slice(sample.json).unwrap();
        assert_eq!(found, expected, "{}", sample.name);
    }
}

#[test]
fn the_judge_differs_from_the_csv_crate_where_the_table_says_so() {
    for (name, file) in files() {
        let rows = read(file);
        let same = rows.iter().map(|row| ByteRecord::from(row.fields.clone())).eq(records(file, Terminator::CRLF));
        let reason = DIFFERENCES.iter().find(|(differing, _)| *differing == name);
        assert_eq!(!same || rows.iter().any(|row| row.is_unclosed), reason.is_some(), "{name}: {reason:?}");
    }
}

#[test]
fn every_row_comes_back_as_it_was() {
    for (name, file) in files() {
        for executor in EXECUTORS {
            agrees(name, file, &read(file), None, &["--append", "--bad-rows=blank", executor]);
        }
    }
}

#[test]
fn columns_are_picked_by_number() {
    for (name, file) in files() {
        let rows = read(file);
        let columns: Vec<_> = (1..=rows.iter().map(|row| row.fields.len()).max().unwrap_or(0)).collect();
        for (columns, executor) in pairs(&columns).zip(EXECUTORS.into_iter().cycle()) {
            let option = format!("-k{},{}", columns[0], columns[1]);
            agrees(name, file, &rows, Some(columns), &[&option, "--bad-rows=skip", executor]);
        }
    }
}

#[test]
fn columns_are_picked_by_name() {
    for (name, file) in files() {
        let rows = read(file);
        let Some((header, rows)) = rows.split_first() else { continue };
        let names = header.fields.iter().map(|name| str::from_utf8(name).unwrap().trim_matches([' ', '\t']));
        let names: Vec<_> = (1..).zip(names).filter(|(_, name)| !name.is_empty()).collect();
        for ([first, second], executor) in pairs(&names).zip(EXECUTORS.into_iter().cycle()) {
            let quoted = [first.1, second.1].map(|name| format!("\"{}\"", name.replace('"', "\"\"")));
            let option = format!("--columns={},{}", quoted[0], quoted[1]);
            let places = |of: &str| -> Vec<String> {
                names.iter().filter(|(_, name)| *name == of).map(|(number, _)| number.to_string()).collect()
            };
            if let Some(places) = [first.1, second.1].map(places).into_iter().find(|places| places.len() > 1) {
                let finished = run(&mut pmapgcd([&option]), file);
                finished.is(2, "", &finished.stderr);
                assert!(finished.stderr.starts_with(&format!("pmapgcd: stdin:{}: ", header.line)), "{finished:?}");
                assert!(places.iter().all(|place| finished.stderr.contains(place)), "{finished:?}");
            } else {
                agrees(name, file, rows, Some([first.0, second.0]), &[&option, "--bad-rows=skip", executor]);
            }
        }
    }
}

/// The file many times over, each row between two integers and two integers; the divisors of its first two and of its
/// first and last are 6 times its number.
fn framed(file: &[u8]) -> Vec<u8> {
    let (rows, mut framed, mut number) = (read(file), vec![], 0);
    for copy in 0..20 {
        let mut from = if copy > 0 && file.starts_with(MARK) { MARK.len() } else { 0 };
        for row in rows.iter().filter(|row| !row.is_unclosed) {
            number += 1;
            let [first, second, third, last] = [2, 3, 5, 7].map(|factor| 6 * factor * number);
            framed.extend(&file[from..row.start]);
            framed.extend(format!("{first},{second},").bytes().chain(row.text.iter().copied()));
            framed.extend(format!(",{third},{last}").bytes());
            from = row.start + row.text.len();
        }
        let is_cut_off = rows.last().is_some_and(|row| row.is_unclosed);
        framed.extend(if is_cut_off { &b"\n"[..] } else { &file[from..] });
        if !framed.ends_with(b"\n") {
            framed.push(b'\n');
        }
    }
    framed
}

#[test]
fn integers_around_it_are_found_in_blocks_as_small_as_can_be() {
    for (name, file) in files() {
        let file = framed(file);
        let rows = read(&file);
        let counts: Vec<_> = rows.iter().map(|row| row.fields.len()).collect();
        let is_even = counts.windows(2).all(|pair| pair[0] == pair[1]);
        let last = counts.first().copied().filter(|_| is_even).unwrap_or(2);
        let divisors = (1..=rows.len() as u64).map(|number| 6 * number);
        let mut judged = rows.iter().zip(divisors).filter(|(row, _)| row.field_with_stray_return().is_none());
        let is_right = judged.all(|(row, divisor)| row.judge(Some([1, last]), None) == Ok(divisor));
        assert!(is_right, "{name}: the judge errs");
        let block_size = rows.iter().map(|row| row.text.len() + row.end.len()).max().unwrap_or(0).max(64);
        let ways = [format!("-k1,{last}"), format!("--block-size={block_size}")];
        for executor in EXECUTORS {
            agrees(name, &file, &rows, Some([1, last]), &[&ways[0], &ways[1], "--bad-rows=skip", executor]);
            agrees(name, &file, &rows, Some([1, last]), &[&ways[0], &ways[1], "--bad-rows=skip", "--append", executor]);
        }
    }
}
