//! Judges the parent against a worker that writes anything into the segment. Reader and writer are the program's own;
//! the thread of the supervisor plays the worker.

use super::QUIET;
use crate::error::Error;
use crate::executor::measures::pack;
use crate::executor::run::{Crew, Run, run};
use crate::executor::{Executor, Job, Mapping};
use crate::flow::{Block, Bytes, Ending, Part, Sink};
use crate::kernel::gcd::Gcd;
use crate::pool::memory::{Outputs, Records};
use crate::ring::word::Word;
use crate::ring::{Claim, Segment, Sizes, Supervisor};
use crate::tally::Tally;
use crate::work::Mapped;
use crate::work::text::{Settings, Text};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const SIZES: Sizes = Sizes { head: 0, block: 64, room: 200 };
const SLOTS: usize = 3;
const ROW: usize = 6;

/// The script of the worker's actions, and whether all actions so far were those of a correct worker.
struct Madness<'a> {
    script: &'a [[u8; 4]],
    is_honest: AtomicBool,
}

impl Crew for Madness<'_> {
    fn supervise(&mut self, run: &Run, mut ring: Supervisor, mapping: &Mapping) -> Result<(), Error> {
        let theirs = Segment::attach(run.segment.descriptor().unwrap()).unwrap();
        // Writing to the file has the same effect as if a worker wrote through its mapping.
        let file = File::from(run.segment.descriptor().unwrap());
        let mut mapper = mapping.work.mapper(None);
        let mut finish = |mut claim: Claim, lie: Option<Mapped>| {
            let care = claim.care();
            let (head, input, room) = claim.parts();
            let honest = mapper.map_block(head, input, room, care).unwrap();
            claim.finish(pack(lie.unwrap_or(honest), Duration::ZERO, Duration::ZERO));
            theirs.done().signal();
        };
        let (mut held, mut words_are_sound) = (None, true);
        for &[act, place, value, more] in self.script {
            let (at, block) = (u64::from(place), u64::from(value & 15));
            match act % 8 {
                0 | 1 if words_are_sound && held.is_none() => held = theirs.try_claim(0),
                2 => held.take().into_iter().for_each(|claim| finish(claim, None)),
                3 => {
                    let number = |byte: u8| if byte == 255 { u32::MAX as usize } else { usize::from(byte) };
                    let (consumed, lines) = (number(place), number(more & 31));
                    let (results, reports) = (number(value), number(more >> 5));
                    let lie = Mapped { consumed, lines, rows: 0, results, reports, ..Mapped::default() };
                    self.is_honest.fetch_and(held.is_none(), Ordering::Relaxed);
                    held.take().into_iter().for_each(|claim| finish(claim, Some(lie)));
                }
                4 | 5 => {
                    // Write to the word of a slot or an event, or to the counter.
                    let word = match value >> 4 & 7 {
                        0 => Word::free(block).0,
                        1 => Word::filled(block).0,
                        2 => Word::claimed(block, u32::from(more)).0,
                        3 => Word::done(block).0,
                        4 => u64::from(more),
                        5 => u64::MAX,
                        6 => u64::from(more) << 44 | block,
                        _ => block << 20 | u64::from(more),
                    };
                    file.write_at(&word.to_le_bytes(), 128 * (1 + at % 16)).unwrap();
                    (words_are_sound, held) = (false, None);
                }
                6 => {
                    // Write to any number of a slot.
                    let measure = [u32::from(more), u32::MAX - u32::from(more)][usize::from(value & 1)];
                    file.write_at(&measure.to_le_bytes(), 128 * (1 + at % 16) + u64::from(value >> 1) % 32 * 4)
                        .unwrap();
                    (words_are_sound, held) = (false, None);
                }
                7 => {
                    file.write_at(&[value; 16], 4096 + at * 4).unwrap();
                    self.is_honest.store(false, Ordering::Relaxed);
                }
                _ => std::thread::yield_now(),
            }
        }
        // The worker dies here, so put back what it holds.
        ring.held_by(0).into_iter().for_each(|held| ring.recover(held));
        if words_are_sound {
            while !run.is_over() {
                match theirs.try_claim(1) {
                    Some(claim) => finish(claim, None),
                    None => std::thread::sleep(Duration::from_micros(20)),
                }
            }
            return Ok(());
        }
        self.is_honest.store(false, Ordering::Relaxed);
        // Give the parent time to notice what was written. It may end the run because of that, or go on.
        for _ in 0..5 {
            run.remind(&ring);
            std::thread::sleep(Duration::from_micros(100));
        }
        Err(Error::spoilt())
    }
}

/// A sink that checks that everything it receives lies within the block and within the room for results.
#[derive(Default)]
struct Within {
    left: usize,
    outputs: Outputs,
}

impl Sink for Within {
    fn begin(&mut self, block: Block) -> Result<(), Error> {
        assert_eq!(self.left, 0, "the block before is not done");
        self.left = block.rows.len();
        self.outputs.begin(block)
    }

    fn write(&mut self, part: Part) -> Result<(), Error> {
        assert_eq!(part.input.len(), self.left);
        assert!(part.consumed <= self.left && part.lines <= part.consumed);
        assert!(part.results.len() + part.reports.len() <= SIZES.room);
        self.left -= part.consumed;
        self.outputs.write(part)
    }

    fn end(&mut self, ending: Ending) -> Result<(), Error> {
        self.outputs.end(ending)
    }

    fn given_up(&mut self, rest: Bytes, what: String) -> Error {
        self.outputs.given_up(rest, what)
    }
}

fn job<'a>(source: &'a mut Records, sink: &'a mut Within) -> Job<'a> {
    // All runs use the same tally, which is not read here.
    static TALLY: LazyLock<Tally> = LazyLock::new(Tally::default);
    let tally = &*TALLY;
    Job {
        source,
        sink,
        stop: &QUIET.0,
        input: None,
        has_fixed_blocks: false,
        jobs: 1,
        sizes: SIZES,
        block_timeout: None,
        tally,
        chunk_size: 1,
    }
}

/// Checks that the parent comes to an end and reads nothing outside the slots, whatever a worker writes to the segment,
/// and that the results are right if the worker was correct. An endless run cannot be found here, because the
/// supervisor gives up after some rounds; `tests/hostile.rs` looks for those.
pub fn segment(bytes: &[u8]) {
    let (script, _) = bytes[..bytes.len().min(400)].as_chunks();
    let gcd = Gcd::default();
    let mapping = Text::new(&gcd, Settings::default());
    let rows = b"12,18\n07,14\n05,10\n".repeat(15);
    let source = || Records { bytes: &rows, size: ROW, block_rows: SIZES.block / ROW - 3 };
    let (mut expected, mut found) = (Within::default(), Within::default());
    Executor::Serial.run(&Mapping::here(&mapping), job(&mut source(), &mut expected)).unwrap();

    let mut crew = Madness { script, is_honest: AtomicBool::new(true) };
    let mut shared = Segment::shared(SLOTS, SIZES).unwrap();
    let ended = run(&mut shared, 0, &mut crew, &Mapping::here(&mapping), job(&mut source(), &mut found));
    if crew.is_honest.into_inner() {
        ended.unwrap();
        assert_eq!(found.outputs.0, expected.outputs.0);
    }
}
