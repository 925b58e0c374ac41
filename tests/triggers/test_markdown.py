"""Where a mention counts, and where it is only written."""

from __future__ import annotations

import time

import pytest

from orchestrator.triggers.markdown import directives
from orchestrator.triggers.regions import LONGEST_TEXT, Region

ASKED = [
    "@openinspect fix it",
    "@OpenInspect fix it",
    "@OPENINSPECT",
    "please @openinspect fix it",
    "(@openinspect fix it)",
    '"@openinspect" fix it',
    "hey,@openinspect fix",
    "@openinspect, please",
    "@openinspect: fix",
    "@openinspect.",
    "@openinspect!",
    "@openinspect?",
    "thanks @openinspect's work, go on",
    "@openinspect[bot] fix",
    "**@openinspect** fix",
    "*@openinspect* fix",
    "~~old~~ @openinspect fix",
    "# @openinspect in a heading",
    "- @openinspect in a list",
    "1. one\n2. @openinspect two",
    "- a\n  - @openinspect nested",
    "| a | b |\n|---|---|\n| @openinspect fix | x |",
    "<b>@openinspect</b> fix",
    "<details><summary>more</summary>\n\n@openinspect fix\n\n</details>",
    "<div>\n@openinspect fix\n</div>",
    "[@openinspect](https://github.com/apps/openinspect) fix",
    "> quoted\n\n@openinspect fix",
    "```\ncode\n```\n@openinspect fix",
    "~~~\ncode\n~~~\n\n@openinspect fix",
    "`code` @openinspect `more`",
    "``a ` b`` @openinspect",
    "unclosed ` backtick @openinspect fix",
    "<!-- hidden --> @openinspect fix",
    "![picture](x.png) @openinspect fix",
    "[link](x) @openinspect fix",
    "https://example.com @openinspect fix",
    "text\r\n@openinspect fix",
    "text\r@openinspect fix",
    "\n\n\n   @openinspect three blanks",
    "emoji 🎉@openinspect fix",
    "`@openinspect unclosed",
    "@openinspect` unclosed",
    "/openinspect fix it",
    "text\n/openinspect stop",
    "   /openinspect stop",
    "/OpenInspect stop",
    "/openinspect",
]

NOT_ASKED = [
    ("nothing here", None),
    ("openinspect fix it", None),
    ("@openinspector fix it", None),
    ("@openinspect-dev fix it", None),
    ("@openinspect_x fix it", None),
    ("@openinspect2 fix it", None),
    ("@openinspect/team fix it", None),
    ("@openinspect.dev fix it", None),
    ("me@openinspect.dev", None),
    ("me@openinspect", None),
    ("me.@openinspect", None),
    ("@@openinspect", None),
    ("x/@openinspect", None),
    ("\\@openinspect fix", None),
    ("foo-@openinspect", None),
    ("@open\u200binspect fix", None),
    ("x /openinspect stop", None),
    ("/openinspector stop", None),
    ("/openinspect/stop", None),
    ("> @openinspect fix", Region.QUOTE),
    ("> a\n@openinspect lazily quoted", Region.QUOTE),
    ("> > @openinspect deep", Region.QUOTE),
    ("> - @openinspect in a quoted list", Region.QUOTE),
    ("- > @openinspect quote in a list", Region.QUOTE),
    ("> /openinspect stop", None),
    ("<blockquote>@openinspect fix</blockquote>", Region.QUOTE),
    ("<blockquote>\n\n@openinspect fix\n\n</blockquote>", Region.QUOTE),
    ("`@openinspect fix`", Region.CODE),
    ("`x @openinspect fix`", Region.CODE),
    ("``a ` @openinspect``", Region.CODE),
    ("`two\nlines @openinspect`", Region.CODE),
    ("```\n@openinspect fix\n```", Region.CODE),
    ("```sh\n/openinspect stop\n```", Region.CODE),
    ("~~~\n@openinspect fix\n~~~", Region.CODE),
    ("```\n@openinspect never closed", Region.CODE),
    ("    @openinspect indented", Region.CODE),
    ("\t@openinspect indented", Region.CODE),
    ("- a\n\n  ```\n  @openinspect\n  ```", Region.CODE),
    ("<code>@openinspect fix</code>", Region.CODE),
    ("<pre>\n@openinspect fix\n</pre>", Region.CODE),
    ("<pre>\n\n@openinspect fix\n\n</pre>", Region.CODE),
    ("<kbd> @openinspect </kbd>", Region.CODE),
    ("<script> @openinspect </script>", Region.CODE),
    ("<!-- @openinspect fix -->", Region.COMMENT),
    ("<!--\n@openinspect fix\n-->", Region.COMMENT),
    ("text <!-- a\n@openinspect --> text", Region.COMMENT),
    ("<!-- never closed\n\n@openinspect fix", Region.COMMENT),
    ("<div><!--\n\n@openinspect fix\n\n--></div>", Region.COMMENT),
    ("<?php @openinspect ?>", Region.COMMENT),
    ('<a title=" @openinspect fix">x</a>', Region.TAG),
    ('<img alt=" @openinspect ">', Region.TAG),
    ("[x]( @openinspect )", Region.TARGET),
    ("[x](<a @openinspect>)", Region.TARGET),
    ('[x](y " @openinspect fix")', Region.TITLE),
    ("[x](y ' @openinspect fix')", Region.TITLE),
    ("![ @openinspect ](y)", Region.ALT),
    ("![ @openinspect ][y]\n\n[y]: z", Region.ALT),
    ("[text][ @openinspect ]", Region.TARGET),
    ("https://x.example/?q=(@openinspect)", Region.TARGET),
    ("www.example.com/(@openinspect", Region.TARGET),
    ("[//]: # (@openinspect fix)", Region.DEFINITION),
    ("[a]: b ' @openinspect fix'", Region.DEFINITION),
]


@pytest.mark.parametrize("text", ASKED)
def test_it_is_asked(text: str) -> None:
    found = directives(text, "openinspect")
    assert len(found.asked) == 1
    assert found.passed_over == ()


@pytest.mark.parametrize(("text", "region"), NOT_ASKED)
def test_it_is_not_asked(text: str, region: Region | None) -> None:
    found = directives(text, "openinspect")
    assert found.asked == ()
    assert [over.region for over in found.passed_over] == ([region] if region else [])


def test_lines_and_several() -> None:
    text = "one\n`@openinspect a`\n\n> @openinspect b\n\n@openinspect c\n/openinspect d"
    found = directives(text, "openinspect")
    assert [(d.line, d.form) for d in found.asked] == [(6, "mention"), (7, "slash")]
    assert [(over.line, over.region) for over in found.passed_over] == [
        (2, Region.CODE),
        (4, Region.QUOTE),
    ]


def test_the_name_may_be_any() -> None:
    assert directives("@acme-bot.x go", "acme-bot").asked == ()
    assert directives("@acme-bot go", "acme-bot").asked
    assert directives("/openinspect go", "acme-bot").asked


HOSTILE = [
    "[", "![", "](", "<", "<!--", "`", "``a`", "\\", "<a b='", '<a b="', "](a '", "](<", "((",
    "<code>", "</code><code>", "http://", "@openinspect ", "[a](", '[](a "', "<!-", "<?",
    "<![CDATA[", "[a]: b 'x\n", "- ", "> ", "<div><!--\n\n", "<pre>\n", "<x ", "<blockquote>",
    "![][", "*a _", "\n", "a\n\n", "[a]: b\n\n", "[a][", "\\`", "> a\n", "- a\n", "<a" + " b" * 50,
]  # fmt: skip


@pytest.mark.parametrize("piece", HOSTILE)
def test_no_text_takes_long(piece: str) -> None:
    """64 KiB of anything: the bound is far above what is measured, and far below quadratic."""
    text = "@openinspect x\n" + (piece * (65_536 // len(piece) + 1))[: 65_536 - 20]
    start = time.process_time()
    directives(text, "openinspect")
    assert time.process_time() - start < 2.5


def test_what_is_longer_than_github_takes_is_cut() -> None:
    text = "a" * LONGEST_TEXT + " @openinspect x"
    assert directives(text, "openinspect").asked == ()
