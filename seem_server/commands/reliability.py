"""Whether what a model believes of itself comes true: predicted against achieved, in bins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

BINS = 10


@dataclass(frozen=True, slots=True)
class Bin:
    """Beliefs from `low` up to `high` (the last bin has its end too), and what came of them.

    predicted, achieved: their means; None where the bin is empty.
    """

    low: float
    high: float
    count: int
    predicted: float | None
    achieved: float | None


@dataclass(frozen=True, slots=True)
class Reliability:
    """How well beliefs, 0 to 1, match what came of them, 0 to 1.

    Attributes:
        count: How many there are.
        bins: BINS equally wide bins.
        calibration_error: The expected calibration error: the bins' distances between mean belief
            and mean outcome, weighted by how many are in each.
        squared_error: The mean squared distance; the Brier score where outcomes are 0 or 1.
        correlation: Pearson's; None where one side is always the same.
    """

    count: int
    bins: tuple[Bin, ...]
    calibration_error: float
    squared_error: float
    correlation: float | None


def reliability(pairs: Sequence[tuple[float, float]]) -> Reliability | None:
    """What some (predicted, achieved) come to; None where there are none."""
    if not pairs:
        return None
    predicted, achieved = np.array(pairs, np.float64).T
    places = np.clip((predicted * BINS).astype(int), 0, BINS - 1)
    bins, error = [], 0.0
    for place in range(BINS):
        within = places == place
        count = int(np.count_nonzero(within))
        means = [float(side[within].mean()) if count else None for side in (predicted, achieved)]
        bins.append(Bin(place / BINS, (place + 1) / BINS, count, *means))
        if count:
            error += abs(float((predicted[within] - achieved[within]).sum()))
    varied = float(predicted.std()) > 0 and float(achieved.std()) > 0
    return Reliability(
        count=len(pairs),
        bins=tuple(bins),
        calibration_error=error / len(pairs),
        squared_error=float(((predicted - achieved) ** 2).mean()),
        correlation=float(np.corrcoef(predicted, achieved)[0, 1]) if varied else None,
    )


def as_lines(found: Reliability, believed: str, achieved: str) -> list[str]:
    """The bins as a table, with the two errors below."""
    lines = [f"{believed:<16}{'n':>7}{'believed':>12}{achieved:>12}"]
    for one in found.bins:
        if one.predicted is not None and one.achieved is not None:
            span = f"{one.low:.1f} to {one.high:.1f}"
            lines.append(f"{span:<16}{one.count:>7}{one.predicted:>12.3f}{one.achieved:>12.3f}")
    together = "none" if found.correlation is None else f"{found.correlation:.3f}"
    lines.append(
        f"expected calibration error {found.calibration_error:.3f}, mean squared error "
        f"{found.squared_error:.3f}, correlation {together}, over {found.count}"
    )
    return lines
