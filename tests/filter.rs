//! `Filter::run` from any reader to any writer, under every executor: a program of its own, since its workers are this program
//! again.

use pmapgcd::{Executor, Filter, Format, Function, Gcd, Notation, OnBadRow, Summary};
use std::io::{self, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::{process, thread, time::Duration};

/// Rows that come one by one, as the other end of the channel sends them.
struct Arriving(Receiver<Vec<u8>>);

impl Read for Arriving {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let Ok(piece) = self.0.recv() else { return Ok(0) };
        into[..piece.len()].copy_from_slice(&piece);
        Ok(piece.len())
    }
}

/// Sends on what is written.
struct Sent(Sender<Vec<u8>>);

impl Write for Sent {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(bytes.to_vec()).map_err(io::Error::other)?;
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Gives a text, and then fails or panics.
struct Broken(&'static [u8], bool);

impl Read for Broken {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.0.read(into)? {
            0 if self.1 => panic!("the reader panics"),
            0 => Err(io::Error::other("the disk is on fire")),
            count => Ok(count),
        }
    }
}

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        if self.1 { panic!("the writer panics") } else { Err(io::Error::other("the paper is out")) }
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The same rows for ever.
struct Endless(&'static [u8]);

impl Read for Endless {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let length = into.len() / self.0.len() * self.0.len();
        into[..length].chunks_mut(self.0.len()).for_each(|row| row.copy_from_slice(self.0));
        Ok(length)
    }
}

fn main() {
    let gcd = Gcd::default();
    let rejecting = Function(|&(n, act): &(u32, u32)| if act == 0 { n } else { process::abort() });
    // Before anything else: a worker process comes as far as its filter, and no further.
    let build = |executor: Executor| {
        let named =
            |name: &str| Filter::builder(&gcd).executor(executor).jobs(3).named(format!("{name} {}", executor.name()));
        let plain = named("plain").build().unwrap();
        let semicolons = Format { delimiter: b';', ..Format::default() };
        let appending = named("append").format(semicolons).columns("b,a").unwrap().append("gcd").build().unwrap();
        let skipping = named("skip").on_bad_row(OnBadRow::Skip).max_bad(2).block_size(64).build().unwrap();
        let blanking = named("blank").on_bad_row(OnBadRow::Blank).block_size(64).header().build().unwrap();
        let notation = Notation { decimal: ',', thousands: Some('.'), whole_floats: true };
        let german =
            named("german").format(Format { notation, ..semicolons }).skip_lines(1).missing("").missing("k. A.");
        let german = german.build().unwrap();
        let blanks = Format { delimiter: b' ', quote: None, blanks: true, ..Format::default() };
        let aligned = named("aligned").format(blanks).missing("NA").append("").build().unwrap();
        (executor, plain, appending, skipping, blanking, german, aligned)
    };
    let filters = Executor::ALL.map(build);
    let here = Filter::builder(&rejecting).jobs(2).build().unwrap();
    let twins: Vec<_> = (0..2).map(|_| Filter::builder(&gcd).build().unwrap()).collect();
    thread::spawn(|| {
        thread::sleep(Duration::from_secs(300));
        eprintln!("a filter has not ended in 300 s");
        process::exit(1);
    });

    for (executor, plain, appending, skipping, blanking, german, aligned) in &filters {
        let name = executor.name();
        let run = |filter: &Filter<Gcd>, input: &str| {
            let mut output = vec![];
            let ended = filter.run(input.as_bytes(), &mut output);
            (String::from_utf8(output).unwrap(), ended.map_err(|error| error.to_string()))
        };
        let done = |rows, bad_rows| move |summary: &Summary| (summary.rows, summary.bad_rows) == (rows, bad_rows);

        // Twice, and more than pipes hold.
        for _ in 0..2 {
            let input: String = (0..300_000).map(|n| format!("{n},{}\n", 3 * n + 6)).collect();
            let (output, ended) = run(plain, &input);
            assert!(ended.as_ref().is_ok_and(done(300_000, 0)), "{name}: {ended:?}");
            let lines = output.lines().zip(0u64..).all(|(line, n)| line == num_integer::gcd(n, 3 * n + 6).to_string());
            assert!(lines && output.lines().count() == 300_000, "{name}");
        }
        assert!(matches!(run(plain, ""), (output, Ok(ended)) if output.is_empty() && done(0, 0)(&ended)), "{name}");
        assert_eq!(run(plain, "12,18").0, "6\n", "{name}");
        let (output, ended) = run(appending, "a;x;b\n12;y;18\n");
        assert_eq!((&output[..], ended.is_ok()), ("a;x;b;gcd\n12;y;18;6\n", true), "{name}: {ended:?}");

        // Rows as other programs write them.
        let (output, ended) = run(german, "sep=;\n1.200;18,0\nk. A.;5\n;5\n-4;1e1\n");
        assert_eq!(output, "6\n\n\n2\n", "{name}: {ended:?}");
        assert!(ended.as_ref().is_ok_and(done(4, 0)), "{name}: {ended:?}");
        let (output, ended) = run(aligned, "  12   18\nNA 5\n\n1\t2\n");
        assert_eq!((&output[..], ended.is_ok()), ("  12   18 6\nNA 5 NA\n1\t2 1\n", true), "{name}: {ended:?}");

        // Bad rows.
        let (output, ended) = run(plain, "12,18\n4,x\n6,9\n");
        assert_eq!(output, "6\n", "{name}");
        assert!(ended.as_ref().is_err_and(|error| error.starts_with("input:2: field 2 ")), "{name}: {ended:?}");
        let (output, ended) = run(skipping, "12,18\n4,x\n6,9\n");
        assert_eq!(output, "6\n3\n", "{name}");
        assert!(ended.as_ref().is_ok_and(done(2, 1)), "{name}: {ended:?}");
        let (_, ended) = run(skipping, "x\nx\nx\n6,9\n");
        assert!(ended.as_ref().is_err_and(|error| error.starts_with("input:3: ")), "{name}: {ended:?}");
        let long = format!("a,b\n12,18\n{}1,2\n6,9\n", "0".repeat(100));
        let (output, ended) = run(blanking, &long);
        assert_eq!(output, "6\n\n3\n", "{name}");
        assert!(ended.as_ref().is_ok_and(done(2, 1)), "{name}: {ended:?}");
        // The run ends though the input does not.
        let ended = plain.run(io::Read::chain(&b"12,18\nx,y\n"[..], Endless(b"12,18\n")), io::sink());
        assert!(ended.is_err_and(|error| error.to_string().starts_with("input:2: ")), "{name}");

        // Each result is written before the next row comes.
        let (rows, arriving) = channel();
        let (sent, results) = channel();
        thread::scope(|scope| {
            scope.spawn(move || {
                for (row, result) in [("12,18\n", "6\n"), ("5,10\n", "5\n"), ("7,9\n", "1\n")] {
                    rows.send(row.into()).unwrap();
                    assert_eq!(results.recv().unwrap(), result.as_bytes());
                }
            });
            assert!(plain.run(Arriving(arriving), Sent(sent)).as_ref().is_ok_and(done(3, 0)), "{name}");
        });

        // Half a row before an error of the input is no row.
        let mut output = vec![];
        let error = plain.run(Broken(b"12,18\n12,1", false), &mut output).unwrap_err().to_string();
        assert!(error.starts_with("input: the disk is on fire"), "{name}: {error}");
        assert!(output.is_empty() || output == b"6\n", "{name}: {output:?}");
        // An output that fails, or has had enough, ends an input that does not.
        let error = plain.run(Endless(b"12,18\n"), Broken(b"", false)).unwrap_err().to_string();
        assert!(error.starts_with("output: the paper is out"), "{name}: {error}");
        for input in [true, false] {
            let panicking = AssertUnwindSafe(|| match input {
                true => plain.run(Broken(b"12,18\n", true), io::sink()),
                false => plain.run(Endless(b"12,18\n"), Broken(b"", true)),
            });
            let hook = std::panic::take_hook();
            std::panic::set_hook(Box::new(|_| {}));
            let panicked = catch_unwind(panicking);
            std::panic::set_hook(hook);
            assert!(panicked.is_err(), "{name}");
        }
    }

    // A crash is a bad row, and the results before it are there.
    let mut output = vec![];
    let error = here.run(&b"1,0\n2,0\n3,1\n4,0\n"[..], &mut output).unwrap_err();
    assert!(error.to_string().starts_with("input:3: workers keep dying on this row"), "{error}");
    assert_eq!((error.exit_status(), &output[..]), (3, &b"1\n2\n"[..]));

    let error = twins[0].run(&b"12,18\n"[..], io::sink()).unwrap_err().to_string();
    assert!(error.contains("2 filters were made at") && error.contains("FilterBuilder::named"), "{error}");
    for (ended, what) in [
        (Filter::builder(&gcd).columns("1,2,3").unwrap().build().err(), "3 columns are named where the kernel takes 2"),
        (Filter::builder(&gcd).append("gcd").build().err(), "and there is none"),
        (
            Filter::builder(&gcd).header().append("a,b").build().err(),
            "2 results are named, and the kernel has 1 result",
        ),
        (Filter::builder(&gcd).max_bad(3).build().err(), "set on_bad_row too"),
        (Filter::builder(&gcd).columns("1,").err(), "a column has no name"),
        (
            Filter::builder(&gcd).format(Format { quote: Some(b','), ..Format::default() }).build().err(),
            "have to differ",
        ),
        (
            Filter::builder(&gcd).format(Format { blanks: true, ..Format::default() }).build().err(),
            "with blanks the delimiter is a space",
        ),
        (
            Filter::builder(&gcd)
                .format(Format {
                    notation: Notation { thousands: Some('.'), ..Notation::default() },
                    ..Format::default()
                })
                .build()
                .err(),
            "decimal and thousands have to differ",
        ),
    ] {
        let error = ended.expect(what).to_string();
        assert!(error.contains(what), "{error}");
    }
    println!("filter: all is well");
}
