"""Which close calls the reference took the other way, found by trying.

A turned call shifts the rest of the run, which makes close calls of its own; so calls are turned
one after another, the most promising few combinations at a time (a beam search).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from seem_model.evaluate.parity.close_calls import CloseCall
    from seem_model.evaluate.parity.sheet import Row

BEAM = 4
MOST_TURNED = 3


@dataclass(frozen=True, slots=True)
class Attempt:
    """A file's rows with some calls `turned`, and the `open` ones that it had, closest first."""

    rows: list[Row]
    turned: tuple[CloseCall, ...]
    open: tuple[CloseCall, ...]

    @property
    def passed(self) -> bool:
        """Whether no row failed, or needs a flip for an excuse."""
        return all(row.ok and not row.flipped for row in self.rows)

    @property
    def distance(self) -> float:
        """How far from the recording on the whole: less is better."""
        return sum(row.mean_error for row in self.rows)

    @property
    def closest(self) -> float:
        """Largest magnitude of a logit whose side was turned."""
        return max((abs(call.logit) for call in self.turned), default=0.0)


def settle(first: Attempt, attempt: Callable[[Sequence[CloseCall]], Attempt]) -> Attempt | None:
    """The first attempt that passes, turning at most MOST_TURNED calls; None if there is none.

    `attempt` checks the file again with the given calls turned.
    """
    beam, seen = [first], set()
    for _ in range(MOST_TURNED):
        tried = []
        for start in beam:
            for call in start.open:
                choices = frozenset(one.choice for one in (*start.turned, call))
                if choices in seen or call.place in {one.place for one in start.turned}:
                    continue
                seen.add(choices)
                trial = attempt((*start.turned, call))
                if trial.passed:
                    return trial
                tried.append(trial)
        beam = sorted([*beam, *tried], key=lambda one: one.distance)[:BEAM]
    return None
