"""`branches.py PERCENT FILE`: fail where fewer branches were taken, from coverage's JSON report.

`--cov-fail-under` mixes lines and branches into one figure, which hides branches. Silent where all
is well, so that the test runner's own last line stays the last one.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main(percent: str, file: str) -> int:
    report = json.loads(Path(file).read_text())
    totals = report["totals"]
    taken, known = totals["covered_branches"], totals["num_branches"]
    if known and 100 * taken / known >= float(percent):
        return 0
    for name, one in report["files"].items():
        for start, end in one["missing_branches"]:
            where = f"to line {end}" if end > 0 else "to its end"
            print(f"{name}:{start}: never went on {where}")
    print(f"{taken} of {known} branches were taken; {percent} % are needed")
    return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
