"""Figures of one run, side by side with what they should be and with a plain way of doing it."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field


@dataclass
class Table:
    title: str
    rows: list[tuple[str, list[float], float | None]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, what: str, milliseconds: list[float], target: float | None = None) -> float:
        """Returns the median."""
        self.rows.append((what, milliseconds, target))
        return statistics.median(milliseconds)

    def missed(self) -> list[str]:
        return [
            what
            for what, taken, target in self.rows
            if target is not None and statistics.median(taken) > target
        ]

    def show(self) -> None:
        print(f"\n{self.title}")
        print(f"{'':52s} {'median':>8s} {'p95':>8s} {'min':>8s} {'max':>8s} {'n':>3s}  target")
        for what, taken, target in self.rows:
            ordered = sorted(taken)
            p95 = ordered[min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))]
            median = statistics.median(taken)
            wanted = (
                "" if target is None else f"< {target:g} {'ok' if median <= target else 'MISSED'}"
            )
            print(
                f"{what:52s} {median:8.1f} {p95:8.1f} {ordered[0]:8.1f} {ordered[-1]:8.1f}"
                f" {len(taken):3d}  {wanted}"
            )
        for note in self.notes:
            print(note)
