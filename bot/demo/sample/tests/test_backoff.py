import unittest

from patient import Constant, Exponential, Jittered


class ConstantTest(unittest.TestCase):
    def test_every_pause_is_the_same(self):
        self.assertEqual([Constant(3).pause(n) for n in (1, 2, 9)], [3, 3, 3])


class ExponentialTest(unittest.TestCase):
    def test_each_pause_is_a_factor_longer(self):
        backoff = Exponential(first=1, factor=3)
        self.assertEqual([backoff.pause(n) for n in (1, 2, 3)], [1, 3, 9])

    def test_no_pause_is_longer_than_the_limit(self):
        self.assertEqual(Exponential(first=1, limit=10).pause(50), 10)

    def test_a_huge_attempt_number_does_not_overflow(self):
        self.assertEqual(Exponential(limit=10).pause(100_000), 10)

    def test_it_has_to_grow(self):
        with self.assertRaises(ValueError):
            Exponential(factor=0.5)


class JitteredTest(unittest.TestCase):
    def test_the_pause_is_shortened_by_a_share_of_it(self):
        backoff = Jittered(Constant(10), share=0.4, rand=lambda: 0.5)
        self.assertAlmostEqual(backoff.pause(1), 8)

    def test_it_stays_between_the_shortened_and_the_whole_pause(self):
        backoff = Jittered(Constant(10), share=0.5)
        for attempt in range(1, 200):
            self.assertTrue(5 <= backoff.pause(attempt) <= 10)

    def test_a_share_above_one_is_refused(self):
        with self.assertRaises(ValueError):
            Jittered(Constant(1), share=1.5)
