"""A picture's session, all that was said in it, and what came of it: without napari, and it waits.

What was said is kept in steps: where the session is lost, another one is told them again, one by
one, and equal steps give equal masks. One thread at a time may use it.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import seem_client
from seem_client.adapters.link import RECONNECT_S, is_session_gone
from seem_client.adapters.napari.marks import Kind
from seem_client.adapters.napari.pictures import Frames
from seem_client.video import Video
from seem_wire import rle
from seem_wire.errors import (
    NothingToRedo,
    NothingToUndo,
    NotOffered,
    SeemError,
    UnknownSession,
)
from seem_wire.prompts import Lasso, Scribble

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    import numpy as np
    import numpy.typing as npt

    from seem_client import Client, Prediction, Session, TrackedFrame
    from seem_client.adapters.napari.marks import Mark
    from seem_client.adapters.napari.pictures import Picture

T = TypeVar("T")

TIMEOUT_S = 30.0
"""How long a person waits for an answer before he is told that none comes."""

Masks = dict[tuple[int, int], rle.Rle]
"""By frame, 0 in an image, and object."""


@dataclass(frozen=True, slots=True)
class Reach:
    """Where the server is, and how it lets us in; files are read when it is asked first."""

    address: str = "localhost:50051"
    token_file: str = ""
    tls: bool = False
    tls_ca: str = ""

    def connect(self) -> Client:
        """A client. Raises as `seem_client.connect`."""
        token = None
        if self.token_file:
            token = Path(self.token_file).read_text("utf-8").strip()
        return seem_client.connect(
            self.address,
            token=token,
            tls=self.tls_ca or self.tls,
            reconnect_s=RECONNECT_S,
            timeout_s=TIMEOUT_S,
        )


@dataclass(frozen=True, slots=True)
class _Deed:
    """What was done about an object: marks that were said, `anew` after it was forgotten.

    None for `object_id`: all objects were forgotten.
    """

    object_id: int | None
    marks: tuple[Mark, ...] = ()
    anew: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class _Step:
    """A deed with what was before it and after it; `n_commands` changed the session."""

    deed: _Deed
    n_commands: int
    said: tuple[tuple[Mark, ...], tuple[Mark, ...]]
    masks: tuple[Masks, Masks]


class Sitting:
    """A picture's session.

    Attributes:
        said: The marks that count.
        masks: What stands; replaced and never changed, so that other threads may look.

    `reach` tells where the server is, each time: where that is another one, all is said there.
    """

    def __init__(self, picture: Picture, reach: Callable[[], Reach]) -> None:
        self._picture, self._reach = picture, reach
        self._at: Reach | None = None
        self._client: Client | None = None
        self._session: Session | None = None
        self._image: npt.NDArray[np.uint8] | None = None
        self._is_closed = False
        self._steps: list[_Step] = []
        self._undone: list[_Step] = []
        self.said: tuple[Mark, ...] = ()
        self.masks: Masks = {}

    @property
    def can_undo(self) -> bool:
        """Whether there is something to undo."""
        return bool(self._steps)

    @property
    def can_redo(self) -> bool:
        """Whether there is something to do again; what was undone in a lost session is not."""
        return bool(self._undone)

    @property
    def has_session(self) -> bool:
        """Whether there is a session, as far as is known."""
        return self._session is not None

    def begin(self) -> None:
        """Has the server look at the picture already; all else does it by itself."""
        self._lasting(lambda session: session)

    def changed(self, marks: Collection[Mark]) -> list[int]:
        """The objects about which `marks` say more or less than what counts."""
        both = sorted({one.object_id for one in (*self.said, *marks)})
        return [one for one in both if set(_of(self.said, one)) != set(_of(marks, one))]

    def say(self, object_id: int, marks: Collection[Mark]) -> Prediction | None:
        """Makes those of `marks` that are of the object count, and no others; gives its mask.

        What was not said before is said. An object of which something was taken back is forgotten
        first, and all of it said at once.

        Raises:
            SeemError: The server refuses, and nothing is changed, or cannot be reached.
        """
        deed = _what_to_do(object_id, _of(self.said, object_id), _of(marks, object_id))
        return self._do(deed)

    def clear(self) -> None:
        """Forgets all objects; can be undone."""
        if self.said:
            self._do(_Deed(None))

    def undo(self) -> None:
        """Takes back the last step. Raises NothingToUndo."""
        if not self._steps:
            raise NothingToUndo("Nothing was said that could be taken back.")
        self._lasting(lambda session: [session.undo() for _ in range(self._steps[-1].n_commands)])
        step = self._steps.pop()
        self._undone.append(step)
        self.said, self.masks = step.said[0], _merged(self.masks, step.masks[0], step.deed)

    def redo(self) -> None:
        """Does again what was undone last. Raises NothingToRedo."""
        if not self._undone:
            raise NothingToRedo("Nothing was taken back that could be said again.")
        step = self._undone[-1]

        def again(session: Session) -> None:
            if not self._undone:  # the session that knew it was lost
                raise NothingToRedo("The session in which it was taken back is lost.")
            for _ in range(step.n_commands):
                session.redo()

        self._lasting(again)
        self._undone.pop()
        self._steps.append(step)
        self.said, self.masks = step.said[1], _merged(self.masks, step.masks[1], step.deed)

    def everything(self, vocabulary: tuple[str, ...] = (), frame: int = 0) -> list[Prediction]:
        """All that is in the image, or in a frame of the video; changes nothing."""
        if self._picture.n_frames is None:
            return self._lasting(lambda session: session.everything(vocabulary or None))
        client = self._reached()
        return client.everything(self._picture.pixels(frame), vocabulary or None)

    def follow(self, first: int) -> Iterator[TrackedFrame]:
        """Follows all objects to the video's end, and gives each frame once `masks` has it."""
        video = self._lasting(lambda session: session)
        if not isinstance(video, Video):
            raise NotOffered("An image has no frames to be followed to.")
        with closing(video.propagate(first)) as frames:
            yield from self._kept(frames)

    def _kept(self, frames: Iterable[TrackedFrame]) -> Iterator[TrackedFrame]:
        for tracked in frames:
            found = {(tracked.index, one): each.rle for one, each in tracked.predictions.items()}
            self.masks = self.masks | found
            yield tracked

    def close(self) -> None:
        """Ends the session and the connection."""
        self._is_closed = True
        self._disconnect()

    def _disconnect(self) -> None:
        client, self._client, self._session = self._client, None, None
        if client is not None:
            client.close()

    # --- sessions

    def _do(self, deed: _Deed) -> Prediction | None:
        """Does it, or what of it was done is taken back and it raises."""
        found = self._lasting(lambda session: _perform(session, deed))
        others = [one for one in self.said if deed.object_id not in {None, one.object_id}]
        kept = () if deed.anew else _of(self.said, deed.object_id)
        said = (*others, *kept, *deed.marks)
        found_masks = {key: one.rle for key, one in found.predictions.items()}
        masks = _merged(self.masks, {} if _forgets(deed) else self.masks, deed) | found_masks
        step = _Step(deed, found.n_commands, (self.said, said), (self.masks, masks))
        self._steps.append(step)
        self._undone.clear()
        self.said, self.masks = said, masks
        return next(reversed(found.predictions.values()), None)

    def _lasting(self, act: Callable[[Session], T]) -> T:
        """Does it in the session, and in another one where that is lost."""
        if self._client is not None and self._reach() != self._at:
            self._disconnect()
        if self._session is not None:
            try:
                return act(self._session)
            except SeemError as error:
                if not is_session_gone(error):
                    raise
                self._session.leave()
                self._session = None
        session = self._open()
        try:
            self._undone.clear()
            for step in self._steps:
                _perform(session, step.deed)
        except BaseException:
            session.leave()
            raise
        self._session = session
        return act(session)

    def _open(self) -> Session:
        client = self._reached()
        if self._picture.n_frames is not None:
            return client.track(Frames(self._picture))
        if self._image is None:
            self._image = self._picture.pixels()
        return client.open(self._image)

    def _reached(self) -> Client:
        if self._is_closed:
            raise UnknownSession("This image was let go of.")
        if self._client is None:
            self._at = self._reach()
            self._client = self._at.connect()
        return self._client


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    predictions: dict[tuple[int, int], Prediction]
    n_commands: int


def _what_to_do(object_id: int, before: tuple[Mark, ...], now: tuple[Mark, ...]) -> _Deed:
    if set(before) <= set(now):
        return _Deed(object_id, tuple(one for one in now if one not in before))
    return _Deed(object_id, now, anew=True)


def _perform(session: Session, deed: _Deed) -> _Found:
    """Says a deed; where a part of it is refused, takes back the parts before and raises."""
    n_commands = 0
    found: dict[tuple[int, int], Prediction] = {}
    try:
        if deed.object_id is None:
            session.clear()
            return _Found({}, 1)
        if deed.anew:
            session.remove(deed.object_id)
            n_commands = 1
        for frame in sorted({one.frame for one in deed.marks}, key=lambda one: one or 0):
            about = [one for one in deed.marks if one.frame == frame]
            found[frame or 0, deed.object_id] = _say(session, deed.object_id, frame, about)
            n_commands += 1
    except SeemError as refusal:
        if not is_session_gone(refusal):
            for _ in range(n_commands):
                session.undo()
        raise
    return _Found(found, n_commands)


def _say(session: Session, object_id: int, frame: int | None, marks: list[Mark]) -> Prediction:
    boxes = [(*one.places[0], *one.places[-1]) for one in marks if _is(one, Kind.BOX, True)]
    words = [one.words for one in marks if one.kind is Kind.WORDS]
    painted = [one.painted for one in marks if one.painted is not None]
    return session.prompt(
        object_id=object_id,
        frame=frame,
        points=[(*one.places[0], one.positive) for one in marks if one.kind is Kind.POINT],
        scribbles=[Scribble(one.places, one.positive) for one in marks if one.kind is Kind.LINE],
        lassos=[Lasso(one.places, one.positive) for one in marks if one.kind is Kind.REGION],
        box=boxes[-1] if boxes else None,
        negative_boxes=[
            (*one.places[0], *one.places[-1]) for one in marks if _is(one, Kind.BOX, False)
        ],
        mask=rle.decode(painted[-1]) if painted else None,
        text=words[-1] if words else None,
    )


def _is(mark: Mark, kind: Kind, positive: bool) -> bool:  # noqa: FBT001
    return mark.kind is kind and mark.positive is positive


def _of(marks: Iterable[Mark], object_id: int | None) -> tuple[Mark, ...]:
    return tuple(one for one in marks if one.object_id == object_id)


def _forgets(deed: _Deed) -> bool:
    return deed.anew or deed.object_id is None


def _merged(now: Masks, other: Masks, deed: _Deed) -> Masks:
    """The masks of now, but the other's of those objects that a deed is about."""
    about = deed.object_id
    kept = {} if about is None else {key: one for key, one in now.items() if key[1] != about}
    theirs = {key: one for key, one in other.items() if about in {None, key[1]}}
    return kept | theirs
