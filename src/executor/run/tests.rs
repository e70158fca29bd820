use super::*;
use crate::executor::Executor;
use crate::flow::{Block, Part, Sink, Source};
use crate::kernel::Function;
use crate::ring::Sizes;
use crate::work::text::{Settings, Text};
use std::sync::mpsc;

/// How long a run may take before the test fails: long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// What panics in a run, and at which block.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Panics {
    Source(u64),
    Sink(u64),
    Kernel(u64),
}

/// A source without end. Each block has a single row. The row is the number 13 if the kernel must panic at this block,
/// otherwise the number 1. The second field of this struct counts the blocks.
struct Rows(Panics, u64);

impl Source for Rows {
    fn next_block(&mut self, buffer: &mut [u8], _: usize) -> Result<Block, Ending> {
        assert_ne!(self.0, Panics::Source(self.1), "a source panics");
        let row = format!("{}\n", if self.0 == Panics::Kernel(self.1) { "13" } else { "1" });
        buffer[..row.len()].copy_from_slice(row.as_bytes());
        self.1 += 1;
        Ok(Block { rows: 0..row.len(), ..Block::default() })
    }
}

struct Results(Panics, u64);

impl Sink for Results {
    fn begin(&mut self, _: Block) -> Result<(), Error> {
        Ok(())
    }

    fn write(&mut self, part: Part) -> Result<(), Error> {
        assert_ne!(self.0, Panics::Sink(self.1), "a sink panics");
        assert_eq!(part.results, b"1\n");
        self.1 += 1;
        Ok(())
    }

    fn end(&mut self, _: Ending) -> Result<(), Error> {
        Ok(())
    }

    fn given_up(&mut self, _: crate::flow::Bytes, what: String) -> Error {
        Error::workers(what)
    }
}

fn map(&(number,): &(u64,)) -> u64 {
    assert_ne!(number, 13, "a kernel panics");
    number
}

#[test]
fn whoever_panics_ends_the_run_and_leaves_nobody_waiting() {
    // Panic in the first block, in a block that comes when all workers are at work, and in one that comes when the
    // slots have been used more than once.
    for block in [0, 3, 5000] {
        for panics in [Panics::Source(block), Panics::Sink(block), Panics::Kernel(block)] {
            let (tell, told) = mpsc::channel();
            let running = thread::spawn(move || {
                let _tell = tell;
                let job = Job {
                    source: &mut Rows(panics, 0),
                    sink: &mut Results(panics, 0),
                    stop: &bell().unwrap(),
                    input: None,
                    has_fixed_blocks: false,
                    jobs: 2,
                    sizes: Sizes { head: 0, block: 64, room: 512 },
                    block_timeout: None,
                    tally: &Tally::default(),
                    chunk_size: 1,
                };
                let kernel = Function(map);
                let text = Text::new(&kernel, Settings::default());
                Executor::Threads.run(&Mapping::here(&text), job)
            });
            // The thread drops its sender when it ends, so that the channel is disconnected.
            let ended = told.recv_timeout(PATIENCE);
            assert_eq!(ended, Err::<(), _>(mpsc::RecvTimeoutError::Disconnected), "{panics:?}: it hangs");
            assert!(running.join().is_err(), "{panics:?} was swallowed");
        }
    }
}
