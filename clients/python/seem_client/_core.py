"""A session as its client sees it, without I/O, clock or lock: numbering, waiting, what stands.

A shell (`session.py`, `async_session.py`) owns the stream. For every command it

1. makes it with a method of `SessionCore`, which checks it and gives it its number,
2. says with `expect` whom to tell of the reply, and sends the command, in the order of the numbers,

and for every message that comes in it calls `receive`, or `end` where nothing more can come. Both
give back what is to be called outside of any lock.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from seem_client.picture import no_picture
from seem_client.prediction import Prediction, Predictions
from seem_wire.errors import (
    DeadlineExceeded,
    Disconnected,
    NotOffered,
    SeemError,
    Superseded,
    UnknownReply,
    UnknownSession,
)
from seem_wire.types import (
    MAX_WAITING,
    Attach,
    Attached,
    Choose,
    Clear,
    Done,
    Everything,
    Failed,
    Frame,
    ImageSet,
    Masks,
    Opened,
    OpenImage,
    OpenVideo,
    Prompt,
    PromptedObject,
    PromptKind,
    Propagate,
    Redo,
    Release,
    RemoveObject,
    Segments,
    SetImage,
    Stop,
    SupersededBy,
    Undo,
)
from seem_wire.validate import check_fits

if TYPE_CHECKING:
    from collections.abc import Callable

    from seem_client.picture import Picture, PictureOf
    from seem_wire.prompts import ObjectPrompt
    from seem_wire.types import (
        Capabilities,
        Command,
        Example,
        ImageSource,
        ModelCard,
        ObjectMask,
        Question,
        Reply,
        Segmented,
    )

    Outcome = Reply | SeemError
    Settle = Callable[[Outcome], None]

T = TypeVar("T")

CLOSE_TIMEOUT_S = 2.0
"""How long closing a session waits at most for the server's goodbye."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A command without its reply, and whom to tell of it."""

    command: Command
    settle: Settle


class SessionCore:
    """One session: gives commands their numbers and folds replies into what stands.

    Attributes:
        session_id: Names the session on the server, empty until it is opened.
        size: (height, width) of the image, None until it is set.
        n_frames: How many frames the server had of a video when this was attached to it.
        prompted: The frames of a video that something was said about here.
        offered: What the server takes.
        picture_of: What masks are drawn on, by the frame that they are of, or None for an image.
    """

    def __init__(self, model: ModelCard) -> None:
        self.session_id = ""
        self.size: tuple[int, int] | None = None
        self.n_frames = 0
        self.prompted: set[int] = set()
        self.offered = model.capabilities
        self.picture_of: PictureOf = no_picture
        self._last_seq = 0
        self._waiting: dict[int, _Waiting] = {}
        self._standing: dict[int, Prediction] = {}
        self._changed_at: dict[int, int] = {}
        self._cleared_at = 0
        self._ended: SeemError | None = None

    @property
    def predictions(self) -> dict[int, Prediction]:
        """What stands now, by object id; a copy."""
        return dict(self._standing)

    # commands

    def open_image(self, client: str) -> OpenImage:
        """Starts the session."""
        return OpenImage(self._number(), client)

    def open_video(self, client: str) -> OpenVideo:
        """Starts a session about a video."""
        return OpenVideo(self._number(), client)

    def frame(self, index: int, source: ImageSource) -> Frame:
        """Gives the video its next frame."""
        return Frame(self._number(), index, source)

    def propagate(self, frame: int, source: int) -> Propagate:
        """Follows all objects to a frame from another one."""
        return Propagate(self._number(), frame, source)

    def stop(self) -> Stop:
        """Ends what is asked and not answered of following."""
        return Stop(self._number())

    def set_image(self, source: ImageSource) -> SetImage:
        """Gives it its image."""
        return SetImage(self._number(), source)

    def prompt(
        self,
        object_id: int,
        prompt: ObjectPrompt,
        example: Example | None = None,
        *,
        frame: int | None = None,
        hypotheses: bool = False,
    ) -> Prompt:
        """Says something about one object, and perhaps asks what else it may mean.

        Raises:
            NotOffered: The server does not take this kind of prompt.
            BadPrompt: See `seem_wire.validate`; nothing was numbered, and the session is unchanged.
        """
        require_prompts(self.offered, prompt)
        one = PromptedObject(object_id, prompt, example)
        if self.size is not None:
            check_fits(prompt, self.size)
        said = Prompt(self._number(), (one,), hypotheses=hypotheses, frame=frame)
        if frame is not None:
            self.prompted.add(frame)
        return said

    def choose(self, object_id: int, hypothesis: int) -> Choose:
        """Says which of the hypotheses that came last for an object was meant."""
        return Choose(self._number(), object_id, hypothesis)

    def everything(self, question: Question) -> Everything:
        """Asks what is in the image. Raises NotOffered where the server cannot tell."""
        require_question(self.offered, question)
        return Everything(self._number(), question)

    def undo(self, object_id: int | None = None) -> Undo:
        """Takes back the last change, of one object or at all."""
        return Undo(self._number(), object_id)

    def redo(self, object_id: int | None = None) -> Redo:
        """Does again what was undone last, of one object or at all."""
        return Redo(self._number(), object_id)

    def clear(self) -> Clear:
        """Forgets all objects."""
        return Clear(self._number())

    def remove(self, object_id: int) -> RemoveObject:
        """Forgets one object."""
        return RemoveObject(self._number(), object_id)

    def release(self) -> Release:
        """Ends the session."""
        return Release(self._number())

    def _number(self) -> int:
        if self._ended is not None:
            raise copy(self._ended)  # a traceback of its own for everyone who is told
        self._last_seq += 1
        return self._last_seq

    # streams

    def attach(self, session_id: str) -> Attach:
        """Goes on with a session that was opened elsewhere, and asks what stands."""
        return Attach(self._number(), session_id, masks=True)

    def attach_again(self) -> Attach:
        """Goes on with this session in another stream, after the last was lost."""
        waiting = tuple(sorted(self._waiting))[:MAX_WAITING]
        after_seq = min(waiting, default=self._last_seq + 1) - 1
        return Attach(self._number(), self.session_id, after_seq, waiting=waiting)

    def give_up(self, attach: Attach) -> None:
        """Its stream ended before it was answered; nobody waits for that any more."""
        self._waiting.pop(attach.seq, None)

    def unanswered(self) -> list[Command]:
        """The commands that wait for their reply, in the order in which they were made."""
        return [one.command for _, one in sorted(self._waiting.items())]

    def unheard(self, attached: Attached) -> list[Command]:
        """The commands that the server does not know, in the order in which to send them again."""
        known = attached.session.last_seq
        return [one.command for seq, one in sorted(self._waiting.items()) if seq > known]

    # replies

    def expect(self, command: Command, settle: Settle) -> None:
        """Says that `settle` is to be told how `command` ended; it is told exactly once."""
        self._waiting[command.seq] = _Waiting(command, settle)

    def receive(self, reply: Reply) -> Callable[[], None]:
        """Folds a reply in; call what it gives to tell the one who waits."""
        waiting = self._waiting.pop(reply.seq, None)
        if waiting is None:
            return _nothing_to_tell
        self._fold(reply, waiting.command)
        return lambda: waiting.settle(reply)

    def end(self, error: SeemError) -> Callable[[], None]:
        """Nothing more will come, because of `error`; call what it gives to tell all who wait."""
        if self._ended is None:
            self._ended = error
        waiting, self._waiting = list(self._waiting.values()), {}

        def tell_all() -> None:
            for one in waiting:
                one.settle(copy(error))

        return tell_all

    # what a reply is to the one who asked; each raises what the server reported

    def read_prediction(self, reply: Reply) -> Prediction:
        """The mask that the prompt gave."""
        masks = _expected(reply, Masks)
        if not masks.objects:
            raise UnknownReply(f"The reply to prompt {reply.seq} holds no mask.")
        return self._prediction(masks.objects[-1], masks)

    def read_standing(self, reply: Reply) -> Prediction | None:
        """The mask that now stands for what undo or redo changed; None where none does."""
        masks = _expected(reply, Masks)
        return self._prediction(masks.objects[-1], masks) if masks.objects else None

    def read_frame(self, reply: Reply) -> dict[int, Prediction]:
        """The masks of a frame that was followed to, by object."""
        masks = _expected(reply, Masks)
        return {one.object_id: self._prediction(one, masks) for one in masks.objects}

    def read_segments(self, reply: Reply) -> Predictions:
        """What is in the image."""
        segments = _expected(reply, Segments)
        picture = self.picture_of(None)
        return Predictions(Prediction.of(one, segments, picture) for one in segments.segments)

    def _prediction(self, one: ObjectMask, masks: Masks) -> Prediction:
        return Prediction.of(one, masks, self.picture_of(masks.frame))

    def _fold(self, reply: Reply, command: Command) -> None:  # noqa: C901  (a case a kind)
        match reply:
            case Opened():
                self.session_id = reply.session_id
                self.offered = reply.model.capabilities
            case Attached() if isinstance(command, Attach) and command.masks:
                self._take_over(reply)
            case ImageSet():
                self.size = reply.size
                if isinstance(command, SetImage):
                    self._forget_all(reply.seq)
            case Masks() if isinstance(command, Propagate):
                pass  # told frame by frame, to who asked for it
            case Masks():
                for one in reply.objects:
                    self._stand(reply.seq, one.object_id, self._prediction(one, reply))
                for object_id in reply.removed_object_ids:
                    self._stand(reply.seq, object_id, None)
            case Done() if isinstance(command, Clear):
                self._forget_all(reply.seq)
            case Done() if isinstance(command, RemoveObject):
                self._stand(reply.seq, command.object_id, None)
            case _:
                pass

    def _take_over(self, attached: Attached) -> None:
        """The session as it was left by whoever had it."""
        self.session_id = attached.session.session_id
        self.offered = attached.model.capabilities
        self.size = attached.session.size
        self.n_frames = attached.session.n_frames
        self._last_seq = max(self._last_seq, attached.session.last_seq)
        for one in attached.objects:
            masks = Masks(attached.seq, (one,), model_id=attached.session.model_id)
            self._standing[one.object_id] = self._prediction(one, masks)

    def _stand(self, seq: int, object_id: int, prediction: Prediction | None) -> None:
        """Replies may overtake each other: an older command's never hides a newer one's."""
        if seq < max(self._changed_at.get(object_id, 0), self._cleared_at):
            return
        self._changed_at[object_id] = seq
        if prediction is None:
            self._standing.pop(object_id, None)
        else:
            self._standing[object_id] = prediction

    def _forget_all(self, seq: int) -> None:
        self._cleared_at = max(self._cleared_at, seq)
        for object_id in list(self._standing):
            self._stand(seq, object_id, None)


def _nothing_to_tell() -> None:
    """For replies that nobody waits for."""


# --- what is offered


def require_prompts(offered: Capabilities, prompt: ObjectPrompt) -> None:
    """Raises NotOffered where `prompt` says something in a way that the server does not take."""
    used = {
        PromptKind.POINT: prompt.points,
        PromptKind.BOX: prompt.box is not None or prompt.negative_boxes,
        PromptKind.SCRIBBLE: prompt.scribbles,
        PromptKind.LASSO: prompt.lassos,
        PromptKind.MASK: prompt.mask is not None,
        PromptKind.TEXT: prompt.text is not None,
    }
    for kind, given in used.items():
        if given:
            require_kind(offered, kind)


def require_kind(offered: Capabilities, kind: PromptKind) -> None:
    """Raises NotOffered where the server does not take prompts of a kind."""
    if kind not in offered.prompts:
        raise NotOffered(
            f"This server takes no {kind} prompts; it takes {_listed(offered.prompts)}."
        )


def require_question(offered: Capabilities, question: Question) -> None:
    """Raises NotOffered where the server cannot tell what is in an image, or not by these names."""
    if "everything" not in offered.commands:
        raise not_offered("everything", offered)
    if question.vocabulary is not None:
        require_kind(offered, PromptKind.TEXT)


def not_offered(name: str, offered: Capabilities) -> NotOffered:
    """The error for what only a later version of the wire can carry."""
    if name in offered.commands | offered.prompts:
        return NotOffered(f"This server offers {name!r}, but this client is too old to ask for it.")
    return NotOffered(
        f"This server does not offer {name!r}; its commands are {_listed(offered.commands)}, "
        f"its prompts {_listed(offered.prompts)}."
    )


def _listed(names: frozenset[str] | frozenset[PromptKind]) -> str:
    return ", ".join(sorted(names)) or "none"


# --- what a reply that holds no mask of a session is to the one who asked


def read(outcome: Outcome, what: Callable[[Reply], T]) -> T:
    """What a command came to, by one of the readers below; raises where it came to an error."""
    if isinstance(outcome, SeemError):
        raise outcome
    return what(outcome)


def read_opened(reply: Reply) -> Opened:
    """The session."""
    return _expected(reply, Opened)


def read_attached(reply: Reply) -> Attached:
    """The session that goes on."""
    return _expected(reply, Attached)


def read_image_set(reply: Reply) -> ImageSet:
    """The image."""
    return _expected(reply, ImageSet)


def read_done(reply: Reply) -> None:
    """Nothing; it was done."""
    _expected(reply, Done)


def read_segmented(reply: Segmented, picture: Picture) -> Prediction:
    """The mask that `Segment` gave for an object."""
    if not reply.objects:
        raise UnknownReply("The reply holds no mask.")
    return Prediction.of(reply.objects[-1], reply, picture)


def read_all_segmented(reply: Segmented, picture: Picture) -> Predictions:
    """What `Segment` found in the image."""
    return Predictions(Prediction.of(one, reply, picture) for one in reply.objects)


def _expected(reply: Reply, kind: type[T]) -> T:
    match reply:
        case Failed():
            raise reply.to_error()
        case SupersededBy():
            raise Superseded(f"Command {reply.by_seq} was served in place of {reply.seq}.")
        case _ if isinstance(reply, kind):
            return reply
        case _:
            raise UnknownReply(f"A {type(reply).__name__} answers command {reply.seq}.")


def closed() -> UnknownSession:
    """The error for a session that its own side has closed."""
    return UnknownSession("This session is closed.")


def client_closed() -> Disconnected:
    """The error for a client that its own side has closed."""
    error = Disconnected("This client is closed.")
    error.hint = "Connect again: what was closed stays closed."
    return error


def lost(address: str, reason: str = "") -> Disconnected:
    """The error for a stream that ended by itself."""
    because = f": {reason}" if reason else ""
    return Disconnected(f"The connection to the server at {address} was lost{because}.")


def overdue(address: str, timeout_s: float) -> DeadlineExceeded:
    """The error for a command whose reply did not come in time."""
    return DeadlineExceeded(f"The server at {address} gave no reply within {timeout_s:g} s.")
