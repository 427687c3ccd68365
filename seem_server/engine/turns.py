"""Fair turns on a device: of some flows that want it, which has had the least of it. Pure.

Start-time fair queueing (Goyal, Vin & Cheng 1996). A flow's mark rises by what the device spends on
it, and the lowest mark goes next. The clock rises by what each of those who want the device could
have had of it, and a flow that begins to wait begins no lower than the clock, but for a credit:
whoever was away has saved no more than that up, and whoever was served a moment ago is behind by no
more than what he had. With a credit, whoever asks for less than his share goes first when he asks
(as in borrowed virtual time, Duda & Cheriton 1999).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


@dataclass(frozen=True, slots=True)
class Turns:
    """Where each flow stands, in seconds of the device; who is not in `marks` stands at the clock.

    Marks that are no higher than where a flow would begin are kept only while their flows wait.
    """

    clock_s: float = 0.0
    marks: Mapping[str, float] = field(default_factory=dict)
    credit_s: float = 0.0

    @property
    def begin_s(self) -> float:
        """Where a flow begins that comes now."""
        return self.clock_s - self.credit_s

    def mark(self, name: str, joined_s: float) -> float:
        """The mark of a flow that has waited since one began at `joined_s`."""
        return max(joined_s, self.marks.get(name, joined_s))

    def after(
        self,
        name: str,
        joined_s: float,
        spent_s: float,
        *,
        wanting: Collection[str],
        grace_s: float = 0.0,
        has_more: bool = False,
    ) -> Turns:
        """The same after `spent_s` for one of the flows that wanted the device meanwhile.

        `grace_s`: so much of it will not be held against the flow. `has_more`: it waits for more
        already, and so uses up its credit, as the clock stands still until it has.
        """
        start_s = self.mark(name, joined_s)
        mark_s = start_s + max(spent_s - grace_s, 0.0)
        on_credit = has_more and mark_s <= self.clock_s
        clock_s = max(self.clock_s + (0.0 if on_credit else spent_s / len(wanting)), start_s)
        marks = {**self.marks, name: mark_s}
        begin_s = clock_s - self.credit_s
        kept = {one: at_s for one, at_s in marks.items() if at_s > begin_s or one in wanting}
        return Turns(clock_s, kept, self.credit_s)
