//! The `pickle` executor's other side: CPython as the parent of our worker.

mod common;

use common::{BINARY, run};
use std::process::Command;

const PARENT: &str = r"
import math, os, pickle, random, socket, struct, subprocess, sys
ours, theirs = socket.socketpair()
environment = dict(os.environ, PMAPGCD_WORKER=f'pickle/{os.getpid()}/filter', PMAPGCD_WORKER_NUMBER='0')
worker = subprocess.Popen([sys.argv[1]], stdin=theirs, env=environment)
theirs.close()
random.seed(41)
for protocol in range(2, 4):
    for count in (0, 1, 1000):
        rows = [(random.getrandbits(64), random.getrandbits(random.choice((4, 31, 32, 64)))) for _ in range(count)]
        task = pickle.dumps(rows, protocol)
        ours.sendall(struct.pack('<Q', len(task)) + task)
        length, = struct.unpack('<Q', ours.recv(8, socket.MSG_WAITALL))
        outputs = pickle.loads(ours.recv(length, socket.MSG_WAITALL))
        assert outputs == [math.gcd(a, b) for a, b in rows], (protocol, count)
ours.close()
assert worker.wait() == 0
print('agreed')
";

#[test]
fn a_worker_serves_cpython_pickles() {
    run(Command::new("python3").args(["-c", PARENT, BINARY]), "").is(0, "agreed\n", "");
}
