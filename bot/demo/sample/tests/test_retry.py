import unittest

from patient import Constant, GaveUp, ManualClock, retry, retrying


class Flaky:
    """Fails `failures` times, then answers; remembers when it was called."""

    def __init__(self, failures, clock, takes=0.0):
        self.failures = failures
        self.clock = clock
        self.takes = takes
        self.called_at = []

    def __call__(self):
        self.called_at.append(self.clock.now())
        self.clock.advance(self.takes)
        if len(self.called_at) <= self.failures:
            raise ConnectionError(f"failure {len(self.called_at)}")
        return "answer"


class RetryTest(unittest.TestCase):
    def setUp(self):
        self.clock = ManualClock()

    def test_a_first_success_never_sleeps(self):
        self.assertEqual(retry(Flaky(0, self.clock), clock=self.clock), "answer")
        self.assertEqual(self.clock.sleeps, [])

    def test_it_pauses_between_attempts(self):
        call = Flaky(2, self.clock)
        self.assertEqual(retry(call, backoff=Constant(3), clock=self.clock), "answer")
        self.assertEqual(call.called_at, [0, 3, 6])

    def test_it_gives_up_when_no_attempt_is_left(self):
        call = Flaky(99, self.clock)
        with self.assertRaises(GaveUp) as caught:
            retry(call, attempts=3, backoff=Constant(1), clock=self.clock)
        self.assertEqual(caught.exception.attempts, 3)
        self.assertIsInstance(caught.exception.__cause__, ConnectionError)
        self.assertEqual(self.clock.sleeps, [1, 1])

    def test_other_exceptions_come_through_at_once(self):
        def broken():
            raise KeyError("not worth another try")

        with self.assertRaises(KeyError):
            retry(broken, retry_on=(ConnectionError,), clock=self.clock)
        self.assertEqual(self.clock.sleeps, [])

    def test_at_least_one_attempt_is_allowed(self):
        with self.assertRaises(ValueError):
            retry(lambda: None, attempts=0)


class DeadlineTest(unittest.TestCase):
    def setUp(self):
        self.clock = ManualClock()

    def test_a_slow_call_is_not_repeated_after_the_deadline(self):
        call = Flaky(99, self.clock, takes=30)
        with self.assertRaises(GaveUp):
            retry(call, backoff=Constant(1), deadline=10, clock=self.clock)
        self.assertEqual(call.called_at, [0])

    def test_no_attempt_starts_after_the_deadline(self):
        call = Flaky(99, self.clock)
        with self.assertRaises(GaveUp) as caught:
            retry(call, backoff=Constant(4), attempts=9, deadline=10, clock=self.clock)
        self.assertEqual(call.called_at, [0, 4, 8])
        self.assertEqual(caught.exception.attempts, 3)


class RetryingTest(unittest.TestCase):
    def test_it_keeps_the_name_and_passes_arguments(self):
        clock = ManualClock()

        @retrying(clock=clock)
        def double(number):
            return 2 * number

        self.assertEqual(double(21), 42)
        self.assertEqual(double.__name__, "double")
