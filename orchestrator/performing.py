"""Which hand does which effect, and what its failure means for the effect."""

from __future__ import annotations

import time
from collections.abc import Callable

from orchestrator.courier import GitError
from orchestrator.github.errors import (
    GitHubError,
    RateLimited,
    StateConflict,
    TryLater,
    UncertainOutcome,
)
from orchestrator.ports import Clock
from orchestrator.publisher import EditFailed
from orchestrator.session import Session, SessionId
from orchestrator.session.effects import (
    Effect,
    HandPrompt,
    LaunchSandbox,
    ReleaseSandbox,
    StopAgent,
    TakeWork,
)
from orchestrator.settle import EffectDeferred, EffectImpossible
from orchestrator.showing import Showing
from orchestrator.working import Working
from sandbox.provider import LaunchRefused, SandboxError

Observe = Callable[[str, str, float], None]


class Performing:
    """The `Performer` of the settler: sandbox effects here, effects on GitHub there."""

    def __init__(
        self, *, showing: Showing, working: Working, clock: Clock, observe: Observe
    ) -> None:
        self._showing = showing
        self._working = working
        self._clock = clock
        self._observe = observe

    def attend(self, session: Session) -> None:
        self._working.attend(session)

    async def dismiss(self, session: SessionId) -> None:
        await self._working.dismiss(session)

    async def perform(self, session: Session, effect: Effect, *, again: bool) -> str:
        started = time.monotonic()
        result = "failed"
        try:
            ref = await self._perform(session, effect, again)
            result = "done"
            return ref
        finally:
            self._observe(type(effect).__name__, result, time.monotonic() - started)

    async def _perform(self, session: Session, effect: Effect, again: bool) -> str:
        try:
            match effect:
                case LaunchSandbox():
                    return await self._working.launch(session, effect)
                case HandPrompt():
                    return await self._working.hand(session, effect)
                case StopAgent():
                    return await self._working.stop(session, effect)
                case TakeWork():
                    return await self._working.take(session, effect)
                case ReleaseSandbox():
                    return await self._working.release(session, effect)
                case _:
                    return await self._showing.perform(session, effect, again=again)
        except RateLimited as error:
            after = (error.until - self._clock.now()).total_seconds()
            raise EffectDeferred(str(error), after=after) from error
        except (TryLater, UncertainOutcome, StateConflict) as error:
            raise EffectDeferred(str(error)) from error
        except GitHubError as error:
            raise EffectImpossible(str(error)) from error
        except EditFailed as error:
            raise EffectDeferred(str(error)) from error
        except GitError as error:
            raise EffectDeferred(str(error)) from error
        except LaunchRefused as error:
            raise EffectImpossible(str(error)) from error
        except SandboxError as error:
            raise EffectDeferred(str(error)) from error
