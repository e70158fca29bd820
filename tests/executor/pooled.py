"""A class of tests that share a pool of two workers, `self.pool`."""

import unittest

import work  # noqa: F401, finds the package

import pmapgcd


class Pooled(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.pool = pmapgcd.Executor(2)

    @classmethod
    def tearDownClass(cls):
        cls.pool.shutdown()
