"""The tools that an agent in a sandbox may call; each is answered here, outside of it.

A call says nothing but its arguments: which session and repository it is about is known from the
sandbox it came from.
"""

from .serving import Tools
from .words import about_tools

__all__ = ["Tools", "about_tools"]
