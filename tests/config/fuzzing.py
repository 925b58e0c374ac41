"""Bytes that look like configuration, through the reader: run as a script, it tells what it cost.

    python tests/config/fuzzing.py BYTES SEED

Each input is read by both doors, once for the first problem and once for all. A hang is an input
that takes longer than a second of processor time; memory is the peak of this whole process.
"""

from __future__ import annotations

import json
import random
import re
import sys
import time
from pathlib import Path

from orchestrator.config import ConfigProblem, RepoConfig, config_problems, read_config
from orchestrator.config.keys import KEYS

EXAMPLE = Path(__file__).parents[2] / "config-schema/example.yml"
MOST = 66_000
YAMLISH = [
    b":", b": ", b"\n", b"\n  ", b"- ", b"? ", b"[", b"]", b"{", b"}", b", ", b"&a ", b"*a", b"!t ",
    b"!!", b"<<: ", b"|\n", b">-\n", b'"', b"'", b"\\x", b"%YAML 1.1\n", b"---\n", b"...\n", b"#",
    b"~", b"yes", b"012", b"1:30", b".nan", b"9" * 40, b"- " * 40, b"[" * 60, b"{a: " * 40, b"\r\n",
    b"@", b"`", b"true", b"0.5", "é".encode(), b"a: 1\n", b"a: b: c", b"x: {y: [z, {w: v}]}\n",
]  # fmt: skip
ODD = [
    b"\t", b"\0", b"\xff", b"\xef\xbb\xbf", b"\xe2\x80\xa8", b"\xed\xa0\x80", b"\r", b"\x1b[31m"
]  # fmt: skip
"""What ends the reading before the parser sees anything: in a part of the inputs only."""


def seeds() -> list[bytes]:
    example = EXAMPLE.read_bytes()
    keys = [f"{key.path.replace('.', ': {', 1)}: 1\n".encode() for key in KEYS]
    return [example, *example.split(b"\n\n"), *keys, *YAMLISH, b"", b"a: " + b"x" * 2_000]


def mutated(chance: random.Random, corpus: list[bytes]) -> bytes:
    data = bytearray(chance.choice(corpus))
    odd = chance.random() < 0.2
    for _ in range(chance.randint(1, 12)):
        at = chance.randint(0, len(data))
        match chance.randrange(8):
            case 0 | 1:
                data[at:at] = chance.choice(YAMLISH)
            case 2:
                data[at : at + chance.randint(1, 30)] = b""
            case 3:
                data[at:at] = chance.choice(corpus)
            case 4:
                data[at:at] = bytes(data[at : at + 200]) * chance.randint(1, 20)
            case 5:
                data[at:at] = chance.choice(KEYS).path.encode() + b": "
            case 6:
                data[at : at + 1] = bytes([chance.randrange(32, 127)])
            case _ if odd:
                data[at:at] = chance.choice([*ODD, chance.randbytes(chance.randint(1, 20))])
            case _:
                data[at:at] = bytes(chance.choices(b"abc:{}[]-\"' \n&*!#|>%@", k=8))
    return bytes(data[:MOST])


def fuzz(total: int, seed: int) -> dict[str, float]:
    """Raises for an input that is neither read nor explained; its bytes are in the message."""
    chance = random.Random(seed)
    corpus = seeds()
    done = inputs = good = 0
    slowest = 0.0
    while done < total:
        data = mutated(chance, corpus)
        if len(corpus) < 400 and chance.random() < 0.05:
            corpus.append(data)
        begun = time.process_time()
        try:
            answer = read_config(data)
            problems = config_problems(data)
        except BaseException as error:
            raise AssertionError(f"{data!r} was not explained") from error
        slowest = max(slowest, time.process_time() - begun)
        assert isinstance(answer, RepoConfig | ConfigProblem)
        assert (not problems) == isinstance(answer, RepoConfig)
        assert not problems or problems[0] == answer
        assert all(p.line >= 1 and p.column >= 1 and p.message for p in problems)
        good += isinstance(answer, RepoConfig)
        done += len(data)
        inputs += 1
    # Not `ru_maxrss`: it begins with what the process that started this one held.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak = int(re.search(r"VmHWM:\s*(\d+)", status)[1]) / 1024
    return {"bytes": done, "inputs": inputs, "good": good, "slowest": slowest, "peak_mib": peak}


if __name__ == "__main__":
    print(json.dumps(fuzz(int(sys.argv[1]), int(sys.argv[2]))))
