//! For tests that do harm to workers.

use super::eventually;
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

pub fn pid(id: u32) -> Pid {
    Pid::from_raw(id as i32).unwrap()
}

/// The worker processes of this parent.
pub fn workers(parent: u32) -> Vec<u32> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{parent}/task")) else { return vec![] };
    let children = |task: fs::DirEntry| fs::read_to_string(task.path().join("children")).unwrap_or_default();
    let lists: Vec<String> = tasks.flatten().map(children).collect();
    lists.iter().flat_map(|list| list.split_whitespace().map(|id| id.parse().unwrap())).collect()
}

/// The segments in /dev/shm that hold memory. Each run of another test has one for a moment: see which stay.
pub fn segments() -> BTreeSet<PathBuf> {
    let entries = fs::read_dir("/dev/shm").unwrap().flatten();
    let ours = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("shmem_"));
    ours.filter(|entry| entry.metadata().is_ok_and(|entry| entry.blocks() > 0)).map(|entry| entry.path()).collect()
}

#[track_caller]
pub fn assert_no_segment_is_left() {
    let before = segments();
    eventually("the segments of /dev/shm are gone", || before.intersection(&segments()).next().is_none());
}

pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % bound
    }
}

/// Sends this signal to a random worker, and answers which that was.
pub fn signal_one(parent: u32, signal: Signal, random: &mut Random) -> Option<u32> {
    let workers = workers(parent);
    let chosen = *workers.get(random.below(workers.len().max(1)))?;
    kill_process(pid(chosen), signal).ok().map(|()| chosen)
}
