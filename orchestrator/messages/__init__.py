"""Every sentence people read on GitHub, from values alone."""

from .announced import announcement, opened_for
from .check import CheckText, check_finished, check_started, conclusion
from .configuration import config_words
from .marker import Marker, find_marker, marker
from .notices import config_notice, help_words, refusal, reply, status_words
from .pull_request import Template, pull_request_body, pull_request_title
from .result import result
from .status import LONGEST, Links, status

__all__ = [
    "LONGEST",
    "CheckText",
    "Links",
    "Marker",
    "Template",
    "announcement",
    "check_finished",
    "check_started",
    "conclusion",
    "config_notice",
    "config_words",
    "find_marker",
    "help_words",
    "marker",
    "opened_for",
    "pull_request_body",
    "pull_request_title",
    "refusal",
    "reply",
    "result",
    "status",
    "status_words",
]
