"""Workers that die, are stopped, or have no memory left: only the call that is to blame is harmed, and the pool goes on."""

import functools
import os
import random
import signal
import tempfile
import threading
import time
import unittest

import work

import pmapgcd


class Deaths(unittest.TestCase):
    def setUp(self):
        self.pool = pmapgcd.Executor(2)

    def tearDown(self):
        self.pool.shutdown()
        self.assertEqual(work.children(), [])

    def test_the_call_that_kills_is_named_and_no_other_is_harmed(self):
        for how, words in (("exit", "exited with status 3"), ("SIGSEGV", "was killed by SIGSEGV"), ("SIGABRT", "was killed by SIGABRT")):
            futures = [self.pool.submit(work.dies, how, 5, n) for n in range(9)]
            for n, future in enumerate(futures):
                if n == 5:
                    error = future.exception(300)
                    self.assertIsInstance(error, pmapgcd.WorkerDied)
                    self.assertIn(words, str(error))
                    self.assertIn(words, error.cause)
                else:
                    self.assertEqual(future.result(300), n)

    def test_a_map_ends_at_the_item_that_kills(self):
        for fatal in (0, 3, 777, 4999):
            found = []
            with self.assertRaises(pmapgcd.WorkerDied) as caught:
                for value in self.pool.map(functools.partial(work.dies, "SIGSEGV", fatal), range(5000)):
                    found.append(value)
            self.assertEqual((found, caught.exception.index), (list(range(fatal)), fatal))
        out = memoryview(bytearray(8 * 5000)).cast("q")
        with self.assertRaises(pmapgcd.WorkerDied) as caught:
            self.pool.map(functools.partial(work.dies, "exit", 2345), range(5000), out=out)
        self.assertEqual((caught.exception.index, out[:2345].tolist()), (2345, list(range(2345))))

    def test_what_kills_once_is_done_again(self):
        with tempfile.TemporaryDirectory() as folder:
            again = functools.partial(work.dies_once, "SIGSEGV", folder)
            self.assertEqual([self.pool.submit(again, n).result(300) for n in range(3)], [0, 1, 2])

    def test_a_kill_from_outside_costs_no_item(self):
        for signals in ((signal.SIGKILL,), (signal.SIGTERM, signal.SIGKILL, signal.SIGINT, signal.SIGHUP)):
            randoms, over = random.Random(3), threading.Event()
            killed = []
            with pmapgcd.Executor(1) as pool:
                begun = time.monotonic()
                pool.submit(abs, 1).result()
                # Some of them die while they start, and not all.
                pause = 3 * (time.monotonic() - begun)

            def kill(randoms=randoms, over=over, signals=signals, killed=killed, pause=pause):
                while not over.wait(pause * randoms.random()):
                    children = work.children()
                    if children:
                        killed.append(randoms.choice(children))
                        os.kill(killed[-1], randoms.choice(signals))

            killer = threading.Thread(target=kill)
            killer.start()
            try:
                values = [0.0005] * 3000
                self.assertEqual(list(self.pool.map(work.slept, values)), values)
                futures = [self.pool.submit(work.same, n) for n in range(200)]
                self.assertEqual([one.result(300) for one in futures], list(range(200)))
            finally:
                over.set()
                killer.join()
            self.assertTrue(killed)

    def test_a_worker_that_is_stopped_goes_on_later(self):
        results = self.pool.map(work.slept, [0.001] * 300)
        next(results)
        stopped = work.children()
        for one in stopped:
            os.kill(one, signal.SIGSTOP)
        threading.Timer(0.5, lambda: [os.kill(one, signal.SIGCONT) for one in stopped]).start()
        self.assertEqual(len(list(results)), 299)
        self.assertEqual(sorted(work.children()), sorted(stopped))

    def test_a_stopped_worker_does_not_keep_the_pool_from_ending(self):
        self.pool.submit(abs, 1).result()
        for one in work.children():
            os.kill(one, signal.SIGSTOP)
        self.pool.shutdown()
        self.assertEqual(work.children(), [])

    def test_memory_that_is_not_there_is_an_exception_of_its_call(self):
        with pmapgcd.Executor(1, initializer=work.limit_memory, initargs=(600 << 20,)) as pool:
            with self.assertRaises(MemoryError):
                pool.submit(bytearray, 2 << 30).result(300)
            found = []
            with self.assertRaises(MemoryError):
                for value in pool.map(work.zeros, [10] * 700 + [2 << 30] + [10] * 50):
                    found.append(value)
            self.assertEqual(len(found), 700)
            self.assertEqual(len(pool.submit(bytearray, 100 << 20).result()), 100 << 20)

    def test_a_worker_that_closes_its_socket_is_ended(self):
        with self.assertRaises(pmapgcd.WorkerDied):
            self.pool.submit(work.closes_socket, 1).result(300)
        self.assertEqual(self.pool.submit(abs, -1).result(), 1)

    def test_a_death_is_seen_though_a_child_of_the_worker_lives(self):
        with tempfile.NamedTemporaryFile() as file, self.assertRaises(pmapgcd.WorkerDied):
            self.pool.submit(work.forks, file.name).result(300)

    def test_workers_may_be_killed_while_they_start(self):
        over = threading.Event()

        def kill():
            while not over.is_set():
                for one in work.children():
                    os.kill(one, signal.SIGKILL)
                if over.wait(1):
                    return

        killer = threading.Thread(target=kill)
        killer.start()
        try:
            futures = [self.pool.submit(work.same, n) for n in range(30)]
            self.assertEqual([one.result(300) for one in futures], list(range(30)))
        finally:
            over.set()
            killer.join()


if __name__ == "__main__":
    unittest.main()
