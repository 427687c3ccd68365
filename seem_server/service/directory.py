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
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from seem_server.service.callers import ANONYMOUS
from seem_server.service.images import TenantImages
from seem_server.service.live_session import LiveSession, tell_nobody
from seem_server.service.session_log import SessionLog
from seem_server.service.tenant_engine import TenantEngine
from seem_server.service.tenants import Tenants
from seem_server.session.records import replay
from seem_server.session.state import State
from seem_server.store.base import Header
from seem_wire.errors import (
    ModelChanged,
    Overloaded,
    ShuttingDown,
    UnknownSession,
)
from seem_wire.tags import session_tag

if TYPE_CHECKING:
    from collections.abc import Iterator

    from seem_server.engine.port import EnginePort
    from seem_server.service.callers import Caller
    from seem_server.service.images import Images
    from seem_server.service.journal import Journal
    from seem_server.service.live_session import Moved, Tell
    from seem_server.service.tenants import Tenant
    from seem_server.store.base import Claimed
    from seem_wire.types import ModelCard

logger = logging.getLogger(__name__)

_GLANCE_S = 0.01
_LEAVING_S = 1.0
"""What a stream that was dismissed is given to end; then its session is let go of without it."""

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
    """Opens, finds and ends sessions, each for the tenant of its caller alone.

    `now_s`, everywhere: seconds on a clock that only rises.
    """

    def __init__(
        self,
        engine: EnginePort,
        images: Images,
        model: ModelCard,
        config: DirectoryConfig,
        journal: Journal | None = None,
        tenants: Tenants | None = None,
    ) -> None:
        self.model = model
        self.n_opened = 0
        """Sessions that were ever held here: opened, or taken from the store."""
        self._engine = engine
        self._images = images
        self._config = config
        self._journal = journal
        self.tenants = tenants or Tenants()
        self._owners: dict[str, Tenant] = {}
        self._sessions: dict[str, LiveSession] = {}
        self._last_used_s: dict[str, float] = {}
        self._restoring: dict[tuple[str, str], asyncio.Task[LiveSession]] = {}
        """By the session and the tenant that asks: nobody is handed what another waits for."""
        self._draining = False

    def __len__(self) -> int:
        return len(self._sessions)

    @property
    def kept(self) -> frozenset[str]:
        """The sessions held here that can go on after this process."""
        return frozenset(key for key, session in self._sessions.items() if session.kept)

    def admit(self, caller: Caller = ANONYMOUS) -> None:
        """Counts a request of the caller's tenant; raises QuotaExceeded at too many."""
        self.tenants.of(caller).request()

    async def open(
        self,
        *,
        now_s: float,
        caller: Caller = ANONYMOUS,
        tell: Tell = tell_nobody,
        prewarm: bool = True,
        passing: bool = False,
    ) -> LiveSession:
        """A new session of the caller's tenant; see `LiveSession` for the options.

        One that is `passing` is never kept.

        Raises:
            ShuttingDown: The server is going down.
            Overloaded: There are as many sessions as there may be.
            QuotaExceeded: The tenant has as many as it may have.
            StoreFailed: It could not be kept.
        """
        tenant = self.tenants.of(caller)
        with self._room_for(tenant, now_s=now_s):
            state = State(secrets.token_urlsafe(ID_BYTES), self.model)
            log = None
            if self._journal is not None and not passing:
                log = await self._new_log(self._journal, state.session_id, tenant)
                with tenant.usage.noting_overload():
                    self._make_room(now_s=now_s)
            session = LiveSession(
                state,
                TenantEngine(self._engine, tenant),
                TenantImages(self._images, tenant),
                tell=tell,
                over=partial(self._forget, state.session_id),
                prewarm=prewarm,
                log=log,
            )
            logger.info("session opened", extra={"session": session_tag(state.session_id)})
            return self._hold(session, tenant, now_s=now_s)

    def find(self, session_id: str, *, now_s: float, caller: Caller = ANONYMOUS) -> LiveSession:
        """The session of this id that is held here, which counts as used now.

        Raises:
            UnknownSession: The caller's tenant has none (any more).
        """
        if self._owners.get(session_id) is not self.tenants.of(caller):
            raise UnknownSession("There is no session with this id.")
        self._last_used_s[session_id] = now_s
        return self._sessions[session_id]

    async def reach(
        self, session_id: str, *, now_s: float, caller: Caller = ANONYMOUS
    ) -> LiveSession:
        """The session of this id, held here from now on; taken from the store if need be.

        One of another tenant is looked for as one that nobody has: it is not found, the same way.

        Raises:
            UnknownSession: The caller's tenant has none (any more).
            ModelChanged: It was begun with another model.
            ShuttingDown, Overloaded, QuotaExceeded, StoreFailed: As `open`.
        """
        tenant = self.tenants.of(caller)
        if self._journal is None:
            return self.find(session_id, now_s=now_s, caller=caller)
        if await self._is_held(session_id, tenant):
            return self.find(session_id, now_s=now_s, caller=caller)
        asked = session_id, tenant.name
        if asked not in self._restoring:
            restoring = self._restore(session_id, tenant, self._journal, now_s=now_s)
            self._restoring[asked] = asyncio.create_task(restoring)
        return await asyncio.shield(self._restoring[asked])

    async def _is_held(self, session_id: str, tenant: Tenant) -> bool:
        """Whether the tenant's session is held here, and by no other server since."""
        if self._owners.get(session_id) is not tenant:
            return False
        held = self._sessions[session_id]
        loss = await held.loss()
        if loss is not None and not held.closed:
            held.close(loss)
        return self._sessions.get(session_id) is held

    def leave(self, session: LiveSession, moved: Moved, *, now_s: float) -> None:
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
            and not (session.kept and session.is_busy)
        ]
        for session in idle:
            session.park()
        return len(idle)

    def drain(self) -> None:
        """Opens no new sessions from now on."""
        self._draining = True

    async def hand_over(self, *, within_s: float) -> None:
        """Opens no new sessions, and ends each stream once all that was said in it is answered.

        After `within_s` the others are ended too. What was not answered then, whoever takes the
        session up answers. Streams whose sessions are not kept are left to end by themselves.
        """
        self.drain()
        going = ShuttingDown("The server goes down.")
        end_s = asyncio.get_running_loop().time() + within_s
        while streams := [one for one in self._sessions.values() if one.kept and one.attached]:
            over_s = asyncio.get_running_loop().time() - end_s
            for session in streams:
                if over_s >= _LEAVING_S:
                    session.park()
                elif over_s >= 0 or session.is_quiet:
                    session.dismiss(going)
            await asyncio.sleep(_GLANCE_S)

    def close(self) -> None:
        """Lets go of all sessions."""
        self.drain()
        for session in [*self._sessions.values()]:
            session.close(ShuttingDown("The server went down before this was answered."))

    # --- room

    def _patience_s(self, session: LiveSession) -> float:
        return self._config.linger_s if _is_left(session) else self._config.idle_timeout_s

    @contextmanager
    def _room_for(self, tenant: Tenant, *, now_s: float) -> Iterator[None]:
        """Room for a session that the block makes, counted in its tenant's quota until it ends."""
        with tenant.usage.noting_overload():
            self._make_room(now_s=now_s)
        if not tenant.usage.has_room:
            self._park_one_left(tenant)
        tenant.open_session()
        try:
            yield
        except BaseException:
            tenant.close_session()
            raise

    def _make_room(self, *, now_s: float) -> None:
        if self._draining:
            raise ShuttingDown("The server opens no new sessions.")
        self.sweep(now_s=now_s)
        if len(self._sessions) >= self._config.max_sessions and not self._park_one_left():
            raise Overloaded(
                f"All {self._config.max_sessions} sessions are taken.",
                retry_after_ms=self._config.retry_after_ms,
            )

    def _park_one_left(self, tenant: Tenant | None = None) -> bool:
        """Parks the session, of `tenant` if given, that was left for longest; whether one was."""
        left = [
            session
            for session_id, session in self._sessions.items()
            if _is_left(session) and tenant in {None, self._owners[session_id]}
        ]
        if left:
            min(left, key=lambda one: self._last_used_s[one.session_id]).park()
        return bool(left)

    # --- who is here

    async def _new_log(self, journal: Journal, session_id: str, tenant: Tenant) -> SessionLog:
        header = Header(session_id, self.model.model_id, journal.now_s, tenant.name)
        epoch = await journal.call(partial(journal.store.open, header))
        return SessionLog(journal, session_id, epoch, {}, tenant)

    async def _restore(
        self, session_id: str, tenant: Tenant, journal: Journal, *, now_s: float
    ) -> LiveSession:
        try:
            with self._room_for(tenant, now_s=now_s):
                claimed = await self._claim(session_id, tenant, journal)
                restored = await asyncio.to_thread(replay, session_id, self.model, claimed.records)
                logger.info("session goes on here", extra={"session": session_tag(session_id)})
                n_bytes = sum(map(len, claimed.records))
                log = SessionLog(
                    *(journal, session_id, claimed.epoch, restored.replies, tenant, n_bytes),
                    n_records=len(claimed.records),
                    masks=restored.masks,
                )
                session = LiveSession(
                    restored.state,
                    TenantEngine(self._engine, tenant),
                    TenantImages(self._images, tenant),
                    over=partial(self._forget, session_id),
                    log=log,
                    works=restored.works,
                )
                return self._hold(session, tenant, now_s=now_s)
        finally:
            del self._restoring[session_id, tenant.name]

    async def _claim(self, session_id: str, tenant: Tenant, journal: Journal) -> Claimed:
        claim = partial(journal.store.claim, session_id, owner=tenant.name, now_s=journal.now_s)
        claimed = await journal.call(claim)
        if claimed is None:
            raise UnknownSession("There is no session with this id.")
        if claimed.header.model_id != self.model.model_id:
            raise ModelChanged(
                f"The session was begun with {claimed.header.model_id}; this server runs "
                f"{self.model.model_id}."
            )
        return claimed

    def _hold(self, session: LiveSession, tenant: Tenant, *, now_s: float) -> LiveSession:
        self.n_opened += 1
        self._sessions[session.session_id] = session
        self._owners[session.session_id] = tenant
        self._last_used_s[session.session_id] = now_s
        return session

    def _forget(self, session_id: str) -> None:
        del self._sessions[session_id]
        del self._last_used_s[session_id]
        self._owners.pop(session_id).close_session()
        logger.info("session ended", extra={"session": session_tag(session_id)})


def _is_left(session: LiveSession) -> bool:
    """Whether a stream had it and none has it now, so that it can be let go of and is not lost."""
    left = session.kept and session.was_attached and not session.attached
    return left and not session.is_busy
