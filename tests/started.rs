//! However the program was started, its workers and the runs of a comparison must be the same program, or one line must say why
//! they cannot be.

mod common;

use common::world::{World, is_permitted};
use common::{Running, eventually, pmapgcd, run};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::process::Command;
use std::thread;
use std::time::Duration;

const WITH_WORKERS: [&str; 2] = ["shared", "pickle"];

/// The dynamic loader that the program names; none if it is linked statically.
fn loader() -> Option<String> {
    let listed = Command::new("ldd").arg(common::BINARY).output().ok()?;
    let listed = String::from_utf8(listed.stdout).ok()?;
    let loader = listed.split_whitespace().find(|word| word.starts_with('/') && word.contains("/ld-"));
    if loader.is_none() {
        common::skipped("the program has no loader");
    }
    loader.map(str::to_string)
}

/// Every way of starting it, as a shell's command without the program's own arguments.
fn ways() -> Vec<String> {
    let by_descriptor =
        "import os, sys; os.execve(os.open(sys.argv[1], os.O_RDONLY), ['a name'] + sys.argv[2:], os.environ)";
    let in_memory = "import os, sys; fd = os.memfd_create('x'); os.write(fd, open(sys.argv[1], 'rb').read()); \
                     os.execve(fd, ['a name'] + sys.argv[2:], os.environ)";
    let mut ways = vec![
        "./pmapgcd".to_string(),
        "PATH=.:$PATH pmapgcd".to_string(),
        "PATH=$PWD:$PATH pmapgcd".to_string(),
        "./link".to_string(),
        "./wrapper".to_string(),
        "env -i ./pmapgcd".to_string(),
        "bash -c 'exec -a \"another name\" ./pmapgcd \"$@\"' -".to_string(),
        format!("python3 -c \"{by_descriptor}\" ./pmapgcd"),
        format!("python3 -c \"{in_memory}\" ./pmapgcd"),
    ];
    if let Some(loader) = loader() {
        ways.push(format!("{loader} ./pmapgcd"));
        ways.push(format!("{loader} $PWD/pmapgcd"));
        ways.push(format!("{loader} --library-path /nowhere ./pmapgcd"));
    }
    ways
}

/// A folder with the program, a link to it and a script around it.
fn world() -> World {
    let world = World::new();
    std::os::unix::fs::symlink("pmapgcd", world.path("link")).unwrap();
    fs::write(world.path("wrapper"), "#!/bin/sh\nexec ./pmapgcd \"$@\"\n").unwrap();
    assert!(Command::new("chmod").arg("755").arg(world.path("wrapper")).status().unwrap().success());
    world
}

#[test]
fn workers_are_started_however_the_program_was() {
    let world = world();
    for way in ways() {
        for executor in WITH_WORKERS {
            let command = format!("{way} \"$@\"");
            let arguments = ["--executor", executor, "-j2"];
            world.run(None, &command, &arguments, &world.many.0).is(0, &world.many.1, "");
            // With no argument at all, and with an empty one.
            let mut alone = Command::new("sh");
            alone.args(["-c", &way]).current_dir(&world.folder);
            run(&mut alone, world.few.0.clone()).is(0, &world.few.1, "");
            let quote = ["--executor", executor, "--append", ""];
            let finished = world.run(None, &command, &quote, b"");
            assert_eq!(finished.status.code(), Some(2), "{finished:?}");
        }
    }
}

#[test]
fn without_proc_it_is_started_by_its_name_or_one_line_says_why_not() {
    if !is_permitted() {
        return;
    }
    let world = world();
    let setup = Some("mount -t tmpfs -o size=64m shm /dev/shm && mount -t tmpfs none /proc");
    for way in ways().iter().filter(|way| !way.starts_with("python3")) {
        for executor in WITH_WORKERS {
            let arguments = ["--executor", executor, "-j2"];
            let finished = world.run(setup, &format!("{way} \"$@\""), &arguments, &world.many.0);
            if way.contains("/ld-") {
                let told = finished.stderr.lines().count() == 1 && finished.stderr.contains("started through /");
                assert!(finished.status.code() == Some(2) && told && finished.stdout.is_empty(), "{finished:?}");
            } else {
                finished.is(0, &world.many.1, "");
            }
        }
    }
}

#[test]
fn the_program_may_be_removed_or_replaced_while_it_runs() {
    let world = world();
    let kept = world.path("kept");
    fs::copy(world.path("pmapgcd"), &kept).unwrap();
    for executor in WITH_WORKERS {
        for is_replaced in [false, true] {
            let program = world.path("pmapgcd");
            let mut running = Running::start(Command::new(&program).args(["--executor", executor, "-j2"]));
            running.send("12,18\n");
            assert_eq!(running.line(), "6");
            fs::remove_file(&program).unwrap();
            if is_replaced {
                fs::write(&program, "what is no program").unwrap();
            }
            // Each row is a block of its own, and so gets a worker of its own.
            for _ in 0..3 {
                running.send("5,10\n");
                assert_eq!(running.line(), "5");
            }
            running.finish().is(0, "", "");
            let _ = fs::remove_file(&program);
            assert!(Command::new("cp").arg(&kept).arg(&program).status().unwrap().success());
        }
    }
}

#[test]
fn a_program_that_was_replaced_is_not_taken_for_another_by_a_loader() {
    let Some(loader) = loader() else { return };
    let world = world();
    let program = world.path("pmapgcd");
    let mut running = Running::start(Command::new(&loader).arg(&program).args(["-j2"]));
    // Once it answers a row, its first worker has been started.
    running.send("12,18\n");
    assert_eq!(running.line(), "6");
    fs::remove_file(&program).unwrap();
    // While the first worker is stopped, blocks wait, and a second worker is wanted.
    let first = running.children();
    let signal =
        |signal| first.iter().for_each(|&pid| kill_process(Pid::from_raw(pid as i32).unwrap(), signal).unwrap());
    signal(Signal::STOP);
    eventually("a second worker was to be started", || {
        running.send("5,10\n");
        thread::sleep(Duration::from_millis(5));
        running.said().contains("cannot start worker 1")
    });
    signal(Signal::CONT);
    let finished = running.finish();
    let says =
        [": cannot start worker 1: ", ", which was started through ", "has been replaced or removed; start it anew"];
    assert!(finished.status.success() && says.iter().all(|part| finished.stderr.contains(part)), "{finished:?}");
    assert_eq!(finished.stderr.lines().count(), 1, "{finished:?}");
}

#[test]
fn the_comparison_starts_the_same_program_again() {
    let Some(loader) = loader() else { return };
    let mut command = Command::new(loader);
    // All its runs are started alike. That of a command has the fewest: no ten steps, and no work that grows.
    command.arg(common::BINARY).args(["--compare", "-j1", "--json", "-c", "cat"]);
    let finished = run(&mut command, "12,18\n5,10\n");
    assert_eq!((finished.status.code(), &*finished.stderr), (Some(0), ""));
    assert!(run(&mut pmapgcd(["--version"]), "").status.success());
}
