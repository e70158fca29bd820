//! Runs Item 41 of *Effective Python*, with the book's numbers and its trial division, under each of the four executors.
//! Only the executor's name changes between the runs. If there is a `python3`, the book's Python code runs as well, for
//! comparison.
//!
//! `cargo run --release -q --example item_41`

use pmapgcd::{Algorithm, Error, Executor, Gcd64, Pool};
use std::process::Command;
use std::time::Instant;

const NUMBERS: [[u64; 2]; 10] = [
    [1963309, 2265973],
    [2030677, 3814172],
    [1551645, 2229620],
    [2039045, 2020802],
    [1823712, 1924928],
    [2293129, 1020491],
    [1281238, 2273782],
    [3823812, 4237281],
    [3812741, 4729139],
    [1292391, 2123811],
];

fn main() -> Result<(), Error> {
    let gcd = Gcd64::new(Algorithm::Trial);
    // A worker process is this program again. It becomes a worker in this call, so nothing may come before it.
    let mut pool = Pool::new(&gcd).jobs(2);

    for executor in [Executor::Serial, Executor::Threads, Executor::Pickle, Executor::Shared] {
        pool = pool.executor(executor); // the one line that changes
        let start = Instant::now();
        let results = pool.map(&NUMBERS)?;
        println!("{:8} Took {:.3} seconds", executor.name(), start.elapsed().as_secs_f64());
        assert_eq!(results, [1, 1, 5, 1, 32, 1, 14, 9, 1, 9]);
    }

    let python = Command::new("python3").args(["-c", PYTHON]).output();
    match python {
        Ok(output) if output.status.success() => print!("{}", String::from_utf8_lossy(&output.stdout)),
        _ => println!("(no python3 to run beside it)"),
    }
    Ok(())
}

const PYTHON: &str = "
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
def gcd(pair):
    a, b = pair
    low = min(a, b)
    for i in range(low, 0, -1):
        if a % i == 0 and b % i == 0:
            return i
NUMBERS = [(1963309, 2265973), (2030677, 3814172), (1551645, 2229620), (2039045, 2020802), (1823712, 1924928),
           (2293129, 1020491), (1281238, 2273782), (3823812, 4237281), (3812741, 4729139), (1292391, 2123811)]
def took(name, run):
    start = time.perf_counter()
    results = list(run(gcd, NUMBERS))
    print(f'{name:8} Took {time.perf_counter() - start:.3f} seconds (Python)', flush=True)
took('map', map)
for executor in ThreadPoolExecutor, ProcessPoolExecutor:
    with executor(max_workers=2) as pool:
        took(executor.__name__.replace('PoolExecutor', ''), pool.map)
";
