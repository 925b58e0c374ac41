"""Texts that look like a credential of a known kind, whoever they belong to."""

from __future__ import annotations

import re

# (what must be in the text at all, what is then looked for): the first keeps the second cheap.
_KINDS: tuple[tuple[str, re.Pattern[str]], ...] = (
    # Installation tokens come short and as `ghs_<app>_<JWT>`, with dots and hyphens.
    ("ghs_", re.compile(r"ghs_[A-Za-z0-9._-]{36,}")),
    ("ghp_", re.compile(r"ghp_[A-Za-z0-9._-]{20,}")),
    ("gho_", re.compile(r"gho_[A-Za-z0-9._-]{20,}")),
    ("ghu_", re.compile(r"ghu_[A-Za-z0-9._-]{20,}")),
    ("ghr_", re.compile(r"ghr_[A-Za-z0-9._-]{20,}")),
    ("github_pat_", re.compile(r"github_pat_[A-Za-z0-9_]{20,}")),
    ("oi_", re.compile(r"(?<![A-Za-z0-9_-])oi_[A-Za-z0-9_-]{43}")),
    ("sk-", re.compile(r"(?<![A-Za-z0-9_-])sk-(?:ant-|proj-|or-)?[A-Za-z0-9_-]{20,}")),
    ("AKIA", re.compile(r"(?<![A-Z0-9])AKIA[A-Z0-9]{16}(?![A-Z0-9])")),
    ("ASIA", re.compile(r"(?<![A-Z0-9])ASIA[A-Z0-9]{16}(?![A-Z0-9])")),
    ("AIza", re.compile(r"(?<![A-Za-z0-9_-])AIza[A-Za-z0-9_-]{35}")),
    ("xox", re.compile(r"xox[abeoprs]-[A-Za-z0-9-]{10,}")),
    ("xapp-", re.compile(r"xapp-[A-Za-z0-9-]{10,}")),
    ("glpat-", re.compile(r"glpat-[A-Za-z0-9_-]{20,}")),
    ("npm_", re.compile(r"(?<![A-Za-z0-9_])npm_[A-Za-z0-9]{36,}")),
    ("pypi-", re.compile(r"pypi-[A-Za-z0-9_-]{50,}")),
    ("eyJ", re.compile(r"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{10,}")),
    (
        "PRIVATE KEY",
        re.compile(
            r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----"
            r".*?(?:-----END [A-Z ]{0,30}PRIVATE KEY-----|\Z)",
            re.DOTALL,
        ),
    ),
    ("x-access-token:", re.compile(r"(?<=x-access-token:)[^@\s/]{8,}(?=@)")),
)


def credential_spans(text: str) -> list[tuple[int, int]]:
    return [
        match.span()
        for needle, pattern in _KINDS
        if needle in text
        for match in pattern.finditer(text)
    ]
