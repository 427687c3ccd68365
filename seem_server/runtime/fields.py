"""Typed reading of JSON that anybody may have written.

Whatever the document holds, a reader gives a value of the wanted kind and range, or BundleInvalid
with the place, what was expected there and what stood there.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, NoReturn, TypeVar

from seem_wire.errors import BundleInvalid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")

MAX_ITEMS = 100_000
_SHOWN = 60  # characters of a wrong value that a message quotes


class Fields:
    """One JSON object, with its place in the document for the messages."""

    def __init__(self, values: Mapping[str, object], place: str) -> None:
        self._values = values
        self._place = place

    @classmethod
    def of_text(cls, text: bytes, place: str) -> Fields:
        """The object that `text` holds.

        Raises:
            BundleInvalid: The text is no JSON, or no object.
        """
        try:
            values: object = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise BundleInvalid(f"{place} is not readable as JSON: {error}.") from error
        if not isinstance(values, dict):
            raise BundleInvalid(f"{place} should hold an object and holds {_quoted(values)}.")
        return cls(values, place)

    @property
    def values(self) -> Mapping[str, object]:
        """The object as it stood."""
        return self._values

    def within(self, key: str) -> Fields:
        """The object under `key`."""
        value = self._values.get(key)
        if not isinstance(value, dict):
            self._refuse(key, "an object")
        return Fields(value, f"{self._place}: {key}")

    def text(self, key: str, *, may_be_empty: bool = False) -> str:
        """The text under `key`."""
        value = self._values.get(key)
        if not isinstance(value, str) or not (value or may_be_empty):
            self._refuse(key, "a text")
        return value

    def whole(self, key: str, low: int, high: int) -> int:
        """The whole number under `key`, within `low` to `high`."""
        value = self._values.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            self._refuse(key, f"a whole number of {low} to {high}")
        return value

    def number(self, key: str) -> float:
        """The finite number under `key`."""
        value = _finite(self._values.get(key))
        if value is None:
            self._refuse(key, "a finite number")
        return value

    def numbers(self, key: str, n: int) -> tuple[float, ...]:
        """The `n` finite numbers under `key`."""
        numbers = self._each(key, _finite, "a list of finite numbers")
        if len(numbers) != n:
            self._refuse(key, f"{n} numbers")
        return numbers

    def texts(self, key: str) -> tuple[str, ...]:
        """The list of texts under `key`."""
        return self._each(
            key, lambda item: item if isinstance(item, str) and item else None, "a list of texts"
        )

    def objects(self, key: str) -> tuple[Fields, ...]:
        """The list of objects under `key`."""
        place = f"{self._place}: {key}"
        return self._each(
            key,
            lambda item: Fields(item, place) if isinstance(item, dict) else None,
            "a list of objects",
        )

    def _each(self, key: str, read: Callable[[object], T | None], wanted: str) -> tuple[T, ...]:
        value = self._values.get(key)
        if not isinstance(value, list) or len(value) > MAX_ITEMS:
            self._refuse(key, wanted)
        items = [read(item) for item in value]
        found = tuple(item for item in items if item is not None)
        if len(found) < len(items):
            self._refuse(key, wanted)
        return found

    def _refuse(self, key: str, wanted: str) -> NoReturn:
        found = _quoted(self._values[key]) if key in self._values else "missing"
        raise BundleInvalid(f"{self._place}: {key} should be {wanted} and is {found}.")


def _finite(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _quoted(value: object) -> str:
    shown = json.dumps(value)
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"
