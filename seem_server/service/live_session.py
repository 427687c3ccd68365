"""A session that runs: folds what happens, does what the rules say, and tells who waits.

Nothing here decides: `session.machine.step` does. All methods belong to one event loop.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from contextvars import copy_context
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from seem_server.engine.tickets import TicketState
from seem_server.engine.work import Decode, Encode, Everything, MasksReady, SegmentsReady
from seem_server.session.events import Forget, ImageRead, Send, Withdraw
from seem_server.session.machine import step
from seem_server.session.sayings import check_kinds
from seem_wire.errors import BadSequence, Internal, SeemError, UnknownSession
from seem_wire.prompts import ExamplePrompt
from seem_wire.tags import session_tag
from seem_wire.types import Failed, Prompt, PromptedObject, SetImage, SupersededBy
from seem_wire.validate import check_mask_size

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Context

    from seem_server.engine.engine import Engine
    from seem_server.engine.tickets import Ticket
    from seem_server.service.images import Images
    from seem_server.session.events import Command as SessionCommand
    from seem_server.session.events import Effect, Event, Outcome
    from seem_server.session.state import State
    from seem_wire.types import Command, Reply, SessionCard

    Tell = Callable[[Reply], None]

logger = logging.getLogger(__name__)


def tell_nobody(reply: Reply) -> None:
    """For sessions whose every reply was asked for."""
    logger.debug("nobody waits for this reply", extra={"seq": reply.seq})


class LiveSession:
    """Holds a session's state and tickets until `close`.

    Replies go to whoever called `ask`, all others to `tell`, which must be quick. `over` is called
    once, when the session has ended by itself. With `prewarm` an image is encoded before the first
    click asks for it.
    """

    def __init__(
        self,
        state: State,
        engine: Engine,
        images: Images,
        *,
        tell: Tell = tell_nobody,
        over: Callable[[], None] = lambda: None,
        prewarm: bool = True,
    ) -> None:
        self._state = state
        self._engine = engine
        self._images = images
        self._tell_others = tell
        self._over = over
        self._prewarm = prewarm
        self._loop = asyncio.get_running_loop()
        self._in_order = asyncio.Lock()
        self._asked: dict[int, asyncio.Future[Reply]] = {}
        self._tickets: dict[int, Ticket] = {}
        self._encoding: Ticket | None = None
        self._closed = False

    @property
    def session_id(self) -> str:
        """Names the session."""
        return self._state.session_id

    @property
    def card(self) -> SessionCard:
        """What the session holds."""
        return self._state.card

    @property
    def closed(self) -> bool:
        """Whether it has ended."""
        return self._closed

    @property
    def n_tickets(self) -> int:
        """How many tickets have not ended."""
        return len(self._tickets)

    async def obey(self, command: Command) -> None:
        """Folds a command in, after those that came before; its reply comes when it comes.

        Waits only for an image to be read, never for the engine's answer.
        """
        async with self._in_order:
            try:
                if self._closed:
                    raise UnknownSession("The session has ended.")
                event = await self._event_of(command)
            except SeemError as error:
                self._tell(Failed.of(command.seq, error))
                return
            self._fold(event)

    async def ask(self, command: Command) -> Reply:
        """Folds a command in and gives its reply. Cancelling this takes the command back.

        Raises:
            BadSequence: A command with this number is being answered.
        """
        if command.seq in self._asked:
            raise BadSequence(f"Command {command.seq} is being answered already.")
        answer: asyncio.Future[Reply] = self._loop.create_future()
        self._asked[command.seq] = answer
        try:
            await self.obey(command)
            return await answer
        except asyncio.CancelledError:
            if ticket := self._tickets.get(command.seq):
                ticket.cancel()
            raise
        finally:
            del self._asked[command.seq]

    def close(self, because: SeemError | None = None) -> None:
        """Ends it, whatever it is at, and tells those who wait; can be called again."""
        if self._closed:
            return
        self._closed = True
        gone = because or UnknownSession("The session ended before this was answered.")
        tickets, self._tickets = self._tickets, {}
        for seq, ticket in tickets.items():
            ticket.cancel()
            self._tell(Failed.of(seq, gone))
        if self._encoding:
            self._encoding.cancel()
        self._over()

    # --- the fold

    async def _event_of(self, command: Command) -> SessionCommand:
        match command:
            case SetImage():
                found = await self._images.find(command.image)
                return ImageRead(command.seq, found.key, found.size, found.encoded, found.timings)
            case Prompt() if any(one.example for one in command.objects):
                check_kinds(command, self._state.model.capabilities)
                objects = [await self._without_image(one) for one in command.objects]
                return replace(command, objects=tuple(objects))
            case _:
                return command

    async def _without_image(self, one: PromptedObject) -> PromptedObject:
        """The same with the image of its example, if any, given to the engine and named."""
        if one.example is None:
            return one
        mask = one.example.mask
        found = await self._images.find(one.example.image)
        check_mask_size(mask, found.size)
        shown = ExamplePrompt(found.key, mask.mask)
        return PromptedObject(one.object_id, replace(one.prompt, example=shown))

    def _fold(self, event: Event) -> None:
        self._state, effects = step(self._state, event)
        for effect in effects:
            self._carry_out(effect)

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case Send(reply):
                self._tell(reply)
            case Decode() | Everything():
                self._submit(effect)
            case Encode():
                self._encode(effect)
            case Withdraw(seq):
                if ticket := self._tickets.pop(seq, None):
                    ticket.cancel()
            case Forget():
                self.close()

    def _tell(self, reply: Reply) -> None:
        answer = self._asked.get(reply.seq)
        if answer is None:
            self._tell_others(reply)
        elif not answer.done():
            answer.set_result(reply)

    # --- tickets

    def _submit(self, work: Decode | Everything) -> None:
        try:
            ticket = self._engine.submit(work)
        except SeemError as error:
            self._fold(Failed.of(work.seq, error))
            return
        self._tickets[work.seq] = ticket
        ticket.add_done_callback(partial(self._ended_in_any_thread, copy_context()))

    def _ended_in_any_thread(self, around: Context, ticket: Ticket) -> None:
        """Goes on where the command came in, so that what is logged has its request's id."""
        with suppress(RuntimeError):  # the loop is closed, and with it the session
            self._loop.call_soon_threadsafe(self._ended, ticket, context=around)

    def _ended(self, ticket: Ticket) -> None:
        seq = 0 if isinstance(ticket.work, Encode) else ticket.work.seq
        if self._tickets.get(seq) is not ticket:
            return  # it was withdrawn, or the session is closed
        try:
            self._fold(_outcome(seq, ticket))
        except Exception:  # an edge: nobody else would hear of it, and the client would wait
            tag = session_tag(self.session_id)
            logger.exception("a session broke", extra={"session": tag})
            self.close(Internal("The session broke."))
        self._tickets.pop(seq, None)

    def _encode(self, work: Encode) -> None:
        """Only a head start: where it fails, the first click tries again and tells."""
        if self._encoding:
            self._encoding.cancel()
            self._encoding = None
        if not self._prewarm:
            return
        try:
            self._encoding = self._engine.submit(work)
        except SeemError as error:
            logger.debug("no head start for an image", extra={"code": error.code})


def _outcome(seq: int, ticket: Ticket) -> Outcome:
    if ticket.state is TicketState.SUPERSEDED and ticket.superseded_by is not None:
        return SupersededBy(seq, ticket.superseded_by)
    try:
        result = ticket.result()
    except SeemError as error:
        return Failed.of(seq, error)
    if not isinstance(result, MasksReady | SegmentsReady):
        raise TypeError(f"A command's work ended with {type(result).__name__}.")
    return result
