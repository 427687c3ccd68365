"""What can be said in a session: the same methods, answered at once or awaited."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Generic, TypeVar

from seem_client._core import not_offered, require_kind, require_prompts, require_question
from seem_client.frames import open_frames
from seem_client.prompting import BoxLike, PointLike, object_prompt, question, shown, vertices
from seem_wire.errors import InvalidValue
from seem_wire.prompts import Lasso, ObjectPrompt, Scribble
from seem_wire.types import PromptKind, SegmentKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    import numpy.typing as npt

    from seem_client._core import SessionCore
    from seem_client.frames import FramesLike, FrameSource
    from seem_client.image import ImageLike
    from seem_client.prediction import Prediction
    from seem_client.prompting import SegmentKindLike, Shown
    from seem_wire.types import Capabilities, ModelCard, Question

    MaskLike = npt.NDArray[np.bool_ | np.integer]
    Line = Scribble | Iterable[tuple[float, float]]
    Outline = Lasso | Iterable[tuple[float, float]]
    ExampleLike = tuple[ImageLike, MaskLike]

Answer = TypeVar("Answer")
Answers = TypeVar("Answers")
Pending = TypeVar("Pending")
Opening = TypeVar("Opening")
Tracking = TypeVar("Tracking")


class PromptMethods(ABC, Generic[Answer, Answers, Pending]):
    """Says something about an object and gives its new mask.

    What is said adds to what was said of the object before: points, scribbles, lassos and negative
    boxes add up; a box, a mask, a text or an example takes the place of the earlier one.
    Coordinates are pixels of the original, upright image; masks are of its (H, W). `frame` is the
    number of the frame that is meant, from 0, in a session about a video, and only there. A prompt
    that the server refuses raises one of `seem_client.errors` and changes nothing.

    What is refused for want of room is said again, as a new command, for as long as `retry_s` of
    `connect`. What another thread or task says meanwhile may then go before it.

    The `submit_` methods neither wait for the mask nor say anything again, so that rapid clicks
    need not queue up: a click that a newer one on the same object overtook ends with
    `errors.Superseded`, and the newer one's mask counts it in.
    """

    _core: SessionCore

    @property
    def id(self) -> str:
        """Names the session on the server."""
        return self._core.session_id

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the upright image: the shape of every mask."""
        return self._core.size or (0, 0)

    @property
    def predictions(self) -> dict[int, Prediction]:
        """What stands now, by object id."""
        return self._core.predictions

    def click(
        self,
        x: float,
        y: float,
        *,
        positive: bool = True,
        object_id: int = 1,
        frame: int | None = None,
        hypotheses: bool = False,
    ) -> Answer:
        """Points at the object, or where it is not (`positive=False`).

        `x` to the right and `y` down, in pixels of the upright image; the first pixel's centre is
        (0.5, 0.5). With `hypotheses`, the prediction also has what else it may have meant; see
        `choose`.

        Raises:
            BadPrompt: Such as PointOutsideImage, or OnlyNegativePrompts for an object so far.
            SeemError: As every prompt, where the server refuses it or cannot be reached in time.
        """
        prompt = object_prompt(points=[(x, y, positive)])
        return self._ask(object_id, prompt, frame=frame, hypotheses=hypotheses)

    def box(
        self,
        x0: float,
        y0: float,
        x1: float,
        y1: float,
        *,
        positive: bool = True,
        object_id: int = 1,
        frame: int | None = None,
    ) -> Answer:
        """Draws a rectangle around the object, or one that no part of it lies in.

        Its corners are the left, top, right and bottom edge in pixels: x0 < x1 and y0 < y1.
        """
        corners = (x0, y0, x1, y1)
        if positive:
            return self._ask(object_id, object_prompt(box=corners), frame=frame)
        return self._ask(object_id, object_prompt(negative_boxes=[corners]), frame=frame)

    def lasso(
        self,
        points: Iterable[tuple[float, float]],
        *,
        positive: bool = True,
        object_id: int = 1,
        frame: int | None = None,
    ) -> Answer:
        """Draws a closed outline around the object, or around what no part of it lies in.

        `points`: three corners (x, y) or more, in pixels; the last is joined to the first.
        """
        outline = Lasso(vertices(points), positive)
        return self._ask(object_id, object_prompt(lassos=[outline]), frame=frame)

    def scribble(
        self,
        points: Iterable[tuple[float, float]],
        *,
        positive: bool = True,
        object_id: int = 1,
        frame: int | None = None,
    ) -> Answer:
        """Draws a line through the object, or through what it is not: (x, y) in pixels."""
        line = Scribble(vertices(points), positive)
        return self._ask(object_id, object_prompt(scribbles=[line]), frame=frame)

    def mask(self, mask: MaskLike, *, object_id: int = 1, frame: int | None = None) -> Answer:
        """Gives a rough mask of the object, to be refined.

        `mask`: bool or integers (H, W) of the upright image's size; all but 0 is inside.
        """
        return self._ask(object_id, object_prompt(mask=mask), frame=frame)

    def text(self, text: str, *, object_id: int = 1, frame: int | None = None) -> Answer:
        """Names the object, in a word or a few: "the red car"."""
        return self._ask(object_id, object_prompt(text=text), frame=frame)

    def example(
        self, image: ImageLike, mask: MaskLike, *, object_id: int = 1, frame: int | None = None
    ) -> Answer:
        """Shows the object, or one of its kind, in another image; `mask` is of its (H, W)."""
        return self._ask(
            object_id, ObjectPrompt(), _shown((image, mask), self._core.offered), frame=frame
        )

    def prompt(
        self,
        *,
        object_id: int = 1,
        frame: int | None = None,
        points: Iterable[PointLike] = (),
        box: BoxLike | None = None,
        scribbles: Iterable[Line] = (),
        mask: MaskLike | None = None,
        text: str | None = None,
        example: ExampleLike | None = None,
        negative_boxes: Iterable[BoxLike] = (),
        lassos: Iterable[Outline] = (),
        hypotheses: bool = False,
    ) -> Answer:
        """Says several things at once; points are (x, y) or (x, y, positive).

        An example is an image and a mask in it, as in `example`. A scribble or lasso given as plain
        vertices is positive. `hypotheses` is as in `click`.
        """
        prompt = object_prompt(
            points=points,
            box=box,
            scribbles=scribbles,
            mask=mask,
            text=text,
            negative_boxes=negative_boxes,
            lassos=lassos,
        )
        shown = _shown(example, self._core.offered)
        return self._ask(object_id, prompt, shown, frame=frame, hypotheses=hypotheses)

    def submit_click(
        self,
        x: float,
        y: float,
        *,
        positive: bool = True,
        object_id: int = 1,
        frame: int | None = None,
        hypotheses: bool = False,
    ) -> Pending:
        """Like `click`, and gives a future of the prediction at once."""
        prompt = object_prompt(points=[(x, y, positive)])
        return self._submit(object_id, prompt, frame=frame, hypotheses=hypotheses)

    def submit_prompt(
        self,
        *,
        object_id: int = 1,
        frame: int | None = None,
        points: Iterable[PointLike] = (),
        box: BoxLike | None = None,
        scribbles: Iterable[Line] = (),
        mask: MaskLike | None = None,
        text: str | None = None,
        example: ExampleLike | None = None,
        negative_boxes: Iterable[BoxLike] = (),
        lassos: Iterable[Outline] = (),
        hypotheses: bool = False,
    ) -> Pending:
        """Like `prompt`, and gives a future of the prediction at once.

        An example's image is read before that, and sent whole each time.
        """
        prompt = object_prompt(
            points=points,
            box=box,
            scribbles=scribbles,
            mask=mask,
            text=text,
            negative_boxes=negative_boxes,
            lassos=lassos,
        )
        shown = _shown(example, self._core.offered)
        return self._submit(object_id, prompt, shown, frame=frame, hypotheses=hypotheses)

    def everything(
        self,
        vocabulary: Iterable[str] | None = None,
        *,
        kind: SegmentKindLike = SegmentKind.PANOPTIC,
        threshold: float | None = None,
    ) -> Answers:
        """All that is in the image, as a list of labelled predictions; changes no object.

        `vocabulary`: names to look for, None for the model's own. `threshold`: the least score of
        what is listed, None for the model's own. A newer question of this session that overtakes
        it ends it with `errors.Superseded`.
        """
        asked = question(vocabulary, kind=kind, threshold=threshold)
        return self._question(asked)

    @abstractmethod
    def _ask(
        self,
        object_id: int,
        prompt: ObjectPrompt,
        example: Shown | None = None,
        *,
        frame: int | None = None,
        hypotheses: bool = False,
    ) -> Answer:
        """Sends a prompt and gives its prediction."""

    @abstractmethod
    def _submit(
        self,
        object_id: int,
        prompt: ObjectPrompt,
        example: Shown | None = None,
        *,
        frame: int | None = None,
        hypotheses: bool = False,
    ) -> Pending:
        """Sends a prompt and gives a future of its prediction."""

    @abstractmethod
    def _question(self, question: Question) -> Answers:
        """Asks what is in the image and gives what was found."""


def _shown(example: ExampleLike | None, offered: Capabilities) -> Shown | None:
    """The example, where there is one and the server takes it."""
    if example is None:
        return None
    require_kind(offered, PromptKind.EXAMPLE)
    given: object = example  # whatever it is: not every program is type-checked
    if not isinstance(given, tuple | list) or len(given) != 2:  # noqa: PLR2004
        raise InvalidValue("An example is a pair: an image, and a mask of what is meant in it.")
    return shown(*example)


class ClientMethods(ABC, Generic[Answer, Answers, Opening, Tracking]):
    """What can be asked of a server, outside of a session or to begin one."""

    _model: ModelCard

    def open(self, image: ImageLike) -> Opening:
        """A session about an image; close it, or use it in a `with` statement.

        Where the server may have the image already, its content hash goes first, and its bytes
        only if the server asks for them.

        Raises:
            BadImage: The image cannot be used; which of its kin says why.
            Overloaded: The server takes no more sessions now.
            OSError: The file cannot be read.
        """
        return self._open(image)

    def segment(
        self,
        image: ImageLike,
        *,
        object_id: int = 1,
        points: Iterable[PointLike] = (),
        box: BoxLike | None = None,
        scribbles: Iterable[Line] = (),
        mask: MaskLike | None = None,
        text: str | None = None,
        example: ExampleLike | None = None,
        negative_boxes: Iterable[BoxLike] = (),
        lassos: Iterable[Outline] = (),
    ) -> Answer:
        """One object of one image, without a session; what is said is as in `Session.prompt`."""
        offered = self._model.capabilities
        prompt = object_prompt(
            points=points,
            box=box,
            scribbles=scribbles,
            mask=mask,
            text=text,
            negative_boxes=negative_boxes,
            lassos=lassos,
        )
        require_prompts(offered, prompt)
        return self._segment(image, object_id, prompt, _shown(example, offered))

    def everything(
        self,
        image: ImageLike,
        vocabulary: Iterable[str] | None = None,
        *,
        kind: SegmentKindLike = SegmentKind.PANOPTIC,
        threshold: float | None = None,
    ) -> Answers:
        """All that is in an image, without a session; as `Session.everything`."""
        asked = question(vocabulary, kind=kind, threshold=threshold)
        require_question(self._model.capabilities, asked)
        return self._question(image, asked)

    def attach(self, session_id: str) -> Opening:
        """Goes on with a session that was opened before, by its `id`: in another program perhaps.

        Its objects, masks and history are as they were left. Whoever had it is told
        SessionMoved: only one has a session. Closing it ends it; `leave` does not.

        Of a session about a video it gives a `Video` (awaited, an `AsyncVideo`), which prompts and
        follows on the frames that the server has. To send more of them, or the first, use
        `track(frames, session_id=...)`.

        Raises:
            UnknownSession: There is none of this id (any more).
            ModelChanged: It was begun with another model than the server now runs.
            NotOffered: The server does not keep sessions.
        """
        if "attach" not in self._model.capabilities.commands:
            raise not_offered("attach", self._model.capabilities)
        return self._attach(session_id)

    def track(self, frames: FramesLike, *, session_id: str | None = None) -> Tracking:
        """A session about a video; close it, or use it in a `with` statement.

        `frames`: a folder of images, a video file, or images one by one, which may be live. They
        are sent as they are needed. `session_id`: goes on with a session about the same video.

        Raises:
            NotOffered: The server follows nothing through a video.
            BadVideo: There is no frame, or it is no video.
            Overloaded: The server takes no more sessions now.
            UnknownSession, ModelChanged: As `attach`.
            OSError: The file or folder cannot be read.
        """
        if "propagate" not in self._model.capabilities.commands:
            raise not_offered("propagate", self._model.capabilities)
        return self._track(open_frames(frames), session_id)

    @abstractmethod
    def _open(self, image: ImageLike) -> Opening:
        """Opens a session."""

    @abstractmethod
    def _track(self, source: FrameSource, session_id: str | None) -> Tracking:
        """Opens a session about a video, or goes on with one."""

    @abstractmethod
    def _attach(self, session_id: str) -> Opening:
        """Goes on with a session."""

    @abstractmethod
    def _segment(
        self, image: ImageLike, object_id: int, prompt: ObjectPrompt, example: Shown | None
    ) -> Answer:
        """Answers for one object."""

    @abstractmethod
    def _question(self, image: ImageLike, question: Question) -> Answers:
        """Answers for all that is in an image."""
