"""A session that waits for answers, with a reader thread of its own."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Self, TypeVar

import grpc

from seem_client import _core as core
from seem_client._home import Home
from seem_client._methods import PromptMethods
from seem_client._offering import check_image_size, offer
from seem_client._reconnecting import RECONNECT_S, Ending, delays_s, ending_of, hint_s, is_transient
from seem_client.channel import client_name, reply_of
from seem_client.image import image_bytes
from seem_client.picture import Still
from seem_client.prediction import Prediction, Predictions
from seem_wire.convert import command_to_proto
from seem_wire.errors import SeemError
from seem_wire.types import Example, ImageBytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from seem_client._offering import KnownImages
    from seem_client._waiting import Patience
    from seem_client.channel import Metadata
    from seem_client.prompting import Shown
    from seem_wire.prompts import ObjectPrompt
    from seem_wire.types import Command, ImageSet, ImageSource, ModelCard, Question, Reply
    from seem_wire.v1 import seem_pb2 as pb
    from seem_wire.v1.seem_pb2_grpc import SeemStub

T = TypeVar("T")


class Session(PromptMethods[Prediction, Predictions, Future[Prediction]]):
    """One image, any number of objects; may be used from several threads of its process."""

    def __init__(
        self,
        stub: SeemStub,
        model: ModelCard,
        address: str,
        patience: Patience,
        sessions: set[Session],
        known: KnownImages,
        reconnect_s: float = RECONNECT_S,
        route: Metadata = (),
    ) -> None:
        self._stub, self._reconnect_s = stub, reconnect_s
        self._home = Home()
        self._route = route
        self._closing = threading.Event()
        self._delays: Iterator[float] | None = None
        self._hint_s = 0.0
        self._core = core.SessionCore(model)
        self._address, self._patience = address, patience
        self._goodbye_s = min(patience.timeout_s, core.CLOSE_TIMEOUT_S)
        self._sessions = sessions
        self._known = known
        self._lock = threading.Lock()
        self._outgoing: SimpleQueue[pb.Command | None] | None = SimpleQueue()
        self._stream = stub.Interact(iter(self._outgoing.get, None), metadata=self._route)
        self._reader = threading.Thread(target=self._read, name="seem-session", daemon=True)
        sessions.add(self)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def choose(self, hypothesis: int, *, object_id: int = 1) -> Prediction:
        """Says which of the prediction's `hypotheses` was meant, by its place among them.

        It becomes the object's mask, and what later prompts build on; can be undone. Another one of
        the same list can be chosen later, until there is a new prompt about the object.

        Raises:
            NothingToChoose: The object's last prompt did not come with such a hypothesis.
        """
        return self._wait(
            lambda: self._core.choose(object_id, hypothesis), self._core.read_prediction
        )

    def undo(self, *, object_id: int | None = None) -> Prediction | None:
        """Takes back the last change; gives the mask that now stands for what it changed.

        With an `object_id` it is the last change of that object, and the others stay as they are.
        """
        return self._wait(lambda: self._core.undo(object_id), self._core.read_standing)

    def redo(self, *, object_id: int | None = None) -> Prediction | None:
        """Does again what was undone last; gives the mask that now stands.

        With an `object_id` it is what was undone last of that object, also after changes of others.
        """
        return self._wait(lambda: self._core.redo(object_id), self._core.read_standing)

    def clear(self) -> None:
        """Forgets all objects; can be undone."""
        self._wait(self._core.clear, core.read_done)

    def remove(self, object_id: int) -> None:
        """Forgets one object; can be undone."""
        self._wait(lambda: self._core.remove(object_id), core.read_done)

    def close(self) -> None:
        """Ends the session on the server; does nothing the second time."""
        if self not in self._sessions or self._home.is_elsewhere:
            return
        self._closing.set()
        # Gone or too slow, the server forgets the session when it was left alone for long enough.
        with suppress(SeemError, TimeoutError):
            self._send(self._core.release, core.read_done).result(self._goodbye_s)
        self.leave()

    def leave(self) -> None:
        """Lets go of the session, which stays on the server: `attach` by its `id` goes on with it.

        The server keeps it for as long as its operator says. Does nothing the second time.
        """
        if self._home.is_elsewhere:
            return
        self._sessions.discard(self)
        self._closing.set()
        if self._end(core.closed()):
            self._reader.join(self._goodbye_s)
        self._stream.cancel()
        self._reader.join(self._goodbye_s)

    def show(self, source: ImageSource, data: bytes) -> ImageSet:
        """Gives the session its image, whose file is `data`, and opens it before that.

        Its client calls this.
        """
        self._core.picture_of = lambda _: Still(data)
        return self._patiently(partial(self._show, source))

    def resume(self, session_id: str) -> None:
        """Takes over a session that was opened before; its client calls this."""
        self._wait(lambda: self._core.attach(session_id), core.read_attached)

    def _show(self, source: ImageSource, left_s: float) -> ImageSet:
        opening = None
        if not self._core.session_id:
            opening = self._send(lambda: self._core.open_image(client_name()), core.read_opened)
        showing = self._send(lambda: self._core.set_image(source), core.read_image_set)
        if opening is not None:  # not waited for until now, and its refusal says more
            self._result(opening, left_s)
        return self._result(showing, left_s)

    def _ask(
        self,
        object_id: int,
        prompt: ObjectPrompt,
        example: Shown | None = None,
        *,
        frame: int | None = None,
        hypotheses: bool = False,
    ) -> Prediction:
        self._prepare(frame)

        def say(shown: Example | None) -> Prediction:
            return self._wait(
                lambda: self._core.prompt(
                    object_id, prompt, shown, frame=frame, hypotheses=hypotheses
                ),
                self._core.read_prediction,
            )

        if example is None:
            return say(None)

        def show(source: ImageSource) -> Prediction:
            return say(Example(source, example.mask))

        return offer(self._known, self._read_image(example), show)

    def _submit(
        self,
        object_id: int,
        prompt: ObjectPrompt,
        example: Shown | None = None,
        *,
        frame: int | None = None,
        hypotheses: bool = False,
    ) -> Future[Prediction]:
        self._prepare(frame)
        shown = None
        if example is not None:
            shown = Example(ImageBytes(self._read_image(example)), example.mask)
        return self._send(
            lambda: self._core.prompt(object_id, prompt, shown, frame=frame, hypotheses=hypotheses),
            self._core.read_prediction,
        )

    def _prepare(self, frame: int | None) -> None:
        """Sees to it that the server has the frame that a prompt is about."""

    def _question(self, question: Question) -> Predictions:
        return self._wait(lambda: self._core.everything(question), self._core.read_segments)

    def _read_image(self, example: Shown) -> bytes:
        data = image_bytes(example.image)
        check_image_size(data, self._core.offered)
        return data

    def _send(self, make: Callable[[], Command], what: Callable[[Reply], T]) -> Future[T]:
        self._home.check()
        future: Future[T] = Future()

        def settle(outcome: core.Outcome) -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(core.read(outcome, what))
            except SeemError as error:
                future.set_exception(error)

        with self._lock:  # numbers must leave in their order
            command = make()
            message = command_to_proto(command)
            self._core.expect(command, settle)
            if self._outgoing is not None:  # else it is sent as soon as there is a stream again
                self._outgoing.put(message)
        return future

    def _wait(self, make: Callable[[], Command], what: Callable[[Reply], T]) -> T:
        return self._patiently(lambda left_s: self._result(self._send(make, what), left_s))

    def _patiently(self, ask: Callable[[float], T]) -> T:
        """What `ask(seconds)` gives; it is called again where it is refused and that may pass."""
        waiting = self._patience.begin()
        while True:
            try:
                return ask(waiting.left_s)
            except SeemError as refusal:
                pause_s = waiting.pause_s(refusal)
                if pause_s is None or self._closing.wait(pause_s):
                    raise

    def _result(self, future: Future[T], left_s: float) -> T:
        try:
            return future.result(left_s)
        except TimeoutError:
            raise core.overdue(self._address, self._patience.timeout_s) from None

    def _read(self) -> None:
        """Takes what comes in, from one stream after the other, until nothing more can."""
        error: SeemError = core.lost(self._address)
        try:
            while True:
                ending = self._listen() or Ending(error, transient=False)
                error = ending.error
                if not ending.transient:
                    break
                refusal = self._go_on(error)
                if refusal is not None:
                    error = refusal
                    break
        finally:  # whatever ends this thread, nobody may wait for it
            self._end(error)

    def _listen(self, until: int | None = None) -> Ending | None:
        """Takes what comes in; why the stream ended, or None once command `until` is answered."""
        try:
            for message in self._stream:
                self._delays = None
                reply = reply_of(message)
                with self._lock:
                    tell = self._core.receive(reply)
                tell()
                if reply.seq == until:
                    return None
        except grpc.RpcError as failure:
            return ending_of(failure, self._address)
        return Ending(core.lost(self._address), transient=True)

    def _go_on(self, error: SeemError) -> SeemError | None:
        """Attaches to the session again; None once that is done, else why it cannot be."""
        if "attach" not in self._core.offered.commands:
            return error
        self._delays = self._delays or delays_s(self._reconnect_s, lambda: self._hint_s)
        for delay_s in self._delays:
            if self._closing.wait(delay_s):
                return error
            ending = self._attach_again()
            if ending is None:
                return None
            if not ending.transient:
                return ending.error
            self._hint_s = hint_s(ending.error)
        return error

    def _attach_again(self) -> Ending | None:
        outcomes: list[core.Outcome] = []
        queue: SimpleQueue[pb.Command | None] = SimpleQueue()
        with self._lock:
            if self._outgoing is not None:
                self._outgoing.put(None)  # lets gRPC's sender of the lost stream go home
            self._outgoing = None
            if not self._core.session_id:
                self._begin_again(queue)
                return None
            attach = self._core.attach_again()
            self._core.expect(attach, outcomes.append)
            queue.put(command_to_proto(attach))
        self._stream = self._stub.Interact(iter(queue.get, None), metadata=self._route)
        ending = self._listen(until=attach.seq)
        if ending is not None:
            queue.put(None)
            with self._lock:
                self._core.give_up(attach)
            return ending
        try:
            attached = core.read(outcomes[0], core.read_attached)
        except SeemError as refusal:
            queue.put(None)
            return Ending(refusal, is_transient(refusal))
        with self._lock:
            for command in self._core.unheard(attached):
                queue.put(command_to_proto(command))
            self._outgoing = queue
        return None

    def _begin_again(self, queue: SimpleQueue[pb.Command | None]) -> None:
        """Says all that has no answer in a new stream: no session is known yet. Needs the lock."""
        for command in self._core.unanswered():
            queue.put(command_to_proto(command))
        self._outgoing = queue
        self._stream = self._stub.Interact(iter(queue.get, None), metadata=self._route)

    def _end(self, error: SeemError) -> bool:
        """Says no more; whether all that was said is answered, so that the server ends it, too."""
        with self._lock:
            at_rest = self._outgoing is not None and not self._core.unanswered()
            tell = self._core.end(error)
            if self._outgoing is not None:
                self._outgoing.put(None)  # lets gRPC's sender go home
        tell()
        return at_rest
