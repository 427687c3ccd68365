"""One stream: a loop that reads commands and a loop that writes replies, never in lock-step.

    client ── commands ──> reader ── obey ──> session ── replies ──> outbox ──> writer ──> client

The reader does not wait for answers, so that a newer click can take an older one's place while that
waits. It stops reading only where MAX_UNANSWERED commands have no written answer: then the client
does not read, and its own stream holds it back.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from seem_wire.errors import SeemError, UnknownSession
from seem_wire.types import Failed, OpenImage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from seem_server.service.directory import Directory
    from seem_server.service.live_session import LiveSession
    from seem_wire.types import Command, Reply

MAX_UNANSWERED = 1024


class _Outbox:
    """Replies on their way to the writer; each answers one command, and so they are counted."""

    def __init__(self) -> None:
        self._replies: asyncio.Queue[Reply | None] = asyncio.Queue()
        self._room = asyncio.Semaphore(MAX_UNANSWERED)
        self._n_unanswered = 0
        self._complete = False

    async def expect(self) -> None:
        """Counts a command in; waits while too many have no answer."""
        await self._room.acquire()
        self._n_unanswered += 1

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
            self._room.release()
            self._n_unanswered -= 1
            self._stop_if_done()

    def _stop_if_done(self) -> None:
        if self._complete and not self._n_unanswered:
            self._replies.put_nowait(None)


class Conversation:
    """What a stream says, and the session that it has, if any.

    `now` gives seconds on a clock that only rises.
    """

    def __init__(self, directory: Directory, *, now: Callable[[], float]) -> None:
        self._directory = directory
        self._now = now
        self._outbox = _Outbox()
        self._session: LiveSession | None = None

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
        ends, its session ends with it.
        """
        try:
            async with asyncio.TaskGroup() as loops:
                loops.create_task(self._read(commands), name="reader")
                loops.create_task(self._outbox.write_all(write), name="writer")
        finally:
            if self._session:
                self._session.close()

    async def _read(self, commands: AsyncIterator[Command | Failed]) -> None:
        async for command in commands:
            await self._outbox.expect()
            try:
                await self._take(command)
            except SeemError as error:
                self._outbox.put(Failed.of(command.seq, error))
        self._outbox.finish()

    async def _take(self, command: Command | Failed) -> None:
        if isinstance(command, Failed):
            self._outbox.put(command)
            return
        ended = self._session is None or self._session.closed
        if isinstance(command, OpenImage) and ended:
            self._session = self._directory.open(now_s=self._now(), tell=self._outbox.put)
        if self._session is None:
            raise UnknownSession("No session was opened in this stream.")
        if not self._session.closed:
            self._directory.find(self._session.session_id, now_s=self._now())
        await self._session.obey(command)
