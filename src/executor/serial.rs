//! One loop in this process: the judge of all other executors.

use crate::error::Error;
use crate::executor::{Execute, Job, MapBlocks};
use crate::segment::REPORT_ROOM;
use crate::steps::{Step, lap};

pub struct Serial;

impl Execute for Serial {
    fn run(&self, kernel: &dyn MapBlocks, job: Job) -> Result<(), Error> {
        let mut mapper = kernel.mapper();
        let mut buffer = vec![0; job.block_size];
        let mut room = vec![0; job.block_size + REPORT_ROOM];
        loop {
            let block = match job.source.next_block(&mut buffer) {
                Ok(block) => block,
                Err(ending) => return job.sink.end(ending),
            };
            lap(Step::Take);
            let mut rest = &buffer[..block.length];
            while !rest.is_empty() {
                let outcome = mapper.map_block(rest, &mut room);
                let (results, report) = room[..outcome.results + outcome.report].split_at(outcome.results);
                job.sink.write(block.input, outcome.lines, results, report)?;
                lap(Step::Merge);
                rest = &rest[outcome.consumed..];
            }
        }
    }
}
