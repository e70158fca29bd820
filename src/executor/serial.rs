//! One loop in this process: the judge of all other executors.

use crate::error::Error;
use crate::executor::{Job, Run, block::MapBlocks};
use crate::flow::reader::{Input, Reader, Watch};
use crate::flow::writer::Writer;
use crate::segment::REPORT_ROOM;

pub struct Serial;

impl Run for Serial {
    fn run(&self, kernel: &dyn MapBlocks, job: Job) -> Result<(), Error> {
        let names = job.inputs.iter().map(Input::name).collect();
        let mut reader = Reader::new(job.inputs, Watch { stop: None, output: Some(job.output) });
        let mut writer = Writer::new(&job.output, job.output_name, names, job.block_size);
        let mut mapper = kernel.mapper();
        let mut buffer = vec![0; job.block_size];
        let mut room = vec![0; job.block_size + REPORT_ROOM];
        loop {
            let block = match reader.next_block(&mut buffer) {
                Ok(block) => block,
                Err(ending) => return writer.end(ending),
            };
            let mut rest = &buffer[..block.length];
            while !rest.is_empty() {
                let outcome = mapper.map_block(rest, &mut room);
                let (results, report) = room[..outcome.results + outcome.report].split_at(outcome.results);
                writer.write(block.input, outcome.lines, results, report)?;
                rest = &rest[outcome.consumed..];
            }
        }
    }
}
