"""What `concurrent.futures` promises: futures, exceptions, order, timeouts, cancelling, initializers."""

import concurrent.futures
import functools
import gc
import itertools
import math
import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import weakref

from pooled import Pooled

import work

import pmapgcd


class Calls(Pooled):
    def test_it_is_an_executor(self):
        self.assertIsInstance(self.pool, concurrent.futures.Executor)
        self.assertEqual(self.pool.submit(work.add, 1, 2, c=3).result(), 6)
        self.assertEqual(self.pool.submit(os.getcwd).result(), os.getcwd())
        futures = [self.pool.submit(work.same, n) for n in range(50)]
        self.assertEqual({one.result() for one in concurrent.futures.as_completed(futures)}, set(range(50)))
        done, rest = concurrent.futures.wait(futures)
        self.assertEqual((len(done), rest), (50, set()))

    def test_a_map_is_in_order_whatever_calls_take(self):
        times = [0.03, 0, 0.01, 0, 0.02] * 4
        self.assertEqual(list(self.pool.map(work.slept, times)), times)
        self.assertEqual(list(self.pool.map(work.pair, range(1000), itertools.count(5))), list(zip(range(1000), itertools.count(5))))
        self.assertEqual(list(self.pool.map(pow, [])), [])
        self.assertEqual(list(self.pool.map(pow)), [])

    def test_values_are_taken_as_zip_takes_them(self):
        one = iter(range(1000))
        self.assertEqual(list(self.pool.map(work.pair, one, one)), list(zip(*[iter(range(1000))] * 2)))
        left = iter(range(10))
        self.assertEqual(list(self.pool.map(work.pair, [1, 2, 3], left)), [(1, 0), (2, 1), (3, 2)])
        self.assertEqual(next(left), 3)
        with self.assertRaises(TypeError):
            self.pool.map(abs, 5)

    def test_a_map_is_lazy(self):
        taken = []

        def numbers():
            for n in itertools.count():
                taken.append(n)
                yield n

        results = self.pool.map(work.slept, (0.001 * (n >= 0) for n in numbers()))
        self.assertLess(len(taken), 20)
        self.assertEqual(next(results), 0.001)
        time.sleep(0.3)
        self.assertLess(len(taken), 20)
        self.assertEqual(len(list(itertools.islice(results, 300))), 300)
        results.close()
        self.assertLess(len(taken), 5000)
        with self.assertRaises(StopIteration):
            next(results)

    def test_the_input_is_taken_in_the_thread_that_reads(self):
        seen = set()

        def numbers():
            for n in range(20000):
                seen.add(threading.get_ident())
                yield n

        self.assertEqual(sum(self.pool.map(abs, numbers())), sum(range(20000)))
        self.assertEqual(seen, {threading.get_ident()})

    def test_the_input_may_raise(self):
        def numbers():
            yield from range(100)
            raise KeyError("input")

        found = []
        with self.assertRaises(KeyError):
            for n in self.pool.map(abs, numbers()):
                found.append(n)
        self.assertEqual(found, list(range(len(found))))
        with self.assertRaises(KeyError):
            self.pool.map(abs, (wrong[n] for wrong in [{}] for n in "a"))

    def test_buffersize_bounds_what_is_taken(self):
        taken = []
        results = self.pool.map(abs, (taken.append(n) or n for n in range(10000)), buffersize=3)
        for n in results:
            self.assertLessEqual(len(taken) - n, 5)
        with self.assertRaises(ValueError):
            self.pool.map(abs, [1], buffersize=0)
        with self.assertRaises(TypeError):
            self.pool.map(abs, [1], buffersize="1")

    def test_chunksize_is_accepted_and_checked(self):
        self.assertEqual(list(self.pool.map(abs, range(-99, 0), chunksize=7)), list(range(99, 0, -1)))
        with self.assertRaisesRegex(ValueError, "chunksize must be >= 1"):
            self.pool.map(abs, [1], chunksize=0)

    def test_an_exception_has_its_traceback(self):
        future = self.pool.submit(work.fails_at, 3, 3)
        error = future.exception()
        self.assertEqual((type(error), error.args), (ValueError, ("at 3",)))
        self.assertIn("told in the traceback", str(error.__cause__))
        self.assertNotIn("_worker.py", str(error.__cause__))
        found = []
        with self.assertRaisesRegex(ValueError, "at 1234") as caught:
            for value in self.pool.map(functools.partial(work.fails_at, 1234), range(5000)):
                found.append(value)
        self.assertEqual(found, list(range(1234)))
        self.assertIn("told in the traceback", str(caught.exception.__cause__))
        with self.assertRaisesRegex(RuntimeError, "Odd: 1 .*cannot be pickled.*TypeError"):
            self.pool.submit(work.raises_odd, 1).result()
        with self.assertRaises(SystemExit):
            self.pool.submit(sys.exit, 4).result()
        with self.assertRaises(StopIteration):
            self.pool.submit(next, iter([])).result()
        error = self.pool.submit(work.stops, 7).exception()
        self.assertEqual((type(error), error.args), (StopIteration, (7,)))
        self.assertIn("told in the traceback", str(error.__cause__))
        self.assertEqual(self.pool.submit(abs, -1).result(), 1)

    def test_what_cannot_be_pickled_harms_its_own_call_alone(self):
        with self.assertRaisesRegex(TypeError, "it does not want to"):
            self.pool.submit(work.same, work.Unpicklable()).result()
        with self.assertRaisesRegex(OSError, "not here"):
            self.pool.submit(work.same, work.Explosive()).result()
        values = list(range(3000))
        for bad, error in ((work.Unpicklable(), TypeError), (work.Explosive(), OSError)):
            found = []
            with self.assertRaises(error):
                for value in self.pool.map(work.same, values[:2345] + [bad] + values):
                    found.append(value)
            self.assertEqual(found, values[:2345])
        for function, error in ((work.unpicklable_at, TypeError), (work.explosive_at, OSError)):
            found = []
            with self.assertRaises(error):
                for value in self.pool.map(functools.partial(function, 1700), values):
                    found.append(value)
            self.assertEqual(len(found), 1700)

    def test_functions_come_by_name_or_by_cloudpickle(self):
        counts = list(self.pool.map(work.Counter(), range(40)))
        self.assertEqual(sorted(set(counts)), list(range(1, max(counts) + 1)))
        self.assertEqual([self.pool.submit(work.Counter(), 0).result() for _ in range(3)], [1, 1, 1])
        self.assertEqual(list(self.pool.map(str.upper, ["a", "b"])), ["A", "B"])
        self.assertEqual(list(self.pool.map("x-y".split, ["-", "y"])), [["x", "y"], ["x-", ""]])
        self.assertEqual([self.pool.submit([3, 1].pop).result() for _ in range(4)], [1] * 4)
        many = [functools.partial(work.add, c=n) for n in range(30)]
        self.assertEqual([self.pool.submit(one, 1).result() for one in many * 2], list(range(1, 31)) * 2)
        base = 5
        try:
            import cloudpickle  # noqa: F401
        except ImportError:
            with self.assertRaisesRegex(TypeError, "install cloudpickle"):
                self.pool.submit(lambda: base).result()
            with self.assertRaisesRegex(TypeError, "install cloudpickle"):
                self.pool.map(lambda n: n + base, [1])
        else:
            self.assertEqual(self.pool.submit(lambda: base).result(), 5)
            self.assertEqual(list(self.pool.map(lambda n: n + base, range(100))), list(range(5, 105)))
            # What even that cannot send is told in the same way.
            with self.assertRaisesRegex(TypeError, "workers cannot import"):
                self.pool.map(functools.lru_cache(lambda n: n), [1])
        with self.assertRaisesRegex(TypeError, "a function is expected"):
            self.pool.map(5, [1])

    def test_timeouts_are_those_of_the_map(self):
        self.assertEqual(list(self.pool.map(work.slept, [0, 0.01, 0], timeout=600)), [0, 0.01, 0])
        with pmapgcd.Executor(1) as pool:
            results = pool.map(work.slept, [600], timeout=0.1)
            # The time runs from the call.
            time.sleep(0.2)
            with self.assertRaises(concurrent.futures.TimeoutError):
                next(results)
            with self.assertRaises(concurrent.futures.TimeoutError):
                pool.submit(work.slept, 0).result(timeout=0.01)
            pool._kill()
        with self.assertRaises(TypeError):
            self.pool.map(abs, [1], timeout="a")

    def test_results_are_let_go(self):
        for value in self.pool.map(work.Counter, []):
            self.fail(value)
        for value in self.pool.map(work.explosive_at, [-1] * 2000, range(2000)):
            last, value = weakref.WeakSet(), None
            self.assertEqual((len(last), value), (0, None))
        future = self.pool.submit(work.same, [1])
        future.result()
        argument = threading.Event.__class__
        del future, argument
        gc.collect()

    def test_a_worker_may_have_an_executor_of_its_own(self):
        self.assertEqual(self.pool.submit(work.nested, [-1, -2]).result(), [1, 2])


class Pools(unittest.TestCase):
    def test_arguments_are_checked(self):
        for wrong, error in ((0, ValueError), (-1, ValueError), ("2", TypeError), (1.5, TypeError)):
            with self.assertRaises(error):
                pmapgcd.Executor(wrong)
        with self.assertRaisesRegex(ValueError, "never forked"):
            pmapgcd.Executor(1, mp_context=multiprocessing.get_context("fork"))
        with self.assertRaises(TypeError):
            pmapgcd.Executor(1, initializer=5)
        with self.assertRaises(ValueError):
            pmapgcd.Executor(1, max_tasks_per_child=0)
        with pmapgcd.Executor(mp_context=multiprocessing.get_context("spawn")) as pool:
            self.assertEqual(pool._max_workers, len(os.sched_getaffinity(0)))
            self.assertEqual(pool.submit(math.gcd, 12, 18).result(), 6)

    def test_no_more_workers_than_needed_are_started(self):
        with pmapgcd.Executor(5) as pool:
            self.assertEqual(work.children(), [])
            for n in range(5):
                pool.submit(abs, n).result()
            self.assertEqual(len(work.children()), 1)

    def test_the_initializer_is_called_first(self):
        with pmapgcd.Executor(2, initializer=work.initialize, initargs=(41,)) as pool:
            self.assertEqual(set(pool.map(work.initialized, range(100))), {41})

    def test_an_initializer_that_fails_breaks_the_pool(self):
        for initializer, argument, words in ((work.fail, (), "initializer"), (os._exit, (3,), "no worker can be started: .*status 3.* initializer")):
            with pmapgcd.Executor(2, initializer=initializer, initargs=argument) as pool:
                future = pool.submit(abs, -1)
                with self.assertRaisesRegex(concurrent.futures.BrokenExecutor, words) as caught:
                    future.result(300)
                if initializer is work.fail:
                    self.assertIn("the initializer's own", str(caught.exception.__cause__))
                with self.assertRaises(concurrent.futures.BrokenExecutor):
                    pool.submit(abs, -1)
                with self.assertRaises(concurrent.futures.BrokenExecutor):
                    pool.map(abs, [1])

    def test_workers_are_replaced(self):
        with pmapgcd.Executor(1, max_tasks_per_child=3) as pool:
            pids = [pool.submit(work.pid).result() for _ in range(9)]
            self.assertEqual([len(set(pids[start : start + 3])) for start in (0, 3, 6)], [1, 1, 1])
            self.assertEqual(len(set(pids)), 3)
            self.assertEqual(len(list(pool.map(work.same, range(3000)))), 3000)

    def test_what_has_not_begun_can_be_cancelled(self):
        with pmapgcd.Executor(1) as pool:
            first = pool.submit(work.slept, 0.5)
            others = [pool.submit(work.slept, 60) for _ in range(5)]
            while not first.running():
                time.sleep(0.01)
            self.assertFalse(first.cancel())
            self.assertTrue(all(one.cancel() for one in others))
            self.assertEqual(first.result(), 0.5)
            self.assertEqual(pool.submit(abs, -1).result(), 1)
            with self.assertRaises(concurrent.futures.CancelledError):
                others[0].result()

    def test_several_threads_may_use_one_pool(self):
        found = {}

        def use(pool, number):
            found[number] = (list(pool.map(work.add, range(3000), [number] * 3000)), pool.submit(abs, -number).result())

        with pmapgcd.Executor(2) as pool:
            threads = [threading.Thread(target=use, args=(pool, number)) for number in range(6)]
            for one in threads:
                one.start()
            for one in threads:
                one.join()
        for number in range(6):
            self.assertEqual(found[number], ([n + number for n in range(3000)], number))

    def test_chunks_are_cut_by_what_calls_cost(self):
        with pmapgcd.Executor(2) as pool:
            jobs = []
            put, pool._pool.put = pool._pool.put, lambda job: (jobs.append(job.rows), put(job))
            self.assertEqual(sum(pool.map(abs, range(300_000))), sum(range(300_000)))
            self.assertEqual(sum(jobs), 300_000)
            # The first ones are single.
            self.assertEqual(jobs[:2], [1, 1])
            self.assertLess(len(jobs), 3000)
            with tempfile.TemporaryDirectory() as folder:
                # Calls that are slow after many that are quick, and calls of the same pool with other functions.
                times = [0.0] * 5000 + [0.05] * 6
                self.assertEqual(list(pool.map(work.slept, times)), times)
                self.assertEqual(len(list(pool.map(work.noted, [folder] * 500, range(500)))), 500)
                self.assertEqual(len(os.listdir(folder)), 500)


MAIN = """
import sys
sys.path[:0] = {path!r}
import pmapgcd
class Point:
    def __init__(self, x): self.x = x
    def __eq__(self, other): return type(other) is Point and other.x == self.x
def twice(point): return Point(2 * point.x)
print("imported", __name__, sys.argv[1:])
if __name__ == "__main__":
    with pmapgcd.Executor(1) as pool:
        print(list(pool.map(twice, map(Point, range(100)))) == [Point(2 * x) for x in range(100)])
        sys.stdout.flush()
"""


class Mains(unittest.TestCase):
    def run_main(self, text, *arguments, stdin=None):
        path = [os.path.dirname(os.path.abspath(__file__)), os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "python")]
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "script.py"), "w") as file:
                file.write(text.format(path=path))
            command = [sys.executable, *(arguments or ("script.py", "an argument"))]
            given = stdin.format(path=path) if stdin else None
            return subprocess.run(command, cwd=folder, input=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=300)

    def test_functions_of_the_main_module_are_imported_as_by_spawn(self):
        for arguments in ((), ("-m", "script", "an argument")):
            done = self.run_main(MAIN, *arguments)
            self.assertEqual(done.stderr, "")
            lines = ["imported __main__ ['an argument']", "True", "imported __mp_main__ ['an argument']"]
            self.assertEqual(sorted(done.stdout.splitlines()), sorted(lines))

    def test_a_script_that_starts_a_pool_when_it_is_imported_is_told_so(self):
        done = self.run_main(MAIN.replace('if __name__ == "__main__":', "if True:"))
        self.assertNotEqual(done.returncode, 0)
        self.assertIn('put what starts it below `if __name__ == "__main__":`', done.stderr)

    def test_an_interactive_session_is_told_about_cloudpickle(self):
        text = "import sys\nsys.path[:0] = {path!r}\nimport pmapgcd\ndef f(x): return x + 1\npool = pmapgcd.Executor(1)\n"
        text += "print(pool.submit(abs, -5).result())\nprint(pool.submit(f, 1).result())\n"
        done = self.run_main("", "-", stdin=text)
        try:
            import cloudpickle  # noqa: F401
        except ImportError:
            self.assertEqual(done.stdout, "5\n")
            self.assertIn("interactive session", done.stderr)
        else:
            self.assertEqual((done.stdout, done.stderr), ("5\n2\n", ""))


if __name__ == "__main__":
    unittest.main()
