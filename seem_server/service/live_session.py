"""A session that runs: folds what happens, does what the rules say, and tells who waits.

Nothing here decides: `session.machine.step` does. All methods belong to one event loop.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from contextvars import copy_context
from copy import copy
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from seem_server.engine.tickets import TicketState
from seem_server.engine.work import (
    Decode,
    Encode,
    Everything,
    Follow,
    Followed,
    MasksReady,
    SegmentsReady,
    image_keys,
)
from seem_server.session.events import Forget, FrameRead, ImageRead, Send, Withdraw
from seem_server.session.machine import step
from seem_server.session.sayings import check_kinds
from seem_server.store.base import PerhapsKept
from seem_wire.errors import (
    BadSequence,
    ImageUnknown,
    Internal,
    LimitExceeded,
    ReplyLost,
    SeemError,
    SessionMoved,
    UnknownSession,
)
from seem_wire.prompts import ExamplePrompt
from seem_wire.tags import session_tag
from seem_wire.types import (
    Attach,
    Attached,
    Failed,
    Frame,
    Prompt,
    PromptedObject,
    Propagate,
    SetImage,
    SupersededBy,
)
from seem_wire.validate import check_mask_size

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence
    from contextvars import Context

    from seem_server.engine.tickets import Ticket
    from seem_server.service.images import TenantImages
    from seem_server.service.session_log import SessionLog
    from seem_server.service.tenant_engine import TenantEngine
    from seem_server.session.events import Command as SessionCommand
    from seem_server.session.events import Effect, Event, Outcome
    from seem_server.session.state import State
    from seem_wire.errors import SessionExpired
    from seem_wire.types import Command, ObjectMask, Reply, SessionCard

    Asked = Decode | Everything | Follow
    Moved = Callable[[SeemError], None]
    Tell = Callable[[Reply], None]

logger = logging.getLogger(__name__)


def tell_nobody(reply: Reply) -> None:
    """For sessions whose every reply was asked for."""
    logger.debug("nobody waits for this reply", extra={"seq": reply.seq})


class LiveSession:
    """Holds a session's state and tickets until `close`, or `park`, after which it is `parked`.

    Replies go to whoever called `ask`, all others to `tell`, which must be quick. `over` is called
    once, when the session has ended by itself. With `prewarm` an image is encoded before the first
    click asks for it. With a `log` nothing is told before it is kept. `works`: what the engine was
    asked for when the session was left, by the number of the command; `go_on` asks again.
    """

    def __init__(
        self,
        state: State,
        engine: TenantEngine,
        images: TenantImages,
        *,
        tell: Tell = tell_nobody,
        over: Callable[[], None] = lambda: None,
        prewarm: bool = True,
        log: SessionLog | None = None,
        works: Mapping[int, Asked] | None = None,
    ) -> None:
        self._log = log
        self._works: dict[int, Asked] = dict(works or {})
        self._unanswered: set[int] = set(self._works)
        self._brought: dict[int, int] = {}
        """By the command's number: how often the images of its work were brought."""
        self._moved: Moved | None = None
        self.was_attached = False
        self.parked = False
        self._because: SeemError | None = None
        self._errands: set[asyncio.Task[None]] = set()
        self._state = state
        self._engine = engine
        self._images = images
        self._tell_others = tell
        self._over = over
        self._prewarm = prewarm
        self._loop = asyncio.get_running_loop()
        self._in_order = asyncio.Lock()
        self._asked: dict[int, asyncio.Future[Reply]] = {}
        self._n_asking = 0
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
        """Whether it has ended, or is held by nobody here any more."""
        return self._closed

    @property
    def kept(self) -> bool:
        """Whether it can go on after this process."""
        return self._log is not None

    @property
    def attached(self) -> bool:
        """Whether a stream has it now; `was_attached`: one had it once."""
        return self._moved is not None

    @property
    def n_tickets(self) -> int:
        """How many tickets have not ended."""
        return len(self._tickets)

    async def obey(self, command: Command) -> None:
        """Folds a command in, after those that came before; its reply comes when it comes.

        Waits only for an image to be read, never for the engine's answer.
        """
        await self._obey(command, None)

    async def ask(self, command: Command, *, again: bool = False) -> Reply:
        """Folds a command in and gives its reply. Cancelling this takes the command back.

        `again`: it may have been folded in before, here or by another server; then it is not again.

        Raises:
            BadSequence: A command with this number is being answered.
        """
        if command.seq in self._asked:
            raise BadSequence(f"Command {command.seq} is being answered already.")
        answer: asyncio.Future[Reply] = self._loop.create_future()
        self._n_asking += 1
        try:
            if again and command.seq <= self._state.last_seq:
                self._recall(command.seq, answer)
            else:
                await self._obey(command, answer)
            return await answer
        except asyncio.CancelledError:
            if self._asked.get(command.seq) is answer and (
                ticket := self._tickets.get(command.seq)
            ):
                ticket.cancel()
            raise
        finally:
            self._n_asking -= 1
            if self._asked.get(command.seq) is answer:
                del self._asked[command.seq]

    def _recall(self, seq: int, answer: asyncio.Future[Reply]) -> None:
        """Gives the reply that a command had, or has once it is done."""
        if seq in self._works or seq in self._unanswered:
            self._asked[seq] = answer
            self._take_up()
            return
        known = self._known(seq - 1)
        lost = Failed.of(seq, ReplyLost(f"The reply to command {seq} is not known any more."))
        answer.set_result(next((reply for reply in known if reply.seq == seq), lost))

    async def _obey(self, command: Command, answer: asyncio.Future[Reply] | None) -> None:
        """Folds a command in; `answer` is who waits for its reply, None where a stream does."""
        async with self._in_order:
            try:
                self._check_open(command)
                self._check_room(command)
                event = await self._event_of(command)
                self._check_open(command)
            except SeemError as error:
                self._give(Failed.of(command.seq, error), answer)
                return
            self._take_up()  # in a unary call nobody attaches before, and what follows rests on it
            self._fold(event, answer)

    def _check_room(self, command: Command) -> None:
        """Refuses a prompt at the door, so that it costs no record and no reading of an example.

        One that may take the place of what waits, or was obeyed before, is not for the door.
        """
        image, is_new = self._state.image, command.seq > self._state.last_seq
        if isinstance(command, Prompt) and image is not None and is_new and not self._tickets:
            self._engine.check_room(self.session_id, image.key)

    def _check_open(self, command: Command) -> None:
        if self._closed:
            raise copy(self._because or UnknownSession("The session has ended."))
        if isinstance(command, Prompt | Frame | Propagate):
            self._check_log()

    def _check_log(self) -> None:
        if self._log is not None and self._log.is_full:
            full = LimitExceeded("The session's log is full.")
            full.hint = "Open another session, or set the image again, which begins anew."
            if self._state.video is not None:
                full.hint = "Open another session for the frames that follow, with the last masks."
            raise full

    def close(self, because: SeemError | None = None) -> None:
        """Ends it, whatever it is at, and tells those who wait; can be called again."""
        if self._closed:
            return
        self._closed = True
        self._because = because
        gone = because or UnknownSession("The session ended before this was answered.")
        tickets, self._tickets = self._tickets, {}
        for ticket in tickets.values():
            ticket.cancel()
        # What was let go of is answered where the session goes on.
        left = set() if self.parked else {*self._works, *self._state.waiting}
        for seq in sorted({*tickets, *left}):
            self._tell(Failed.of(seq, gone))
        if self._encoding:
            self._encoding.cancel()
        for seq, answer in self._asked.items():
            self._give(Failed.of(seq, gone), answer)
        self._over()

    # --- streams

    @property
    def is_busy(self) -> bool:
        """Whether somebody waits here for an answer, so that it must not be let go of."""
        return bool(self._n_asking or self._tickets or self._in_order.locked())

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is left to answer."""
        busy = self._works or self._unanswered or self._state.waiting
        return not (busy or self._in_order.locked())

    async def loss(self) -> SessionMoved | SessionExpired | None:
        """How the session was lost to this server since, if it was. Raises StoreFailed."""
        return None if self._log is None else await self._log.loss()

    def attach(self, tell: Tell, moved: Moved) -> None:
        """Lets a stream have the session; one that had it before hears by its `moved`."""
        if self._moved is not None:
            self._moved(SessionMoved("Another stream has the session now."))
        self._tell_others, self._moved, self.was_attached = tell, moved, True

    def go_on(self, command: Attach) -> None:
        """Sends again what the client lacks, and has the engine do what it was not done with."""
        known = [reply for reply in self._known(command.after_seq) if self._is_due(reply, command)]
        for reply in known:
            self._tell_others(reply)
        answered = {reply.seq for reply in known} | self._state.waiting
        for seq in command.waiting:
            if seq <= self._state.last_seq and seq not in answered and seq not in self._unanswered:
                lost = ReplyLost(f"The reply to command {seq} is not known any more.")
                self._tell_others(Failed.of(seq, lost))
        self._take_up()

    def _known(self, after_seq: int) -> Sequence[Reply]:
        return [] if self._log is None else self._log.since(after_seq)

    def _is_due(self, reply: Reply, command: Attach) -> bool:
        """Whether it answers this client: the number of a refused command is used again."""
        is_of_another = reply.seq > self._state.last_seq and reply.seq not in command.waiting
        return not is_of_another and reply.seq not in self._unanswered

    def _take_up(self) -> None:
        """Asks the engine for what it was not done with when whoever waited for it left."""
        for seq, work in [*self._works.items()]:
            if seq not in self._tickets and seq not in self._brought:
                self._submit(work)

    def dismiss(self, because: SeemError) -> None:
        """Ends the stream that has the session, if any; the session goes on elsewhere."""
        if self._moved is not None:
            self._moved(because)

    def detach(self, moved: Moved) -> None:
        """The stream with this `moved` is gone, and what only it waits for is not worth doing."""
        if self._moved != moved:
            return
        self._tell_others, self._moved = tell_nobody, None
        for seq in [*self._tickets]:
            if seq not in self._asked:
                self._tickets.pop(seq).cancel()
                self._brought.pop(seq, None)  # it is asked for anew, and may miss its image again

    def park(self) -> None:
        """Lets go of it here; it goes on wherever it is asked for next."""
        self.parked = self.kept and not self._closed
        self.close(UnknownSession("The session was left alone."))

    async def standing(self, command: Attach) -> Attached:
        """Tells the session's state and, where `command` asks, the masks that stand.

        Raises:
            SeemError: They could not be made.
        """
        masks: tuple[ObjectMask, ...] = ()
        image = self._state.image
        if command.masks and image is not None and self._state.video is None:
            shown = (one.without(*self._works) for one in self._state.history.objects)
            standing = tuple(one.to_answer() for one in shown if one.rounds)
            known = {} if self._log is None else self._log.masks()
            sent = [known.get((one.object_id, one.rounds[-1].seq)) for one in standing]
            unknown = tuple(one for one, mask in zip(standing, sent, strict=True) if mask is None)
            masks = tuple(mask for mask in sent if mask is not None)
            if unknown:
                # under a name of its own, or a click would take its place
                work = Decode(f"{self.session_id} standing", command.seq, image.key, unknown)
                masks += await self._masks(work)
        return Attached(command.seq, self.card, self._state.model, masks)

    async def _masks(self, work: Decode) -> tuple[ObjectMask, ...]:
        try:
            result = await self._engine.submit(work)
        except ImageUnknown:
            await self._bring_images(work)
            result = await self._engine.submit(work)
        if not isinstance(result, MasksReady):
            raise TypeError(f"A Decode ended with {type(result).__name__}.")
        return result.masks

    # --- the fold

    async def _event_of(self, command: Command) -> SessionCommand:
        match command:
            case SetImage():
                found = await self._images.find(command.image)
                return ImageRead(command.seq, found.key, found.size, found.encoded, found.timings)
            case Frame():
                found = await self._images.find(command.image)
                read = (found.key, found.size, found.encoded, found.timings)
                return FrameRead(command.seq, command.index, *read)
            case Prompt() if any(one.example for one in command.objects):
                check_kinds(command, self._state.model.capabilities)
                objects = [await self._without_image(one) for one in command.objects]
                return replace(command, objects=tuple(objects))
            case Attach():
                raise BadSequence("A session is attached to before anything else is said.")
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

    def _fold(self, event: Event, answer: asyncio.Future[Reply] | None = None) -> None:
        """Folds an event in; `answer` is who waits for the reply, where it is a command of his."""
        before = self._state
        self._state, effects = step(before, event)
        replies = [effect.reply for effect in effects if isinstance(effect, Send)]
        over = any(isinstance(effect, Forget) for effect in effects)
        if self._state is before:
            self._refuse(replies, before.last_seq, answer)
            return
        if answer is not None:
            self._asked[self._state.last_seq] = answer
        if self._log is not None and not over:  # first: what is carried out may end at once
            self._unanswered.update(reply.seq for reply in replies)
            self._log.keep(event, replies, partial(self._kept, replies))
        for effect in effects:
            self._carry_out(effect)
        if self._log is None:
            self._tell_all(replies)
            if over:
                self.close()
        elif over:
            self._run(self._forget(self._log, replies))

    def _refuse(
        self, replies: Sequence[Reply], last_seq: int, answer: asyncio.Future[Reply] | None
    ) -> None:
        """Tells the sender, and nobody else who may use the same number."""
        for reply in replies:
            if self._log is not None and reply.seq > last_seq:
                self._log.remember(reply)
            self._give(reply, answer)

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case Decode() | Everything() | Follow():
                self._works[effect.seq] = effect
                self._unanswered.add(effect.seq)
                self._submit(effect)
            case Encode():
                self._encode(effect)
            case Withdraw(seq):
                self._works.pop(seq, None)
                if ticket := self._tickets.pop(seq, None):
                    ticket.cancel()
            case Send() | Forget():
                pass

    def _kept(self, replies: Sequence[Reply], failure: SeemError | None) -> None:
        """An event is in the log, or could not be written: then the session ends here as it was."""
        if failure is not None:
            if isinstance(failure, PerhapsKept):
                self._break_off(failure)
            self._tell_all([Failed.of(reply.seq, failure) for reply in replies])
            self.close(failure)
        elif self._log is not None:
            self._unanswered.difference_update(reply.seq for reply in replies)
            self._log.remember(*replies)
            self._tell_all(replies)

    def _break_off(self, because: PerhapsKept) -> None:
        """Ends the stream unanswered: who attaches again hears what was done, and says the rest."""
        self.dismiss(because)
        self._tell_others, self._moved = tell_nobody, None

    async def _forget(self, log: SessionLog, replies: Sequence[Reply]) -> None:
        loss = None
        try:
            if not await log.forget():
                loss = await log.loss()
        except SeemError as error:
            logger.warning("a released session could not be forgotten", extra={"code": error.code})
        if isinstance(loss, SessionMoved):  # one that expired is gone, as it was to be
            replies = [Failed.of(reply.seq, loss) for reply in replies]
        self._tell_all(replies)
        self.close()

    def _tell_all(self, replies: Sequence[Reply]) -> None:
        for reply in replies:
            self._tell(reply)

    def _run(self, errand: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(errand)
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)

    def _tell(self, reply: Reply) -> None:
        self._give(reply, self._asked.get(reply.seq))

    def _give(self, reply: Reply, answer: asyncio.Future[Reply] | None) -> None:
        if answer is None:
            self._tell_others(reply)
        elif not answer.done():
            answer.set_result(reply)

    # --- tickets

    def _submit(self, work: Asked) -> None:
        try:
            if isinstance(work, Follow):
                self._check_log()  # many wait, and each answer is kept
            ticket = self._engine.submit(work)
        except ImageUnknown as error:
            self._image_is_missing(work, error)
            return
        except SeemError as error:
            # Not at once: what it ends may begin the next work, and thousands may wait.
            self._loop.call_soon(self._refused, work, Failed.of(work.seq, error))
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
        del self._tickets[seq]
        self._at_the_edge(seq, partial(self._fold_outcome, ticket, seq))

    def _refused(self, work: Asked, outcome: Failed) -> None:
        """The engine did not take a work that is still wanted."""
        seq = work.seq
        if not self._closed and self._works.get(seq) is work and seq not in self._tickets:
            self._at_the_edge(seq, partial(self._end, seq, outcome))

    def _at_the_edge(self, seq: int, act: Callable[[], None]) -> None:
        """Acts; where that breaks nobody else would hear of it, and the client would wait."""
        try:
            act()
        except Exception:
            tag = session_tag(self.session_id)
            logger.exception("a session broke", extra={"session": tag})
            broken = Internal("The session broke.")
            self._works.pop(seq, None)
            self._tell(Failed.of(seq, broken))
            self.close(broken)

    def _fold_outcome(self, ticket: Ticket, seq: int) -> None:
        outcome = _outcome(seq, ticket)
        if isinstance(outcome, Failed) and outcome.code == ImageUnknown.code and seq in self._works:
            self._image_is_missing(self._works[seq], ImageUnknown(outcome.message))
            return
        self._end(seq, outcome)

    def _end(self, seq: int, outcome: Outcome) -> None:
        """A work came to its outcome: nothing more is kept of it here."""
        self._brought.pop(seq, None)
        self._works.pop(seq, None)
        self._fold(outcome)

    def _image_is_missing(self, work: Asked, error: ImageUnknown) -> None:
        """Has the images brought from where they are kept: once each, or it might be for ever.

        What does not fit into the engine together is used one by one, a little more each time.
        """
        n_brought = self._brought.get(work.seq, 0)
        if n_brought < len(image_keys(work)):
            self._brought[work.seq] = n_brought + 1
            self._run(self._bring(work))
            return
        self._end(work.seq, Failed.of(work.seq, error))

    async def _bring(self, work: Asked) -> None:
        """Gives the engine the images that it lost, and asks again, if that is still wanted."""
        failure: SeemError | None = None
        try:
            await self._bring_images(work)
        except SeemError as error:
            failure = error
        if self._closed or self._works.get(work.seq) is not work:
            return
        if failure is None:
            self._submit(work)
        else:
            self._end(work.seq, Failed.of(work.seq, failure))

    async def _bring_images(self, work: Asked) -> None:
        """Its own image last, which must be there when it is asked for, however little fits in."""
        for name in image_keys(work) - {work.image_key}:
            await self._images.bring(name)
        await self._images.bring(work.image_key)

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
    if not isinstance(result, MasksReady | SegmentsReady | Followed):
        raise TypeError(f"A command's work ended with {type(result).__name__}.")
    return result
