//! The executor `serial`: one loop in the calling thread. The tests compare the results of all other executors with its
//! results.

use crate::error::Error;
use crate::executor::{Execute, Job, Mapping};
use crate::flow::{Bytes, Part};
use crate::ring::Care;
use crate::steps::{Step, lap};
use crate::tally::Stopwatch;
use crate::work::Mapped;
use std::time::{Duration, Instant};

pub struct Serial;

impl Execute for Serial {
    fn run(&mut self, mapping: &Mapping, job: Job) -> Result<(), Error> {
        let mut mapper = mapping.work.mapper(None);
        let mut buffer = vec![0; job.sizes.head + job.sizes.block];
        let mut room = vec![0; job.sizes.room];
        let mut reading = Stopwatch::new(&job.tally.reader);
        loop {
            reading.skip();
            let rows = match job.source.next_block(&mut buffer, usize::MAX) {
                Ok(block) => {
                    let rows = block.rows.clone();
                    job.sink.begin(block)?;
                    rows
                }
                Err(ending) => {
                    job.sink.end(ending)?;
                    return mapper.finish().map_err(Error::from);
                }
            };
            reading.worked();
            lap(Step::Take);
            let head = &buffer[..job.sizes.head];
            let mut input = &buffer[rows];
            while !input.is_empty() {
                let start = Instant::now();
                let Mapped { consumed, lines, rows, results, reports, .. } =
                    mapper.map_block(head, input, &mut room, Care::default())?;
                let (results, reports) = room[..results + reports].split_at(results);
                job.tally.enter(0, rows, start.elapsed(), Duration::ZERO);
                let mut writing = Stopwatch::new(&job.tally.writer);
                job.sink.write(Part {
                    input: Bytes::Here(input),
                    consumed,
                    lines,
                    rows,
                    results,
                    reports,
                    deadly: "",
                })?;
                writing.worked();
                lap(Step::Merge);
                input = &input[consumed..];
            }
        }
    }
}
