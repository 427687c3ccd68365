"""Fair turns on a device: of some flows that want it, which has had the least of it. Pure.

Start-time fair queueing (Goyal, Vin & Cheng 1996). A flow's mark rises by what the device spends on
it, and the lowest mark goes next. The clock rises by what each of those who want the device could
have had of it, and a flow that begins to wait begins no lower than the clock: whoever was away has
saved nothing up, and whoever was served a moment ago is behind by no more than that.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


@dataclass(frozen=True, slots=True)
class Turns:
    """Where each flow stands, in seconds of the device; who is not in `marks` stands at the clock.

    Marks at or below the clock are kept only while their flows wait.
    """

    clock_s: float = 0.0
    marks: Mapping[str, float] = field(default_factory=dict)

    def mark(self, name: str, joined_s: float) -> float:
        """The mark of a flow that has waited since the clock was at `joined_s`."""
        return max(joined_s, self.marks.get(name, joined_s))

    def after(
        self,
        name: str,
        joined_s: float,
        spent_s: float,
        *,
        wanting: Collection[str],
        grace_s: float = 0.0,
    ) -> Turns:
        """The same after `spent_s` for one of the flows that wanted the device meanwhile.

        `grace_s`: so much of it will not be held against the flow.
        """
        start_s = self.mark(name, joined_s)
        clock_s = max(self.clock_s + spent_s / len(wanting), start_s)
        marks = {**self.marks, name: start_s + max(spent_s - grace_s, 0.0)}
        kept = {one: at_s for one, at_s in marks.items() if at_s > clock_s or one in wanting}
        return Turns(clock_s, kept)
