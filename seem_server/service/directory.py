"""Who is here: sessions by their unguessable id, within capacity, until released or forgotten."""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from seem_server.service.live_session import LiveSession, tell_nobody
from seem_server.session.state import State
from seem_wire.errors import Overloaded, ShuttingDown, UnknownSession
from seem_wire.tags import session_tag

if TYPE_CHECKING:
    from seem_server.engine.engine import Engine
    from seem_server.service.images import Images
    from seem_server.service.live_session import Tell
    from seem_wire.types import ModelCard

logger = logging.getLogger(__name__)

ID_BYTES = 24
"""192 random bits: knowing the id is what lets one use a session."""


@dataclass(frozen=True, slots=True)
class DirectoryConfig:
    """How many sessions there may be, and how long one may be left alone.

    `retry_after_ms` is the hint to whoever finds the server full.
    """

    max_sessions: int = 256
    idle_timeout_s: float = 3600.0
    retry_after_ms: int = 2000


class Directory:
    """Opens, finds and ends sessions. `now_s`, everywhere: seconds on a clock that only rises."""

    def __init__(
        self, engine: Engine, images: Images, model: ModelCard, config: DirectoryConfig
    ) -> None:
        self.model = model
        self.n_opened = 0
        """Sessions that were ever opened."""
        self._engine = engine
        self._images = images
        self._config = config
        self._sessions: dict[str, LiveSession] = {}
        self._last_used_s: dict[str, float] = {}
        self._draining = False

    def __len__(self) -> int:
        return len(self._sessions)

    def open(self, *, now_s: float, tell: Tell = tell_nobody, prewarm: bool = True) -> LiveSession:
        """A new session; see `LiveSession` for the options.

        Raises:
            ShuttingDown: The server is going down.
            Overloaded: There are as many sessions as there may be.
        """
        if self._draining:
            raise ShuttingDown("The server opens no new sessions.")
        self.sweep(now_s=now_s)
        if len(self._sessions) >= self._config.max_sessions:
            raise Overloaded(
                f"All {self._config.max_sessions} sessions are taken.",
                retry_after_ms=self._config.retry_after_ms,
            )
        state = State(secrets.token_urlsafe(ID_BYTES), self.model)
        over = partial(self._forget, state.session_id)
        session = LiveSession(
            state, self._engine, self._images, tell=tell, over=over, prewarm=prewarm
        )
        self._sessions[session.session_id] = session
        self._last_used_s[session.session_id] = now_s
        self.n_opened += 1
        logger.info("session opened", extra={"session": session_tag(state.session_id)})
        return session

    def find(self, session_id: str, *, now_s: float) -> LiveSession:
        """The session of this id, which counts as used now.

        Raises:
            UnknownSession: There is none (any more).
        """
        session = self._sessions.get(session_id)
        if session is None:
            raise UnknownSession("There is no session with this id.")
        self._last_used_s[session_id] = now_s
        return session

    def sweep(self, *, now_s: float) -> int:
        """Ends all sessions that were left alone for too long; how many."""
        long_ago_s = now_s - self._config.idle_timeout_s
        idle = [one for one, used_s in self._last_used_s.items() if used_s <= long_ago_s]
        for session_id in idle:
            self._sessions[session_id].close()
        return len(idle)

    def drain(self) -> None:
        """Opens no new sessions from now on."""
        self._draining = True

    def close(self) -> None:
        """Ends all sessions."""
        self.drain()
        for session in [*self._sessions.values()]:
            session.close(ShuttingDown("The server went down before this was answered."))

    def _forget(self, session_id: str) -> None:
        del self._sessions[session_id]
        del self._last_used_s[session_id]
        logger.info("session ended", extra={"session": session_tag(session_id)})
