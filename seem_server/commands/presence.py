"""How well a model tells what is in an image from what is not: figures of pure arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

THRESHOLDS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)


@dataclass(frozen=True, slots=True)
class Judged:
    """How sure the server was, 0 to 1, that something is there, and whether it is."""

    presence: float
    there: bool


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """What a threshold would do: what is below it is called absent.

    absent_answered: Share of what is absent that is called so. false_absence: share of what is
    there that is called absent.
    """

    threshold: float
    absent_answered: float
    false_absence: float


def roc_auc(judged: Sequence[Judged]) -> float | None:
    """How often something that is there is surer than something absent; draws count half.

    None where one of the two kinds is missing.
    """
    from scipy.stats import rankdata  # noqa: PLC0415 - slow to import: only evaluating needs it

    there = np.array([one.there for one in judged], np.bool_)
    n_there, n_absent = int(there.sum()), int((~there).sum())
    if not (n_there and n_absent):
        return None
    ranks = rankdata([one.presence for one in judged])
    above = float(ranks[there].sum()) - n_there * (n_there + 1) / 2
    return above / (n_there * n_absent)


def operating_curve(judged: Sequence[Judged]) -> tuple[OperatingPoint, ...]:
    """Both shares at each of THRESHOLDS; empty where one of the two kinds is missing."""
    there = np.array([one.presence for one in judged if one.there])
    absent = np.array([one.presence for one in judged if not one.there])
    if not (len(there) and len(absent)):
        return ()
    return tuple(
        OperatingPoint(
            threshold, float((absent < threshold).mean()), float((there < threshold).mean())
        )
        for threshold in THRESHOLDS
    )
