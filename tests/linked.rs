//! What a program that links the crate finds in its environment and among its descriptors, and what processes find that its kernel
//! starts. This test has no harness, since its workers are this program again.

use pmapgcd::{Executor, Function, Pool};
use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::Command;

/// An argument that has this program print what it finds, and do nothing else.
const LOOKS: &str = "LOOKS";
const MARK: &str = "PMAPGCD_WORKER";

/// The descriptors that this process has and what it was told by us, as `3 4 / shared/1/x`.
fn sight() -> String {
    // One of them belongs to the folder that is being read.
    let numbers = fs::read_dir("/proc/self/fd").unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let is_closed_at_exec = |number: &String| {
        let info = fs::read_to_string(format!("/proc/self/fdinfo/{number}")).unwrap_or_default();
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap_or("2000000").trim();
        i32::from_str_radix(flags, 8).unwrap() & 0o2000000 != 0
    };
    let numbers: Vec<String> = numbers.filter(|number| !is_closed_at_exec(number)).collect();
    let mut numbers: Vec<u32> =
        numbers.iter().map(|number| number.parse().unwrap()).filter(|&number| number > 2).collect();
    numbers.sort();
    let numbers: Vec<String> = numbers.iter().map(u32::to_string).collect();
    format!("{} / {}", numbers.join(" "), std::env::var(MARK).unwrap_or_default())
}

/// What a process finds that is started here. It is this program again.
fn child_sight(mark: Option<&str>) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env(LOOKS, "1").envs(mark.map(|mark| (MARK, mark)));
    String::from_utf8(command.output().unwrap().stdout).unwrap()
}

/// Answers 0 if neither a worker nor a process that it starts finds anything of ours.
fn looks(_: &u64) -> u64 {
    let nothing = " / ";
    let (own, child) = (sight(), child_sight(None));
    if own != nothing || child != nothing {
        eprintln!("a worker sees {own:?}, and its child {child:?}");
    }
    u64::from(own != nothing) + 2 * u64::from(child != nothing)
}

fn main() {
    if std::env::var_os(LOOKS).is_some() {
        return print!("{}", sight());
    }
    let kernel = Function(looks);
    let pool = Pool::new(&kernel).jobs(2);

    // Two descriptors that stay open when another program is started, one of them with a high number.
    let file = fs::File::open("/dev/null").unwrap();
    let kept: Vec<OwnedFd> = [10, 200].map(|least| rustix::io::fcntl_dupfd_cloexec(&file, least).unwrap()).into();
    kept.iter().for_each(|descriptor| rustix::io::fcntl_setfd(descriptor, rustix::io::FdFlags::empty()).unwrap());
    let own = sight();
    assert!(kept.iter().all(|descriptor| own.contains(&descriptor.as_raw_fd().to_string())), "{own}");

    // A program that only links the crate keeps its descriptors, whatever it has in its environment.
    assert_eq!(child_sight(None), own);
    for mark in ["", "junk", "shared/1/pool", &format!("shared/{}/pool", std::process::id())] {
        assert_eq!(child_sight(Some(mark)), format!("{own}{mark}"));
    }

    // Workers have none of them, and processes that they start do not take themselves for workers.
    for executor in [Executor::Shared, Executor::Pickle] {
        assert_eq!(pool.clone().executor(executor).map(&[1, 2, 3]).unwrap(), [0, 0, 0], "{}", executor.name());
        assert_eq!(sight(), own);
    }
    println!("4 passed, 0 failed");
}
