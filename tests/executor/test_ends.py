"""How pools end: by shutdown, by the end of the program, by KeyboardInterrupt at any moment, by kill -9. Nothing is left of them."""

import concurrent.futures
import gc
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import warnings

import work

import pmapgcd

HERE = os.path.dirname(os.path.abspath(__file__))


def descriptors():
    gc.collect()
    return sorted(os.listdir("/proc/self/fd"), key=int)


def start(text, **options):
    """Starts a program in which `work` and `pmapgcd` are there, in a folder of its own."""
    # In the background of a shell, SIGINT is ignored, and so it would be here.
    front = f"import sys\nsys.path.insert(0, {HERE!r})\nimport work, pmapgcd, time, os, atexit, signal\n"
    front += "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    command = [sys.executable, "-W", "error", "-c", front + text]
    # Without a buffer, lines of two workers may be mixed.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


class Ends(unittest.TestCase):
    def run_to_end(self, text, **options):
        process = start(text, **options)
        output, error = process.communicate(timeout=300)
        return process.returncode, output, error

    def test_nothing_is_left_of_a_pool(self):
        with pmapgcd.Executor(1) as pool:
            pool.submit(abs, 1).result()
        before = descriptors()
        for _ in range(3):
            with pmapgcd.Executor(2) as pool:
                futures = [pool.submit(work.dies, "exit", 1, n) for n in range(3)]
                self.assertEqual(sum(pool.map(abs, range(1000))), sum(range(1000)))
                self.assertIsInstance(futures[1].exception(), pmapgcd.WorkerDied)
                # Others may have files in /dev/shm. A pool has none there that it could leave behind.
                for pid in ("self", *work.children()):
                    with open(f"/proc/{pid}/maps") as maps:
                        self.assertNotIn("/dev/shm", maps.read())
            self.assertEqual((work.children(), work.threads()), ([], []))
            del pool, futures
        self.assertEqual(descriptors(), before)

    def test_a_pool_that_nobody_refers_to_ends(self):
        pool = pmapgcd.Executor(2)
        results = pool.map(abs, range(-5, 5))
        future = pool.submit(work.slept, 0.2)
        del pool
        self.assertEqual(future.result(), 0.2)
        self.assertEqual(list(results), [5, 4, 3, 2, 1, 0, 1, 2, 3, 4])
        del results
        gc.collect()
        for thread in work.threads():
            thread.join(200)
        self.assertEqual((work.children(), work.threads()), ([], []))

    def test_shutdown_ends_what_was_asked_for(self):
        pool = pmapgcd.Executor(2)
        results, futures = pool.map(work.same, range(5000)), [pool.submit(work.slept, 0.01) for _ in range(20)]
        pool.shutdown(wait=False)
        with self.assertRaisesRegex(RuntimeError, "after shutdown"):
            pool.submit(abs, 1)
        with self.assertRaisesRegex(RuntimeError, "after shutdown"):
            pool.map(abs, [1])
        self.assertEqual([one.result() for one in futures], [0.01] * 20)
        self.assertEqual(list(results), list(range(5000)))
        pool.shutdown()
        pool.shutdown()
        self.assertEqual(work.children(), [])

    def test_shutdown_may_cancel_what_has_not_begun(self):
        pool = pmapgcd.Executor(1)
        futures = [pool.submit(work.slept, 0.5) for _ in range(5)]
        results = pool.map(work.slept, [0.1] * 10)
        while not futures[0].running():
            time.sleep(0.01)
        pool.shutdown(cancel_futures=True)
        self.assertEqual(futures[0].result(), 0.5)
        self.assertTrue(all(one.cancelled() for one in futures[1:]))
        with self.assertRaises(concurrent.futures.CancelledError):
            list(results)

    def test_a_map_that_nobody_reads_is_done_and_one_that_is_read_is_not(self):
        with tempfile.TemporaryDirectory() as folder:
            with pmapgcd.Executor(2) as pool:
                pool.map(work.noted, [folder] * 3000, (n for n in range(3000)))
            self.assertEqual(len(os.listdir(folder)), 3000)
        with pmapgcd.Executor(2) as pool:
            begun = pool.map(abs, iter(int, 1))
            self.assertEqual([next(begun), next(begun)], [0, 0])
        with self.assertRaisesRegex(RuntimeError, "shut down before all rows"):
            for _ in begun:
                pass

    def test_rows_that_were_taken_before_a_shutdown_can_be_read_after_it(self):
        taken = []

        def numbers(most):
            for n in range(most):
                taken.append(n)
                yield n

        for wait in (True, False):
            for source in (numbers(1 << 60), range(1 << 60)):
                taken.clear()
                pool = pmapgcd.Executor(2)
                results = pool.map(work.same, source)
                found = [next(results) for _ in range(2000)]
                count = len(taken)
                pool.shutdown(wait)
                with self.assertRaisesRegex(RuntimeError, "shut down before all rows"):
                    for value in results:
                        found.append(value)
                self.assertEqual(found, list(range(len(found))))
                self.assertGreater(len(found), 2000)
                if count:
                    # One more is taken, to see whether there is one.
                    self.assertEqual((len(found), len(taken)), (count, count + 1))
                pool.shutdown()
            # All are taken.
            pool = pmapgcd.Executor(2)
            results = pool.map(work.same, numbers(4))
            self.assertEqual(next(results), 0)
            pool.shutdown(wait)
            self.assertEqual(list(results), [1, 2, 3])
            pool.shutdown()

    def test_work_is_done_at_the_end_of_the_program(self):
        text = "if __name__ == '__main__':\n pool = pmapgcd.Executor(2)\n pool.submit(print, 'apple')\n pool.map(print, ['pear'] * 3)\n{}"
        for last in ("", " pool.shutdown(wait=False)", " del pool"):
            status, output, error = self.run_to_end(text.format(last))
            self.assertEqual((status, sorted(output.split()), error), (0, ["apple"] + ["pear"] * 3, ""))

    def test_a_program_that_is_ending_is_told(self):
        text = "if __name__ == '__main__':\n pool = pmapgcd.Executor(1)\n pool.submit(abs, 1).result()\n"
        text = "@atexit.register\ndef late():\n  try:\n    pool.submit(abs, 1)\n  except RuntimeError as error:\n    print(error)\n" + text
        text = text.replace("@atexit.register\n", "") + " atexit.unregister(pmapgcd._ends.at_exit)\n"
        text += " atexit.register(late)\n atexit.register(pmapgcd._ends.at_exit)\n"
        status, output, error = self.run_to_end(text)
        self.assertEqual((status, output, error), (0, "cannot schedule new futures after shutdown\n", ""))

    def test_an_interrupt_at_any_moment_leaves_nothing_behind(self):
        # In a session of its own, whose whole group gets the signal, as from a terminal.
        uses = (
            " with pmapgcd.Executor(2) as pool:\n  print('started', flush=True)\n  for n in pool.map(work.slept, iter(lambda: 0.01, 1)): pass\n",
            " with pmapgcd.Executor(2) as pool:\n  print('started', flush=True)\n  [pool.submit(work.slept, 30).result() for _ in range(9)]\n",
            " pool = pmapgcd.Executor(2)\n print('started', flush=True)\n list(pool.map(work.slept, [30] * 9))\n",
            " print('started', flush=True)\n while True:\n  with pmapgcd.Executor(2) as pool: sum(pool.map(abs, range(50000)))\n",
        )
        randoms = random.Random(5)
        for number in range(int(os.environ.get("PMAPGCD_ROUNDS", "12"))):
            process = start(f"if __name__ == '__main__':\n{uses[number % len(uses)]}", start_new_session=True)
            process.stdout.readline()
            time.sleep(0.4 * randoms.random())
            workers = work.children(process.pid)
            os.killpg(process.pid, signal.SIGINT)
            output, error = process.communicate(timeout=300)
            self.assertTrue(error.rstrip().endswith("KeyboardInterrupt"), (number, error))
            self.assertNotIn("Warning", error)
            self.assertEqual(process.returncode, -signal.SIGINT, (number, error))
            self.assertEqual(work.gone(workers + work.children(process.pid)), [], number)

    def test_a_pool_goes_on_after_an_interrupt_that_is_caught(self):
        text = """
import signal, random, threading
if __name__ == '__main__':
    caught = rounds = 0
    def interrupt():
        while not over.wait(0.05 * random.random()):
            os.kill(os.getpid(), signal.SIGINT)
    over = threading.Event()
    with pmapgcd.Executor(2) as pool:
        sum(pool.map(abs, range(10)))
        thread = threading.Thread(target=interrupt)
        thread.start()
        while caught < 20:
            try:
                while True:
                    assert sum(pool.map(abs, range(30000))) == sum(range(30000))
                    assert pool.submit(abs, -1).result() == 1
                    rounds += 1
            except KeyboardInterrupt:
                caught += 1
        while True:
            try:
                over.set()
                thread.join()
                break
            except KeyboardInterrupt:
                pass
        time.sleep(0.1)
        print(sum(pool.map(abs, range(30000))) == sum(range(30000)))
"""
        status, output, error = self.run_to_end(text)
        self.assertEqual((status, output, error), (0, "True\n", ""))

    def test_workers_end_at_once_when_their_parent_is_killed(self):
        for task in ("work.slept, 900", "work.spins, 900", "abs, 1"):
            text = f"if __name__ == '__main__':\n pool = pmapgcd.Executor(1)\n f = pool.submit({task})\n"
            process = start(text + " print(1, flush=True)\n time.sleep(900)")
            process.stdout.readline()
            end = time.monotonic() + 200
            while not work.children(process.pid) and time.monotonic() < end:
                time.sleep(0.01)
            time.sleep(0.3)
            workers = work.children(process.pid)
            self.assertEqual(len(workers), 1)
            process.kill()
            process.communicate()
            self.assertEqual(work.gone(workers), [])

    def test_a_process_that_is_forked_has_no_part_in_the_pool(self):
        with pmapgcd.Executor(1) as pool:
            pool.submit(abs, 1).result()
            with warnings.catch_warnings():
                # Python 3.12 and newer warn of threads.
                warnings.simplefilter("ignore", DeprecationWarning)
                child = os.fork()
            if child == 0:
                try:
                    pool.submit(abs, 1).result(300)
                except concurrent.futures.BrokenExecutor:
                    os._exit(7)
                os._exit(1)
            self.assertEqual(os.waitpid(child, 0)[1] >> 8, 7)
            self.assertEqual(pool.submit(abs, -2).result(), 2)

    def test_a_process_that_is_forked_keeps_what_others_have_opened_since(self):
        # Each pool is referred to until the end: one that was shut down, one whose workers died, and one that nobody gave work to.
        text = """
import multiprocessing, signal, warnings
warnings.simplefilter("ignore", DeprecationWarning)
def ends_well():
    opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(40)]
    child = os.fork()
    if child == 0:
        try:
            for one in opened: os.fstat(one)
        except OSError:
            os._exit(1)
        os._exit(0)
    for one in opened: os.close(one)
    return os.waitpid(child, 0)[1] == 0
if __name__ == "__main__":
    with pmapgcd.Executor(2) as ended:
        list(ended.map(abs, range(-3, 3)))
    new = pmapgcd.Executor(2)
    print(ends_well())
    with pmapgcd.Executor(2, max_tasks_per_child=2) as running:
        futures = [running.submit(work.dies, "SIGSEGV", 3, n) for n in range(5)]
        print([isinstance(one.exception(), pmapgcd.WorkerDied) for one in futures])
        print(ends_well())
    context = multiprocessing.get_context("fork")
    with context.Pool(2) as pool:
        print(pool.map(abs, range(-2, 2)))
    print(list(new.map(abs, [-5])))
"""
        status, output, error = self.run_to_end(text)
        self.assertEqual((status, error), (0, ""))
        expected = ["True", str([False, False, False, True, False]), "True", "[2, 1, 0, 1]", "[5]"]
        self.assertEqual(output.splitlines(), expected)

    def test_an_initializer_may_have_a_lock_of_a_manager(self):
        # In a program of its own, because multiprocessing leaves a process of its own running.
        text = "import multiprocessing\nif __name__ == '__main__':\n with multiprocessing.get_context('spawn').Manager() as manager:\n"
        text += "  with pmapgcd.Executor(2, initializer=work.initialize, initargs=(manager.Lock(),)) as pool:\n"
        status, output, error = self.run_to_end(text + "   print(list(pool.map(work.locks, range(3))))\n")
        self.assertEqual((status, output, error), (0, "[True, True, True]\n", ""))

    def test_what_a_function_prints_is_printed(self):
        text = "if __name__ == '__main__':\n with pmapgcd.Executor(2) as pool:\n  list(pool.map(print, ['a'] * 50))\n"
        status, output, error = self.run_to_end(text)
        self.assertEqual((status, output, error), (0, "a\n" * 50, ""))


if __name__ == "__main__":
    unittest.main()
