"""Typed reading of JSON that anybody may have written.

Whatever the document holds, a reader gives a value of the wanted kind and range, or BundleInvalid
with the place, what was expected there and what stood there.
"""

from __future__ import annotations

import json
import math
from enum import StrEnum
from typing import TYPE_CHECKING, NoReturn, TypeGuard, TypeVar

from seem_wire.errors import BundleInvalid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")
Kind = TypeVar("Kind", bound=StrEnum)

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
            values: object = json.loads(text, parse_constant=_refuse_constant)
            json.dumps(values, ensure_ascii=False).encode()  # half a character can't be shown
        except (ValueError, RecursionError) as error:
            raise BundleInvalid(f"{place} is not readable as JSON: {error}.") from error
        if not isinstance(values, dict):
            raise BundleInvalid(f"{place} should hold an object and holds {_quoted(values)}.")
        return cls(values, place)

    @property
    def values(self) -> Mapping[str, object]:
        """The object as it stood."""
        return self._values

    def has(self, key: str) -> bool:
        """Whether `key` is there at all."""
        return key in self._values

    def within(self, key: str) -> Fields:
        """The object under `key`."""
        value = self._values.get(key)
        if not isinstance(value, dict):
            self._refuse(key, "an object")
        return Fields(value, f"{self._place}: {key}")

    def within_or_null(self, key: str) -> Fields | None:
        """The object under `key`, which may be null but must be there."""
        if self.has(key) and self._values[key] is None:
            return None
        return self.within(key)

    def text(self, key: str, *, may_be_empty: bool = False) -> str:
        """The text under `key`."""
        value = self._values.get(key)
        if not isinstance(value, str) or not (value or may_be_empty):
            self._refuse(key, "a text")
        return value

    def whole(self, key: str, low: int, high: int) -> int:
        """The whole number under `key`, within `low` to `high`."""
        value = self._values.get(key)
        if not _is_whole(value, low, high):
            self._refuse(key, f"a whole number of {low} to {high}")
        return value

    def flag(self, key: str) -> bool:
        """The true or false under `key`."""
        value = self._values.get(key)
        if not isinstance(value, bool):
            self._refuse(key, "true or false")
        return value

    def choice(self, key: str, kinds: type[Kind]) -> Kind:
        """The one of `kinds` that is named under `key`."""
        value = self._values.get(key)
        if not isinstance(value, str) or value not in list(kinds):
            self._refuse(key, f"one of {', '.join(kinds)}")
        return kinds(value)

    def number(self, key: str, low: float, high: float) -> float:
        """The number under `key`, within `low` to `high`."""
        value = _finite(self._values.get(key))
        if value is None or not low <= value <= high:
            self._refuse(key, f"a number of {low:g} to {high:g}")
        return value

    def number_or_none(self, key: str, low: float, high: float) -> float | None:
        """The number under `key`, within `low` to `high`; None where it is null or missing."""
        return None if self._values.get(key) is None else self.number(key, low, high)

    def numbers(self, key: str, n: int, low: float, high: float) -> tuple[float, ...]:
        """The `n` numbers under `key`, each within `low` to `high`."""
        numbers = self._each(key, _finite, "a list of finite numbers")
        if len(numbers) != n or not all(low <= number <= high for number in numbers):
            self._refuse(key, f"{n} numbers of {low:g} to {high:g}")
        return numbers

    def wholes(self, key: str, low: int, high: int) -> tuple[int, ...]:
        """The list of whole numbers under `key`, each within `low` to `high`."""
        return self._each(
            key,
            lambda item: item if _is_whole(item, low, high) else None,
            f"a list of whole numbers of {low} to {high}",
        )

    def pairs(self, key: str, low: int, high: int) -> tuple[tuple[int, int], ...]:
        """The list of pairs of whole numbers under `key`, each within `low` to `high`."""
        wanted = f"a list of pairs of whole numbers of {low} to {high}"

        def read(item: object) -> tuple[int, int] | None:
            if not isinstance(item, list) or len(item) != 2:  # noqa: PLR2004  (a pair)
                return None
            first, second = item
            fits = _is_whole(first, low, high) and _is_whole(second, low, high)
            return (first, second) if fits else None

        return self._each(key, read, wanted)

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


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _is_whole(value: object, low: int, high: int) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


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
