"""What can be said in a session: the same methods, answered at once or awaited."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Generic, Never, TypeVar

from seem_client._core import not_offered, require_prompts
from seem_client.prompting import BoxLike, PointLike, object_prompt
from seem_wire.prompts import Scribble
from seem_wire.types import PromptedObject

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    import numpy.typing as npt

    from seem_client._core import SessionCore
    from seem_client.image import ImageLike
    from seem_client.prediction import Prediction
    from seem_wire.prompts import ObjectPrompt
    from seem_wire.types import ModelCard

    MaskLike = npt.NDArray[np.bool_ | np.integer]
    Line = Scribble | Iterable[tuple[float, float]]
    Shown = tuple[ImageLike, MaskLike]

Answer = TypeVar("Answer")
Pending = TypeVar("Pending")
Opening = TypeVar("Opening")


class PromptMethods(ABC, Generic[Answer, Pending]):
    """Says something about an object and gives its new mask.

    What is said adds to what was said of the object before: points and scribbles add up; a box, a
    mask or a text takes the place of the earlier one. Coordinates are pixels of the original,
    upright image; masks are of its (H, W). A prompt that the server refuses raises one of
    `seem_client.errors` and changes nothing.

    The `submit_` methods do not wait for the mask, so that rapid clicks need not queue up: a click
    that a newer one on the same object overtook ends with `errors.Superseded`, and the newer one's
    mask counts it in.
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

    def click(self, x: float, y: float, *, positive: bool = True, object_id: int = 1) -> Answer:
        """Points at the object, or where it is not (`positive=False`)."""
        return self._ask(object_id, object_prompt(points=[(x, y, positive)]))

    def box(self, x0: float, y0: float, x1: float, y1: float, *, object_id: int = 1) -> Answer:
        """Draws a rectangle around the object."""
        return self._ask(object_id, object_prompt(box=(x0, y0, x1, y1)))

    def scribble(
        self,
        points: Iterable[tuple[float, float]],
        *,
        positive: bool = True,
        object_id: int = 1,
    ) -> Answer:
        """Draws a line through the object, or through what it is not."""
        line = Scribble(tuple((float(x), float(y)) for x, y in points), positive)
        return self._ask(object_id, object_prompt(scribbles=[line]))

    def mask(self, mask: MaskLike, *, object_id: int = 1) -> Answer:
        """Gives a rough mask of the object, (H, W), to be refined."""
        return self._ask(object_id, object_prompt(mask=mask))

    def text(self, text: str, *, object_id: int = 1) -> Answer:
        """Names the object."""
        return self._ask(object_id, object_prompt(text=text))

    def prompt(
        self,
        *,
        object_id: int = 1,
        points: Iterable[PointLike] = (),
        box: BoxLike | None = None,
        scribbles: Iterable[Line] = (),
        mask: MaskLike | None = None,
        text: str | None = None,
        example: Shown | None = None,
    ) -> Answer:
        """Says several things at once; points are (x, y) or (x, y, positive)."""
        self._refuse(example)
        prompt = object_prompt(points=points, box=box, scribbles=scribbles, mask=mask, text=text)
        return self._ask(object_id, prompt)

    def submit_click(
        self, x: float, y: float, *, positive: bool = True, object_id: int = 1
    ) -> Pending:
        """Like `click`, and gives a future of the prediction at once."""
        return self._submit(object_id, object_prompt(points=[(x, y, positive)]))

    def submit_prompt(
        self,
        *,
        object_id: int = 1,
        points: Iterable[PointLike] = (),
        box: BoxLike | None = None,
        scribbles: Iterable[Line] = (),
        mask: MaskLike | None = None,
        text: str | None = None,
        example: Shown | None = None,
    ) -> Pending:
        """Like `prompt`, and gives a future of the prediction at once."""
        self._refuse(example)
        prompt = object_prompt(points=points, box=box, scribbles=scribbles, mask=mask, text=text)
        return self._submit(object_id, prompt)

    def example(self, image: ImageLike, mask: MaskLike, *, object_id: int = 1) -> Never:
        """Shows the object in another image. Raises NotOffered: no server offers it yet."""
        del image, mask, object_id
        raise not_offered("example", self._core.offered)

    def everything(self, vocabulary: Iterable[str] | None = None) -> Never:
        """Everything in the image, named. Raises NotOffered: no server offers it yet."""
        del vocabulary
        raise not_offered("everything", self._core.offered)

    def _refuse(self, example: Shown | None) -> None:
        if example is not None:
            raise not_offered("example", self._core.offered)

    @abstractmethod
    def _ask(self, object_id: int, prompt: ObjectPrompt) -> Answer:
        """Sends a prompt and gives its prediction."""

    @abstractmethod
    def _submit(self, object_id: int, prompt: ObjectPrompt) -> Pending:
        """Sends a prompt and gives a future of its prediction."""


class ClientMethods(ABC, Generic[Answer, Opening]):
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
        example: Shown | None = None,
    ) -> Answer:
        """One object of one image, without a session; what is said is as in `Session.prompt`."""
        offered = self._model.capabilities
        if example is not None:
            raise not_offered("example", offered)
        prompt = object_prompt(points=points, box=box, scribbles=scribbles, mask=mask, text=text)
        require_prompts(offered, prompt)
        return self._segment(image, PromptedObject(object_id, prompt))

    def attach(self, session_id: str) -> Never:
        """Resumes a session. Raises NotOffered: no server offers it yet."""
        del session_id
        raise not_offered("attach", self._model.capabilities)

    def track(self, frames: object) -> Never:
        """A session about a video. Raises NotOffered: no server offers it yet."""
        del frames
        raise not_offered("track", self._model.capabilities)

    @abstractmethod
    def _open(self, image: ImageLike) -> Opening:
        """Opens a session."""

    @abstractmethod
    def _segment(self, image: ImageLike, one: PromptedObject) -> Answer:
        """Answers for one object."""
