"""COCO's protocols without prompts: panoptic, semantic, instances.

Each asks the model for all that is in a picture, applies one of the published rules, and hands the
result to a scorer: ours, or detectron2's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from seem_model.evaluate.coco import Picture
from seem_model.evaluate.datasets import DatasetInvalid, read_image
from seem_wire import segments

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from seem_model.evaluate.predictor import Findings, Predictor

_P = TypeVar("_P", bound=Picture)
_P_contra = TypeVar("_P_contra", bound=Picture, contravariant=True)
_T = TypeVar("_T")
_T_contra = TypeVar("_T_contra", contravariant=True)


class Scorer(Protocol[_P_contra, _T_contra]):
    """Gathers predictions of pictures, then scores them all."""

    def add(self, picture: _P_contra, predicted: _T_contra, /) -> None:
        """One picture's prediction."""
        ...

    def results(self) -> dict[str, float]:
        """The measures by their usual names, in percent."""
        ...


def evaluate(
    predictor: Predictor,
    pictures: Iterable[_P],
    rule: Callable[[Findings], _T],
    scorer: Scorer[_P, _T],
    *,
    done: Callable[[], object] = lambda: None,
) -> dict[str, float]:
    """Scores what `rule` makes of the model's findings.

    Raises:
        DatasetInvalid: There is no picture, or one can't be read.
    """
    count = 0
    for picture in pictures:
        scorer.add(picture, rule(predictor.everything(read_image(picture.path))))
        count += 1
        done()
    if not count:
        raise DatasetInvalid("There is no picture.")
    return {"pictures": float(count), **scorer.results()}


def panoptic_rule(
    things: Collection[int], threshold: float
) -> Callable[[Findings], segments.Panoptic]:
    """Findings to one segment a pixel."""
    return lambda found: segments.panoptic(found.probabilities, found.masks, things, threshold)


def semantic_rule(found: Findings) -> segments.Int32:
    """Findings to one label a pixel."""
    return segments.semantic(found.probabilities, found.masks)


def instance_rule(things: Collection[int]) -> Callable[[Findings], list[segments.Instance]]:
    """Findings to things that may overlap."""
    return lambda found: segments.instances(found.probabilities, found.masks, things)
