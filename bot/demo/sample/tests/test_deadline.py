import math
import unittest

from patient import Deadline, ManualClock


class DeadlineTest(unittest.TestCase):
    def test_it_passes_when_its_time_has_come(self):
        clock = ManualClock()
        deadline = Deadline(5, clock)
        self.assertFalse(deadline.passed())
        clock.advance(5)
        self.assertTrue(deadline.passed())

    def test_what_remains_never_falls_below_zero(self):
        clock = ManualClock()
        deadline = Deadline(5, clock)
        clock.advance(2)
        self.assertEqual(deadline.remaining(), 3)
        clock.advance(60)
        self.assertEqual(deadline.remaining(), 0)

    def test_none_never_passes(self):
        self.assertEqual(Deadline(None, ManualClock()).remaining(), math.inf)

    def test_the_past_is_refused(self):
        with self.assertRaises(ValueError):
            Deadline(-1, ManualClock())
