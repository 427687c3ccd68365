"""One stream: a loop that reads commands and a loop that writes replies, never in lock-step.

    client ── commands ──> reader ── obey ──> session ── replies ──> outbox ──> writer ──> client

The reader does not wait for answers, so that a newer click can take an older one's place while that
waits. It stops reading only where MAX_UNANSWERED commands have no written answer: then the client
does not read, and its own stream holds it back.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

from seem_server.service.callers import ANONYMOUS
from seem_wire.errors import AlreadyOpen, SeemError, ShuttingDown, UnknownSession
from seem_wire.types import Attach, Failed, OpenImage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from seem_server.service.callers import Caller
    from seem_server.service.directory import Directory
    from seem_server.service.live_session import LiveSession
    from seem_wire.types import Command, Reply

MAX_UNANSWERED = 1024


class _Outbox:
    """Replies on their way to the writer; those to commands of this stream are counted."""

    def __init__(self) -> None:
        self._replies: asyncio.Queue[Reply | None] = asyncio.Queue()
        self._room = asyncio.Semaphore(MAX_UNANSWERED)
        self._unanswered: Counter[int] = Counter()
        self._complete = False

    async def expect(self, seq: int) -> None:
        """Counts a command in; waits while too many have no answer."""
        await self._room.acquire()
        self._unanswered[seq] += 1

    def put(self, reply: Reply) -> None:
        """Sends a reply on its way."""
        self._replies.put_nowait(reply)

    def finish(self) -> None:
        """No command comes any more: the writer stops after the last answer."""
        self._complete = True
        self._stop_if_done()

    async def write_all(self, write: Callable[[Reply], Awaitable[None]]) -> None:
        """Writes replies until all commands that ever come have theirs."""
        while (reply := await self._replies.get()) is not None:
            await write(reply)
            if self._unanswered[reply.seq]:
                self._room.release()
                self._unanswered[reply.seq] -= 1
                self._unanswered += Counter()  # without those that are answered
            self._stop_if_done()

    def _stop_if_done(self) -> None:
        if self._complete and not self._unanswered.total():
            self._replies.put_nowait(None)


class Conversation:
    """What a stream of `caller` says, and the session that it has, if any.

    `now` gives seconds on a clock that only rises.
    """

    def __init__(
        self, directory: Directory, *, now: Callable[[], float], caller: Caller = ANONYMOUS
    ) -> None:
        self._directory = directory
        self._caller = caller
        self._now = now
        self._outbox = _Outbox()
        self._session: LiveSession | None = None
        self._loops: list[asyncio.Task[None]] = []
        self._ended_by: SeemError | None = None

    @property
    def session_id(self) -> str:
        """Names its session, the last one if it had several; empty where it had none."""
        return self._session.session_id if self._session else ""

    async def run(
        self,
        commands: AsyncIterator[Command | Failed],
        write: Callable[[Reply], Awaitable[None]],
    ) -> None:
        """Answers each of `commands` by one `write`, until there are no more.

        A command that could not be read comes as the reply that refuses it. Whichever way this
        ends, the directory is told, and what only this stream waits for is dropped.

        Raises:
            SessionMoved: Another stream attached to the session.
            ShuttingDown: The server goes down, and all that was said here is answered; or a session
                is asked for, and it takes none any more.
            PerhapsKept: The store does not tell whether it kept what was said here last.
        """
        try:
            async with asyncio.TaskGroup() as loops:
                self._loops = [
                    loops.create_task(self._read(commands), name="reader"),
                    loops.create_task(self._outbox.write_all(write), name="writer"),
                ]
        finally:
            if self._session and not self._session.closed:
                self._directory.leave(self._session, self._moved, now_s=self._now())
        if self._ended_by is not None:
            raise self._ended_by

    def _moved(self, because: SeemError) -> None:
        self._ended_by = because
        for loop in self._loops:
            loop.cancel()

    async def _read(self, commands: AsyncIterator[Command | Failed]) -> None:
        async for command in commands:
            await self._outbox.expect(command.seq)
            try:
                await self._take(command)
            except ShuttingDown as error:
                self._moved(error)  # in another stream another server answers
            except SeemError as error:
                self._outbox.put(Failed.of(command.seq, error))
        self._outbox.finish()

    async def _take(self, command: Command | Failed) -> None:
        self._directory.admit(self._caller)
        if isinstance(command, Failed):
            self._outbox.put(command)
            return
        if isinstance(command, Attach):
            await self._attach(command)
            return
        ended = self._session is None or self._session.closed
        if isinstance(command, OpenImage) and ended:
            self._session = await self._directory.open(
                now_s=self._now(), caller=self._caller, tell=self._outbox.put
            )
            self._session.attach(self._outbox.put, self._moved)
        if self._session is None:
            raise UnknownSession("No session was opened in this stream.")
        if self._session.parked:
            self._session = await self._reach(self._session.session_id)
            self._session.attach(self._outbox.put, self._moved)
        if not self._session.closed:
            self._directory.find(self._session.session_id, now_s=self._now(), caller=self._caller)
        await self._session.obey(command)

    async def _attach(self, command: Attach) -> None:
        if self._session is not None and not self._session.closed:
            raise AlreadyOpen("The stream has a session already.")
        session = await self._reach(command.resumed)
        self._session = session
        session.attach(self._outbox.put, self._moved)
        try:
            attached = await session.standing(command)
        except SeemError:
            session.detach(self._moved)
            self._session = None
            raise
        self._outbox.put(attached)
        session.go_on(command)

    async def _reach(self, session_id: str) -> LiveSession:
        return await self._directory.reach(session_id, now_s=self._now(), caller=self._caller)
