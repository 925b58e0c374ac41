"""What a session is: pure values and functions, no clock, no I/O, no randomness."""

from .decide import decide as decide
from .evolve import evolve as evolve
from .evolve import replay as replay
from .pending import due as due
from .pending import is_open as is_open
from .pending import pending as pending
from .state import Session as Session
from .state import initial as initial
from .values import SessionId as SessionId
from .view import SessionView as SessionView
from .view import view as view
