//! Python's `math.gcd` as a second judge of results, with integers of up to 4096 bits.

mod common;

use common::{pmapgcd, run};
use std::fs;
use std::process::Command;

const ROWS: usize = 100_000;

/// A Python script that writes rows to the first file, and the output that they must give to the second.
const JUDGE: &str = r"
import math, random, sys
rng = random.Random(4)

def prime(bits):
    while True:
        candidate = rng.getrandbits(bits) | 1 << bits - 1 | 1
        if math.gcd(candidate, 3 * 5 * 7 * 11 * 13 * 17) == 1 and pow(2, candidate - 1, candidate) == 1:
            return candidate

borders = [0, 1] + [(1 << bits) + near for bits in (63, 64, 127, 128) for near in (-1, 0, 1)]
moduli = [prime(bits) for bits in (64, 128, 256, 512) for _ in range(6)] + [2**n - 1 for n in (1279, 2203)]

def size(most=4096):
    return int(most ** rng.random())

def integer(bits):
    return rng.getrandbits(bits)

def wide():
    return integer(4096) | 1 << 4095, integer(rng.choice((64, 2048, 4095, 4096)))

def common_factor():
    factor = integer(size(3072))
    return factor * integer(size(1024)), factor * integer(size(1024))

def shared_prime():
    shared, *others = rng.sample(moduli, 3)
    return shared * others[0], shared * others[1]

pairs = [
    (27, lambda: (integer(size()), integer(size()))),
    (15, wide),
    (15, lambda: (rng.choice(borders), rng.choice(borders))),
    (10, lambda: (rng.choice(borders), integer(size()))),
    (8, lambda: (1 << rng.randrange(4096), 1 << rng.randrange(4096))),
    (5, lambda: (0, integer(size()))),
    (10, common_factor),
    (10, shared_prime),
]
weights, makers = zip(*pairs)
with open(sys.argv[1], 'w') as rows, open(sys.argv[2], 'w') as gcds:
    for maker in rng.choices(makers, weights, k=int(sys.argv[3])):
        pair = list(maker())
        rng.shuffle(pair)
        signed = [rng.choice(('', '', '+', '-')) + str(number) for number in pair]
        assert max(number.bit_length() for number in pair) <= 4096
        rows.write(','.join(signed) + '\n')
        gcds.write(f'{math.gcd(*map(int, signed))}\n')
";

#[test]
fn python_finds_the_same_divisors() {
    let folder = tempfile::tempdir().unwrap();
    let [rows, gcds] = ["rows", "gcds"].map(|name| folder.path().join(name));
    run(Command::new("python3").args(["-c", JUDGE]).args([&rows, &gcds]).arg(ROWS.to_string()), "").is(0, "", "");
    let expected = fs::read(gcds).unwrap();
    assert_eq!(expected.iter().filter(|byte| **byte == b'\n').count(), ROWS);
    for way in [&["--executor=shared", "-j", "2"][..], &["--executor=serial"]] {
        run(pmapgcd(way).arg(&rows), "").is(0, &expected, "");
    }
}
