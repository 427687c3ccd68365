"""What one click may have meant: is the right thing among what is offered, and is it chosen?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from seem_server.commands.clicks import iou, next_click
from seem_server.commands.reliability import reliability
from seem_server.commands.scores import Figure
from seem_server.commands.stills import opened
from seem_wire import rle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from seem_client import Client, Session
    from seem_server.commands.reliability import Reliability
    from seem_server.commands.stills import Still, Target


@dataclass(frozen=True, slots=True)
class Offer:
    """What came of one click on one object.

    Attributes:
        ious: The IoU of each mask that was sent, at least one; the first is the chosen one's.
        scores: What the model thought each of them to be.
    """

    source: str
    ious: tuple[float, ...]
    scores: tuple[float, ...]

    @property
    def best(self) -> float:
        """The IoU of the best, whichever was chosen."""
        return max(self.ious)

    @property
    def best_is_chosen(self) -> bool:
        """Whether none is better than the chosen one; as good is no better."""
        return self.ious[0] >= self.best


@dataclass(frozen=True, slots=True)
class HypothesesReport:
    """What the offers came to.

    Attributes:
        objects: How many were clicked.
        chosen: Mean IoU of the chosen masks.
        best: Mean IoU of each object's best mask, as an oracle would choose.
        best_chosen: Share of objects whose best mask was the chosen one, ties included.
        sent: Mean number of masks.
        pairs: (the model's own estimate of its IoU, its IoU) of every mask that was sent.
    """

    objects: int
    chosen: Figure
    best: Figure
    best_chosen: Figure
    sent: Figure
    pairs: tuple[tuple[float, float], ...] = field(repr=False)

    @property
    def reliability(self) -> Reliability | None:
        """The model's own estimates, also of what it did not choose."""
        return reliability(self.pairs)


def click_for_all(
    client: Client, stills: Iterable[Still], *, done: Callable[[], object] = lambda: None
) -> tuple[Offer, ...]:
    """Clicks once on each target and asks for all that it may have meant; `done` after each.

    The click is the first of the click protocol. Targets wholly in the ignored band are passed
    over.

    Raises:
        SeemError: The server failed, or refused an image or the click.
    """
    offers = []
    for still in stills:
        with opened(client, still) as session:
            for target in still.targets:
                offer = _offer(session, still, target)
                if offer is not None:
                    offers.append(offer)
                done()
    return tuple(offers)


def summarise(offers: Sequence[Offer]) -> HypothesesReport | None:
    """The means over objects, each counting the same; None where there are none."""

    def figure(value: Callable[[Offer], float]) -> Figure | None:
        return Figure.of([(one.source, value(one)) for one in offers])

    chosen, best = figure(lambda one: one.ious[0]), figure(lambda one: one.best)
    best_chosen = figure(lambda one: float(one.best_is_chosen))
    sent = figure(lambda one: len(one.ious))
    if chosen is None or best is None or best_chosen is None or sent is None:
        return None
    pairs = [pair for one in offers for pair in zip(one.scores, one.ious, strict=True)]
    return HypothesesReport(len(offers), chosen, best, best_chosen, sent, tuple(pairs))


def _offer(session: Session, still: Still, target: Target) -> Offer | None:
    wanted, counted = rle.decode(target.rle), still.counted(session.size)
    click = next_click(np.zeros_like(wanted), wanted, counted)
    if click is None:
        return None
    prediction = session.click(click.x, click.y, hypotheses=True)
    session.clear()
    sent = prediction.hypotheses or (prediction,)  # a server may know of none
    return Offer(
        source=still.source,
        ious=tuple(iou(one.mask, wanted, counted) for one in sent),
        scores=tuple(one.score for one in sent),
    )
