"""A simulated GitHub over real HTTP, with real git repositories behind it.

The demo runs on it, and every test that needs GitHub. It keeps state as GitHub does, answers
as GitHub answers, tells Apps what happened by signed webhooks, and can be made to fail on
request. `EmbeddedGitHub` is the whole of it; everything else here is behind its doors.
"""

from .accounts import App, Person
from .faults import Fault
from .model import Comment, Delivery, Installation, LedgerEntry, Repo
from .server import EmbeddedGitHub

__all__ = [
    "App",
    "Comment",
    "Delivery",
    "EmbeddedGitHub",
    "Fault",
    "Installation",
    "LedgerEntry",
    "Person",
    "Repo",
]
