"""How long each kind of work takes here, learned from what has run."""

from __future__ import annotations

from collections import deque
from enum import StrEnum
from typing import TYPE_CHECKING

from seem_server.engine.work import Decode, Encode, Encoded, Follow, Followed, MasksReady
from seem_wire.errors import SeemError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seem_server.engine.work import Work
    from seem_server.engine.worker import Outcome

REMEMBERED = 32
"""Runs of a kind: enough that a slow one does not count for all, few enough to follow the load."""

QUANTILE = 0.75
"""Of these, what is told: three runs in four take no longer."""


class Kind(StrEnum):
    """What takes its own time."""

    CLICK = "a click on an encoded image, in a run of its own"
    UNHURRIED = "the same where nobody waited behind it: what it takes without load"
    ANOTHER = "each further click of a run"
    ENCODE = "encoding an image"
    TURN = "one turn of finding everything"
    FRAME = "following one object to a frame of a video"


class Durations:
    """What runs took lately; 0 for a kind that has not run yet. Written by one thread."""

    def __init__(self) -> None:
        self._seen = {kind: deque[float](maxlen=REMEMBERED) for kind in Kind}
        self._usual_s = dict.fromkeys(Kind, 0.0)

    def usual_s(self, kind: Kind) -> float:
        """What such a run takes at most, three times in four."""
        return self._usual_s[kind]

    def cost_s(self, work: Work, *, encoded: bool) -> float:
        """What `work` is likely to take at most, given whether its image is encoded already."""
        encoding_s = 0.0 if encoded else self.usual_s(Kind.ENCODE)
        if isinstance(work, Encode):
            return encoding_s
        if isinstance(work, Follow):
            return encoding_s + len(work.objects) * self.usual_s(Kind.FRAME)
        return encoding_s + self.usual_s(Kind.CLICK if isinstance(work, Decode) else Kind.TURN)

    def learn(
        self, works: Sequence[Work], outcomes: Sequence[Outcome], spent_s: float, *, alone: bool
    ) -> None:
        """Takes in what a run of equal kinds of work took together; `alone`: nobody waited then.

        What failed is no measure, and of clicks that encoded images the rest is one.
        """
        good = [one for one in outcomes if not isinstance(one, SeemError)]
        if not good:
            return
        missed = [
            one.timings.encode_ms / 1000
            for one in good
            if isinstance(one, MasksReady | Encoded | Followed) and not one.cache_hit
        ]
        if missed:
            self._saw(Kind.ENCODE, max(missed))
        if isinstance(works[0], Decode):
            self._clicked(len(works), max(spent_s - max(missed, default=0.0), 0.0), alone=alone)
        elif isinstance(works[0], Follow):
            n_objects = sum(len(one.objects) for one in works if isinstance(one, Follow))
            rest_s = max(spent_s - max(missed, default=0.0), 0.0)
            self._saw(Kind.FRAME, rest_s / max(n_objects, 1))
        elif not isinstance(works[0], Encode):
            self._saw(Kind.TURN, spent_s)

    def _clicked(self, count: int, spent_s: float, *, alone: bool) -> None:
        if count > 1:
            others_s = max(spent_s - self.usual_s(Kind.CLICK), 0.0)
            self._saw(Kind.ANOTHER, others_s / (count - 1))
            return
        self._saw(Kind.CLICK, spent_s)
        if alone or not self._seen[Kind.UNHURRIED]:
            self._saw(Kind.UNHURRIED, spent_s)

    def _saw(self, kind: Kind, spent_s: float) -> None:
        seen = self._seen[kind]
        seen.append(spent_s)
        self._usual_s[kind] = sorted(seen)[int(QUANTILE * (len(seen) - 1))]
