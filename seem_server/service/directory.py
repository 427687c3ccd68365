"""Who is here: sessions by their unguessable id, within capacity, until released or forgotten.

    open, attach ──> held here ── left alone, its client gone ──> kept in the store ──> forgotten
                        ^─────────── asked for again ───────────────────┘

Without a journal a session that is not held is gone. Nobody's session is ended to make room for
another: only what no client has is let go of, and that can be attached to again.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from seem_server.service.live_session import LiveSession, tell_nobody
from seem_server.service.session_log import SessionLog
from seem_server.session.records import replay
from seem_server.session.state import State
from seem_server.store.base import Header
from seem_wire.errors import ModelChanged, Overloaded, ShuttingDown, UnknownSession
from seem_wire.tags import session_tag

if TYPE_CHECKING:
    from collections.abc import Callable

    from seem_server.engine.engine import Engine
    from seem_server.service.images import Images
    from seem_server.service.journal import Journal
    from seem_server.service.live_session import Tell
    from seem_wire.types import ModelCard

logger = logging.getLogger(__name__)

ID_BYTES = 24
"""192 random bits: knowing the id is what lets one use a session."""


@dataclass(frozen=True, slots=True)
class DirectoryConfig:
    """How many sessions may be held here, and how long one may be left alone.

    Attributes:
        idle_timeout_s: Nobody said anything to the session.
        linger_s: The stream that had the session is gone, and no other came.
        retry_after_ms: The hint to whoever finds the server full.
    """

    max_sessions: int = 256
    idle_timeout_s: float = 3600.0
    retry_after_ms: int = 2000
    linger_s: float = 60.0


class Directory:
    """Opens, finds and ends sessions. `now_s`, everywhere: seconds on a clock that only rises."""

    def __init__(
        self,
        engine: Engine,
        images: Images,
        model: ModelCard,
        config: DirectoryConfig,
        journal: Journal | None = None,
    ) -> None:
        self.model = model
        self.n_opened = 0
        """Sessions that were ever held here: opened, or taken from the store."""
        self._engine = engine
        self._images = images
        self._config = config
        self._journal = journal
        self._sessions: dict[str, LiveSession] = {}
        self._last_used_s: dict[str, float] = {}
        self._restoring: dict[str, asyncio.Task[LiveSession]] = {}
        self._draining = False

    def __len__(self) -> int:
        return len(self._sessions)

    async def open(
        self,
        *,
        now_s: float,
        tell: Tell = tell_nobody,
        prewarm: bool = True,
        passing: bool = False,
    ) -> LiveSession:
        """A new session; see `LiveSession` for the options. One that is `passing` is never kept.

        Raises:
            ShuttingDown: The server is going down.
            Overloaded: There are as many sessions as there may be.
            StoreFailed: It could not be kept.
        """
        self._make_room(now_s=now_s)
        state = State(secrets.token_urlsafe(ID_BYTES), self.model)
        log = None
        if self._journal is not None and not passing:
            header = Header(state.session_id, self.model.model_id, self._journal.now_s)
            epoch = await self._journal.call(partial(self._journal.store.open, header))
            log = SessionLog(self._journal, state.session_id, epoch, {})
            self._make_room(now_s=now_s)
        over = partial(self._forget, state.session_id)
        session = LiveSession(
            state, self._engine, self._images, tell=tell, over=over, prewarm=prewarm, log=log
        )
        logger.info("session opened", extra={"session": session_tag(state.session_id)})
        return self._hold(session, now_s=now_s)

    def find(self, session_id: str, *, now_s: float) -> LiveSession:
        """The session of this id that is held here, which counts as used now.

        Raises:
            UnknownSession: There is none (any more).
        """
        session = self._sessions.get(session_id)
        if session is None:
            raise UnknownSession("There is no session with this id.")
        self._last_used_s[session_id] = now_s
        return session

    async def reach(self, session_id: str, *, now_s: float) -> LiveSession:
        """The session of this id, held here from now on; taken from the store if need be.

        Raises:
            UnknownSession: There is none (any more).
            ModelChanged: It was begun with another model.
            ShuttingDown, Overloaded, StoreFailed: As `open`.
        """
        if session_id in self._sessions or self._journal is None:
            return self.find(session_id, now_s=now_s)
        if session_id not in self._restoring:
            restoring = self._restore(session_id, self._journal, now_s=now_s)
            self._restoring[session_id] = asyncio.create_task(restoring)
        return await asyncio.shield(self._restoring[session_id])

    def leave(self, session: LiveSession, moved: Callable[[], None], *, now_s: float) -> None:
        """The stream with this `moved` is gone; its session stays for a while, if it is kept."""
        if session.kept and not self._draining:
            session.detach(moved)
            self._last_used_s[session.session_id] = now_s
        elif session.kept:
            session.park()
        else:
            session.close()

    def sweep(self, *, now_s: float) -> int:
        """Lets go of all sessions that were left alone for too long; how many."""
        idle = [
            session
            for session in [*self._sessions.values()]
            if now_s - self._last_used_s[session.session_id] >= self._patience_s(session)
        ]
        for session in idle:
            session.park()
        return len(idle)

    def drain(self) -> None:
        """Opens no new sessions from now on."""
        self._draining = True

    def close(self) -> None:
        """Lets go of all sessions."""
        self.drain()
        for session in [*self._sessions.values()]:
            session.close(ShuttingDown("The server went down before this was answered."))

    def _patience_s(self, session: LiveSession) -> float:
        left = session.kept and session.was_attached and not session.attached
        return self._config.linger_s if left else self._config.idle_timeout_s

    def _make_room(self, *, now_s: float) -> None:
        if self._draining:
            raise ShuttingDown("The server opens no new sessions.")
        self.sweep(now_s=now_s)
        if len(self._sessions) < self._config.max_sessions:
            return
        left = [one for one in self._sessions.values() if one.was_attached and not one.attached]
        if not left:
            raise Overloaded(
                f"All {self._config.max_sessions} sessions are taken.",
                retry_after_ms=self._config.retry_after_ms,
            )
        min(left, key=lambda one: self._last_used_s[one.session_id]).park()

    async def _restore(self, session_id: str, journal: Journal, *, now_s: float) -> LiveSession:
        try:
            self._make_room(now_s=now_s)
            claim = partial(journal.store.claim, session_id, owner="", now_s=journal.now_s)
            claimed = await journal.call(claim)
            if claimed is None:
                raise UnknownSession("There is no session with this id.")
            if claimed.header.model_id != self.model.model_id:
                raise ModelChanged(
                    f"The session was begun with {claimed.header.model_id}; this server runs "
                    f"{self.model.model_id}."
                )
            restored = replay(session_id, self.model, claimed.records)
            logger.info("session goes on here", extra={"session": session_tag(session_id)})
            session = LiveSession(
                restored.state,
                self._engine,
                self._images,
                over=partial(self._forget, session_id),
                log=SessionLog(journal, session_id, claimed.epoch, restored.replies),
                works=restored.works,
            )
            return self._hold(session, now_s=now_s)
        finally:
            del self._restoring[session_id]

    def _hold(self, session: LiveSession, *, now_s: float) -> LiveSession:
        self.n_opened += 1
        self._sessions[session.session_id] = session
        self._last_used_s[session.session_id] = now_s
        return session

    def _forget(self, session_id: str) -> None:
        del self._sessions[session_id]
        del self._last_used_s[session_id]
        logger.info("session ended", extra={"session": session_tag(session_id)})
