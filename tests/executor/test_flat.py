"""The memory of a long map does not grow with it: neither this process's nor the workers'."""

import os
import unittest

import work

import pmapgcd

COUNT = int(float(os.environ.get("PMAPGCD_ITEMS", "1e7")))


def resident(pid="self"):
    """Returns the kilobytes that a process has in memory, and what is shared among them."""
    with open(f"/proc/{pid}/status") as file:
        return int(next(line for line in file if line.startswith("VmRSS:")).split()[1])


class Flat(unittest.TestCase):
    def test_ten_million_items_of_a_generator(self):
        with pmapgcd.Executor(2) as pool:
            total, early, late = 0, 0, 0
            for n in pool.map(abs, (-n for n in range(COUNT))):
                total += n
                if n % 500_000 == 0:
                    now = sum(map(resident, ["self", *work.children()]))
                    if n <= COUNT // 5:
                        early = max(early, now)
                    else:
                        late = max(late, now)
            self.assertEqual(total, COUNT * (COUNT - 1) // 2)
            print(f"{early} KB in the first fifth, {late} KB later", flush=True)
            self.assertLess(late, 1.25 * early)

    def test_a_large_call_leaves_no_memory_behind(self):
        with pmapgcd.Executor(1) as pool:
            pool.submit(len, b"").result()
            before = resident(work.children()[0])
            self.assertEqual(pool.submit(len, bytearray(300 << 20)).result(), 300 << 20)
            self.assertEqual(len(pool.submit(bytearray, 300 << 20).result()), 300 << 20)
            pool.submit(len, b"").result()
            self.assertLess(resident(work.children()[0]), before + (100 << 10))


if __name__ == "__main__":
    unittest.main()
