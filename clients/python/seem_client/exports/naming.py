"""What classes are called and numbered, where a program numbers them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seem_wire.errors import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from seem_client.prediction import Prediction

UNNAMED = "object"
"""What is called so has no name: nobody said it, and the model has none for it."""


def name_of(prediction: Prediction) -> str:
    """The prediction's label, or UNNAMED."""
    return prediction.label or UNNAMED


def numbered(
    predictions: Iterable[Prediction], names: Sequence[str] | None, first: int
) -> Mapping[str, int]:
    """The number of each name, from `first`: in the order of `names`, or in which they come.

    Raises:
        InvalidValue: A prediction has a name that is not among `names`, or one is there twice.
    """
    found = dict.fromkeys(map(name_of, predictions))
    if names is None:
        names = list(found)
    if isinstance(names, str):
        raise InvalidValue(f"Names are several; put {names!r} in a list.")
    if len(set(names)) < len(names):
        raise InvalidValue("A name is there twice.")
    missing = found.keys() - set(names)
    if missing:
        raise InvalidValue(f"There is no class for {', '.join(sorted(missing))}: name it, too.")
    return {name: number for number, name in enumerate(names, first)}
