"""What became of each recorded array of one file: compared, used as an input, or left aside.

Every array must be accounted for: `Sheet.close` turns what nobody looked at into a failure.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from seem_model.evaluate.parity.golden import Figures, GoldenUnusable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from seem_model.evaluate.parity.golden import Golden, Recorded
    from seem_model.evaluate.parity.tolerances import Tolerance


class Use(StrEnum):
    """What a recorded array was for."""

    COMPARED = "compared"
    GIVEN = "given"  # an input of the run: a prompt, a recorded draw
    ASIDE = "aside"  # says something about the file, or can't be had; `note` says why
    HIDDEN = "hidden"  # inside the exported graphs, so not to be seen from outside
    FORGOTTEN = "forgotten"


@dataclass(frozen=True, slots=True)
class Row:
    """One recorded array.

    `error`, the largest, against `limit`, both in the array's unit (or pixels, or ids); `iou` of
    the worst mask, where it is one. `flipped`: passed as what a flip may do.
    """

    file: str
    array: str
    use: Use
    ok: bool = True
    error: float = 0.0
    limit: float = 0.0
    iou: float | None = None
    note: str = ""
    mean_error: float = 0.0
    flipped: bool = False

    @property
    def severity(self) -> float:
        """How much of the tolerance was used: above 1 for a failure."""
        if self.ok:
            return self.error / self.limit if self.limit else 0.0
        return max(self.error / self.limit, 1.0) if self.limit else float("inf")


@dataclass(slots=True)
class Sheet:
    """The account of one file. The first word on an array stands: later ones add nothing."""

    golden: Golden
    rows: list[Row] = field(default_factory=list)

    def given(self, *names: str, ok: bool = True) -> None:
        """These arrays were put into the run; `ok`: and they agree with its other inputs."""
        for name in names:
            self._add(name, Use.GIVEN, ok=ok, note="" if ok else "at odds with other inputs")

    def aside(self, names: Iterable[str], why: str) -> None:
        """These arrays are nothing to compare."""
        for name in names:
            self._add(name, Use.ASIDE, note=why)

    def hidden(self, *names: str) -> None:
        """The exported graphs don't show these arrays."""
        for name in names:
            self._add(name, Use.HIDDEN, note="not exposed by the graphs")

    def compare(self, name: str, ours: NDArray[Any], tolerance: Tolerance) -> None:
        """Values within `tolerance`; of a thinned array the figures of the whole as well."""
        recorded = self.golden.recorded(name)
        if ours.shape != recorded.shape:
            self._refuse(name, f"shape {ours.shape}, not {recorded.shape}")
            return
        limit = tolerance.limit * (recorded.figures.largest if tolerance.relative else 1.0)
        difference = np.abs(
            np.asarray(recorded.thin(ours), np.float64) - np.asarray(recorded.values, np.float64)
        )
        error = _largest(difference)
        if any(step > 1 for step in recorded.strides):
            error = max(error, _difference_of_figures(recorded, ours))
        share = float((difference > limit).mean()) if difference.size else 0.0
        flipped = limit < error <= tolerance.flip_limit and share <= tolerance.flip_share
        self._add(
            name,
            Use.COMPARED,
            ok=bool(error <= limit or flipped),
            error=error,
            limit=tolerance.flip_limit if flipped else limit,
            note=f"a flip: {share:.2%} beyond {limit:g}" if flipped else "",
            mean_error=float(difference.mean()) if difference.size else 0.0,
            flipped=flipped,
        )

    def equal(
        self, name: str, ours: NDArray[Any], *, most: int = 0, unordered: NDArray[Any] | None = None
    ) -> None:
        """Ids, classes or words that are the same; at most `most` elements differ.

        `unordered`: where the order means nothing, as the program left equals in any.
        """
        theirs = self.golden.recorded(name).values
        if ours.shape != theirs.shape:
            self._refuse(name, f"shape {ours.shape}, not {theirs.shape}")
            return
        if unordered is not None:
            ours, theirs = (_sorted_where(unordered, values) for values in (ours, theirs))
        error = int((ours != theirs).sum())
        self._add(name, Use.COMPARED, ok=error <= most, error=error, limit=most)

    def pixels(self, name: str, ours: NDArray[np.bool_], most: int) -> None:
        """Masks (…, h, w), recorded as bits, of which each differs in at most `most` pixels."""
        theirs = self.golden.bits(name, ours.shape[-1])
        if ours.shape != theirs.shape:
            self._refuse(name, f"shape {ours.shape}, not {theirs.shape}")
            return
        error = int(_largest((ours != theirs).sum((-2, -1))))
        union = (ours | theirs).sum((-2, -1))
        iou = np.where(union > 0, (ours & theirs).sum((-2, -1)) / np.maximum(union, 1), 1.0)
        worst = float(iou.min()) if iou.size else 1.0
        self._add(name, Use.COMPARED, ok=error <= most, error=error, limit=most, iou=worst)

    def close(self) -> list[Row]:
        """All rows, in the file's order; arrays that nobody looked at have failed."""
        for name in self.golden.names:
            self._add(name, Use.FORGOTTEN, ok=False, note="nothing was done with it")
        order = {name: place for place, name in enumerate(self.golden.names)}
        return sorted(self.rows, key=lambda row: order[row.array])

    def _refuse(self, name: str, why: str) -> None:
        self._add(name, Use.COMPARED, ok=False, error=float("inf"), note=why)

    def _add(self, name: str, use: Use, **rest: Any) -> None:
        if name not in self.golden:
            raise GoldenUnusable(f"{self.golden.label} has no array {name}")
        if not any(row.array == name for row in self.rows):
            self.rows.append(Row(self.golden.label, name, use, **rest))


def _sorted_where(chosen: NDArray[Any], values: NDArray[Any]) -> NDArray[Any]:
    values = values.copy()
    values[chosen] = np.sort(values[chosen])
    return values


def _largest(values: NDArray[Any]) -> float:
    return float(values.max()) if values.size else 0.0


def _difference_of_figures(recorded: Recorded, ours: NDArray[Any]) -> float:
    """Largest difference of the figures, each scaled so that no element's difference exceeds it.

    If no element differs by more than e, then mean, deviation and largest differ by at most e, and
    the norm by at most e √(number of elements).
    """
    a, b = recorded.figures, Figures.of(ours)
    norm = abs(a.norm - b.norm) / max(1.0, np.sqrt(ours.size))
    return float(
        max(abs(a.mean - b.mean), abs(a.spread - b.spread), abs(a.largest - b.largest), norm)
    )
