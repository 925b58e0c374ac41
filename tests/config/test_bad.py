"""Every kind of bad file: one place, one sentence, one hint. Expected texts are in the snapshot."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from orchestrator.config import ConfigProblem, RepoConfig, config_problems, read_config

BAD: dict[str, bytes] = {
    "unknown key": b"agents:\n  model: a/b\n",
    "unknown nested key": b"agent:\n  modle: a/b\n",
    "unknown key like none": b"zebra: 1\n",
    "key of another group": b"turn_usd: 3\n",
    "key with the wrong case": b"Agent: {}\n",
    "key with a hyphen": b"branch-prefix: x/\n",
    "unknown key deep down": b"triggers:\n  mention:\n    permision: write\n",
    "empty key": b'"": 1\n',
    "number as key": b"1: 2\n",
    "null as key": b"~: 2\n",
    "very long key": b"a" * 200 + b": 1\n",
    "duplicate": b"branch_prefix: a/\nbase_branch: b\nbranch_prefix: c/\n",
    "duplicate, quoted": b'branch_prefix: a/\n"branch_prefix": c/\n',
    "duplicate group": b"agent: {}\nagent: {}\n",
    "list as root": b"- agent\n",
    "text as root": b"agent\n",
    "number as root": b"5\n",
    "group is a number": b"agent: 5\n",
    "group is a list": b"sandbox: [local]\n",
    "text for a list": b"agent:\n  command: opencode acp\n",
    "number in a list of texts": b"agent:\n  command: [opencode, 5]\n",
    "list in a list": b"agent:\n  command: [[opencode]]\n",
    "empty text in a list": b"agent:\n  command: ['']\n",
    "long list": b"agent:\n  command: [" + b"a," * 33 + b"]\n",
    "null in a list": b"agent:\n  command: [~]\n",
    "number for a text": b"agent:\n  model: 5\n",
    "flag for a text": b"agent:\n  model: true\n",
    "list for a text": b"agent:\n  model: [a/b]\n",
    "keys for a text": b"agent:\n  model: {a: b}\n",
    "model without provider": b"agent:\n  model: sonnet\n",
    "unknown choice": b"agent:\n  effort: hihg\n",
    "choice like none": b"pull_request: maybe\n",
    "number for a choice": b"pull_request: 1\n",
    "flag for a choice": b"pull_request: false\n",
    "other provider": b"sandbox:\n  provider: docker\n",
    "long instructions": b"agent:\n  instructions: " + b"x" * 16_001 + b"\n",
    "no value": b"base_branch:\n",
    "yes for a flag": b"triggers:\n  mention:\n    enabled: yes\n",
    "off for a flag": b"triggers:\n  mention:\n    enabled: off\n",
    "number for a flag": b"triggers:\n  mention:\n    enabled: 1\n",
    "text for a number": b"sandbox:\n  cpu: two\n",
    "quoted number": b'sandbox:\n  cpu: "2"\n',
    "fraction for a whole number": b"sandbox:\n  memory_mib: 1.5\n",
    "too small": b"sandbox:\n  memory_mib: 1\n",
    "too large": b"sandbox:\n  cpu: 65\n",
    "negative": b"limits:\n  turn_minutes: -1\n",
    "not a number": b"limits:\n  turn_usd: .nan\n",
    "infinite": b"limits:\n  turn_usd: .inf\n",
    "hugely many digits": b"limits:\n  turn_usd: " + b"9" * 60 + b"\n",
    "octal by the old rules": b"limits:\n  turn_minutes: 012:30\n",
    "flag for a number": b"limits:\n  turn_usd: true\n",
    "app by name": b"triggers:\n  apps: [dependabot]\n",
    "app zero": b"triggers:\n  apps: [0]\n",
    "a user with an at sign": b'triggers:\n  mention:\n    users: [alice, "@bob"]\n',
    "a team with its organization": b"triggers:\n  mention:\n    teams: [acme/backend]\n",
    "a permission that is none": b"triggers:\n  mention:\n    permission: owner\n",
    "a label with a blank at its end": b'triggers:\n  label:\n    name: "agent "\n',
    "an alias that is no login": b"triggers:\n  assign:\n    user: open inspect\n",
    "refusals like none": b"triggers:\n  refusals: never\n",
    "a network that is none": b"sandbox:\n  network: host\n",
    "too many in an hour": b"limits:\n  thread_per_hour: 5000\n",
    "branch with a blank": b"base_branch: my branch\n",
    "branch that climbs": b"base_branch: ../main\n",
    "branch with dots": b"base_branch: a..b\n",
    "branch that ends in lock": b"base_branch: a.lock\n",
    "branch like an option": b"base_branch: --upload-pack=x\n",
    "prefix with a slash first": b"branch_prefix: /x\n",
    "prefix with nothing": b'branch_prefix: ""\n',
    "anchor": b"agent: &a\n  model: a/b\n",
    "alias": b"agent: *a\n",
    "merge key": b"agent:\n  <<: {model: a/b}\n",
    "tag": b"agent: !!map {}\n",
    "python tag": b"agent: !!python/object/apply:os.system ['true']\n",
    "local tag": b"agent: !secret x\n",
    "bare tag": b"base_branch: ! x\n",
    "directive": b"%YAML 1.1\n---\nagent: {}\n",
    "tag directive": b"%TAG ! tag:x,2000:\n---\nagent: {}\n",
    "two documents": b"agent: {}\n---\nagent: {}\n",
    "complex key": b"? [a, b]\n: 1\n",
    "tab for indentation": b"agent:\n\tmodel: a/b\n",
    "tab elsewhere": b"base_branch: main\t# x\n",
    "unclosed list": b"agent:\n  command: [a, b\n",
    "unclosed quote": b'base_branch: "main\n',
    "colon in a text": b"base_branch: a: b\n",
    "no blank after the colon": b"agent:\n  model:a/b\n",
    "bad indentation": b"agent:\n  model: a/b\n effort: low\n",
    "reserved character": b"base_branch: @main\n",
    "backtick": b"base_branch: `main`\n",
    "lone brace": b"agent: }\n",
    "bad escape": b'base_branch: "\\q"\n',
    "not UTF-8": b"base_branch: ma\xffin\n",
    "cut UTF-8": b"base_branch: \xe2\x82\n",
    "surrogate": b"base_branch: \xed\xa0\x80\n",
    "UTF-16": "agent: {}\n".encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbfagent: {}\n",
    "NUL": b"base_branch: a\x00b\n",
    "escape character": b"base_branch: \x1b[31m\n",
    "next line": "base_branch: a\u0085b\n".encode(),
    "line separator": "base_branch: a\u2028b\n".encode(),
    "turned text": "base_branch: \u202emain\n".encode(),
    "lone carriage return": b"base_branch: a\rbranch_prefix: b/\n",
    "too long a file": b"# " + b"x" * 65_536,
    "deep flow": b"agent: " + b"[" * 200 + b"]" * 200 + b"\n",
    "deep block": b"".join(b" " * n + b"a:\n" for n in range(40)),
    "many values": b"agent:\n  command: [" + b"a," * 2_500 + b"]\n",
    "many keys": b"".join(b"k%d: 1\n" % n for n in range(3_000)),
    "a pointer of Git LFS": b"version https://git-lfs.github.com/spec/v1\nsize 5\n",
    "a link's target": b"../../etc/passwd",
    "JSON with a mistake": b'{"agent": {"model": "a/b",}, "x": 1}\n',
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_says_what_is_wrong(name: str, snapshot: SnapshotAssertion) -> None:
    start = time.process_time()
    problem = read_config(BAD[name])
    assert time.process_time() - start < 0.3
    assert isinstance(problem, ConfigProblem)
    assert problem.explain() == snapshot
    assert problem == config_problems(BAD[name])[0]


def test_all_problems_are_listed_in_order() -> None:
    problems = config_problems(b"zebra: 1\nagent:\n  model: 5\nlimits:\n  turn_usd: 0\n")
    assert [(problem.line, problem.key) for problem in problems] == [
        (1, "zebra"),
        (3, "agent.model"),
        (5, "limits.turn_usd"),
    ]


def test_many_problems_are_bounded() -> None:
    data = b"".join(b"k%d: 1\n" % n for n in range(900))
    assert len(config_problems(data)) == 50


LAUGHS = [
    b"a: &a [x,x,x,x,x,x,x,x,x]\n"
    + b"".join(b"b%d: &b%d [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n" % (n, n) for n in range(9)),
    b"a: &a {x: 1}\nb: {<<: [*a, *a, *a]}\n",
    b"[" * 60_000,
    b"{" * 60_000,
    b"- " * 30_000,
    b"? " * 30_000,
    b"a: " * 20_000,
    b"!" * 60_000,
    b"&" * 60_000,
    b'"' * 60_000,
    b"'" * 60_000,
    b"| \n" * 20_000,
    b": " * 30_000,
    b"\n" * 65_000,
    b"#" * 65_000,
    b"x: 1:1" + b":1" * 30_000,
    b"%" * 60_000,
    b"---\n" * 16_000,
    b"a:\n" + b" " * 60_000 + b"b",
    b"x: " + b"9" * 60_000,
]


@pytest.mark.parametrize("number", range(len(LAUGHS)))
def test_no_file_takes_long(number: int) -> None:
    start = time.process_time()
    read_config(LAUGHS[number])
    assert time.process_time() - start < 0.5


YAMLISH = st.lists(
    st.sampled_from(
        ["agent", "model", ":", " ", "\n", "  ", "- ", "[", "]", "{", "}", ",", '"', "'", "|", ">",
         "#", "&a", "*a", "!t", "<<", "?", "%", "---", "...", "5", "true", "~", "limits", "\\", "é"]
    ),
    max_size=60,
).map("".join)  # fmt: skip


@settings(max_examples=300)
@given(
    st.binary(max_size=200)
    | YAMLISH.map(str.encode)
    | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass"))
)
def test_any_bytes_are_read_or_explained(data: bytes) -> None:
    answer = read_config(data)
    if isinstance(answer, ConfigProblem):
        assert answer.line >= 1 and answer.column >= 1
        assert answer.message
        assert "\n" not in answer.message
    else:
        assert isinstance(answer, RepoConfig)
