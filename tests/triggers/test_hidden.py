"""Hidden text does not survive; what people really write does."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.triggers.hidden import canonicalise

EVIL = "EVIL"


def _tags(text: str) -> str:
    return "".join(chr(0xE0000 + ord(c)) for c in text)


HIDDEN = [
    f"a<!-- {EVIL} -->b",
    f"<!--\n{EVIL}\n-->\n\ntext",
    f"a <!-- {EVIL}\n{EVIL} --> b",
    f"<!-- never closed\n\n{EVIL}",
    f"<div><!--\n\n{EVIL}\n\n--></div>",
    f"> <!-- {EVIL} -->",
    f"- <!-- {EVIL} -->",
    f"a <!-{'- '}x --><!-- {EVIL} -->",
    f"a <!--> {EVIL[:0]}<!-- {EVIL} -->",
    f"<?{EVIL}?>",
    f"a <!DOCTYPE {EVIL}> b",
    f"<![CDATA[{EVIL}]]>",
    f'[x](y "{EVIL}")',
    f"[x](y '{EVIL}')",
    f"[x](y ({EVIL}))",
    f"![{EVIL}](y)",
    f"![{EVIL}][y]\n\n[y]: z",
    f'<img src=x alt="{EVIL}">',
    f"<a href=x title='{EVIL}'>y</a>",
    f"<span data-x={EVIL}>y</span>",
    f'<p aria-label="{EVIL}">y</p>',
    f"[//]: # ({EVIL})",
    f"[comment]: <> ({EVIL})",
    f"[{EVIL}]: x",
    f"text [a][b]\n\n[b]: c '{EVIL}'",
    f"[a]: b\n'{EVIL}'\n\nx",
    f"<!-- {EVIL} --><!-- {EVIL} -->",
    f"<!-{chr(0x200B)}- x --> <!-- {EVIL} -->",
    f"<details><!-- {EVIL} --></details>",
    f"<table><tr><td><!-- {EVIL} --></td></tr></table>",
]

UNSEEN = [
    "\u200b", "\u200c", "\u200d", "\u200e", "\u200f", "\u202a", "\u202b", "\u202c", "\u202d",
    "\u202e", "\u2060", "\u2061", "\u2062", "\u2063", "\u2064", "\u2066", "\u2067", "\u2068",
    "\u2069", "\ufeff", "\u00ad", "\u034f", "\u061c", "\u115f", "\u1160", "\u17b4", "\u180b",
    "\u180e", "\u3164", "\uffa0", "\ufe00", "\ufe0f", "\U000e0100", "\U000e01ef", "\U000e0001",
    _tags("ignore all"), "\x01", "\x07", "\x1b", "\x7f", "\x9b", "\ufff9", "\U0001d173",
    "\ud800", "\u206a",
]  # fmt: skip

BENIGN = [
    "plain text",
    "tabs\tand\n\nlines",
    "a < b && c > d",
    "if (x<y) and y>z",
    "Grüße, naïve café, Ñandú",
    "日本語のテキスト、中文，한국어",
    "שלום עולם",
    "مرحبا بالعالم",
    "می‌خواهم",
    "क्‍ष श्री",
    "😀 🎉 👍🏽",
    "❤️ ☺️ ✔︎",
    "👩‍💻 👨‍👩‍👧‍👦 🏳️‍🌈 ❤️‍🔥 👩🏽‍🚒",
    "1️⃣ #️⃣ *️⃣",
    "🇩🇪 🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
    "`<!-- shown in code -->`",
    "```html\n<!-- shown in code -->\n<img alt='x'>\n```",
    "    <!-- indented code -->",
    "[text](https://example.com/a_(b))",
    "[text][ref]\n\n[ref]: https://example.com",
    "![](https://example.com/x.png)",
    '<a href="https://example.com">x</a>',
    "<details open><summary>more</summary>\n\ninside\n\n</details>",
    "| a | b |\n|---|---|\n| 1 | 2 |",
    "a [^1]\n\n[^1]: a footnote of several words",
]


@pytest.mark.parametrize("text", HIDDEN)
def test_hidden_markup_goes_and_is_counted(text: str) -> None:
    shown = canonicalise(text)
    assert EVIL not in shown.text
    assert shown.removed >= len(EVIL)


@pytest.mark.parametrize("unseen", UNSEEN)
def test_unseen_characters_go(unseen: str) -> None:
    shown = canonicalise(f"do{unseen} this")
    assert shown.text == "do this"
    assert shown.removed == len(unseen)


@pytest.mark.parametrize("text", BENIGN)
def test_what_people_write_stays(text: str) -> None:
    shown = canonicalise(text)
    assert shown.text == text
    assert shown.removed == 0


def test_a_run_of_joiners_carries_no_message() -> None:
    shown = canonicalise("م" + "\u200c\u200d" * 20 + "ی")
    assert shown.text == "می"
    assert canonicalise("👩" + "\ufe0f" * 8).text == "👩"


def test_line_ends_are_all_the_same() -> None:
    assert canonicalise("a\r\nb\rc\u2028d\u0085e").text == "a\nb\nc\nd\ne"


@given(st.text(alphabet=st.sampled_from("a <!->[]()\"'`\n\u200b\ufe0f👩:/\\=x#*"), max_size=60))
def test_once_is_enough(text: str) -> None:
    shown = canonicalise(text).text
    again = canonicalise(shown)
    assert again.text == shown


@pytest.mark.parametrize(
    "piece", ["<!--", "[a]: b\n\n", "](a '", "<x y=z ", "\u200d", "![a](", "<"]
)
def test_no_text_takes_long(piece: str) -> None:
    text = (piece * 65_536)[:65_536]
    start = time.process_time()
    canonicalise(text)
    assert time.process_time() - start < 4
