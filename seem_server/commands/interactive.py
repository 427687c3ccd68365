"""The interactive benchmark: an annotator says what is wrong until the mask is right."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from seem_server.commands import scores
from seem_server.commands.annotators import Task, Way, annotator, say
from seem_server.commands.clicks import iou
from seem_server.commands.stills import opened
from seem_wire import rle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import numpy.typing as npt

    from seem_client import Client, Prediction, Session
    from seem_server.commands.annotators import Gesture
    from seem_server.commands.scores import Course
    from seem_server.commands.stills import Still

    Mask = npt.NDArray[np.bool_]

MAX_CORRECTED = max(scores.CORRECTED_PROMPTS)
"""When an object is given up that is begun otherwise than by exact clicks."""


@dataclass(frozen=True, slots=True, eq=False)
class Play:
    """One object's course.

    Attributes:
        ious: The IoU after each prompt.
        cached_click_ms: The server's time for each prompt on the cached image, in ms.
        scores: What the model thought the IoU to be, each time.
        gestures: What was said.
        last: What stood in the end; None where nothing was said.
    """

    ious: tuple[float, ...]
    cached_click_ms: tuple[float, ...]
    scores: tuple[float, ...] = ()
    gestures: tuple[Gesture, ...] = ()
    last: Prediction | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What the benchmark came to.

    Attributes:
        model_id: Which bundle answered.
        provider: Where it ran.
        images: How many images were opened.
        max_clicks: When an object was given up that was clicked exactly.
        courses: Every object's course, in each way that was played.
        click_ms: The server's time for a click on a cached image.
    """

    model_id: str
    provider: str
    images: int
    max_clicks: int
    courses: Mapping[Way, tuple[Course, ...]] = field(repr=False)
    click_ms: scores.Latency | None = None

    @property
    def overall(self) -> scores.Summary:
        """All objects, clicked exactly, each counting the same."""
        return scores.summarise(self.courses[Way.CLICKS], self.max_clicks)

    @property
    def sources(self) -> dict[str, scores.Summary]:
        """The same for each source."""
        return scores.by_source(self.courses[Way.CLICKS], self.max_clicks)


def evaluate(
    client: Client,
    stills: Iterable[Still],
    *,
    ways: Sequence[Way] = (Way.CLICKS,),
    max_clicks: int = 20,
    done: Callable[[], object] = lambda: None,
) -> Report:
    """Plays every target of every image in each of the `ways`; calls `done` after each target.

    Objects of an image share a session. Exact clicks are played for at most `max_clicks`, other
    ways for at most MAX_CORRECTED prompts.

    Raises:
        ValueError: There is nothing to play.
        SeemError: The server failed, or refused an image, or a prompt of a kind it does not take.
    """
    courses: dict[Way, list[Course]] = {way: [] for way in ways}
    times_ms: list[float] = []
    n_images = 0
    for still in stills:
        n_images += 1
        with opened(client, still) as session:
            counted = still.counted(session.size)
            for target in still.targets:
                task = Task(rle.decode(target.rle), counted, target.annotation_id)
                for way in ways:
                    most = max_clicks if way is Way.CLICKS else MAX_CORRECTED
                    played = play(session, task, most, way=way)
                    if way is Way.CLICKS:
                        times_ms += played.cached_click_ms
                    if played.ious:  # else the target lies wholly in the ignored band
                        courses[way].append(_course(still, played, task))
                done()
    if not any(courses.values()):
        raise ValueError("There is no object to evaluate.")
    model = client.model()
    return Report(
        model_id=model.model_id,
        provider=model.provider,
        images=n_images,
        max_clicks=max_clicks,
        courses={way: tuple(played) for way, played in courses.items()},
        click_ms=scores.latency(times_ms),
    )


def play(session: Session, task: Task, most: int, *, way: Way = Way.CLICKS) -> Play:
    """Says at most `most` things about one object until it is right; forgets it after."""
    predicted = np.zeros_like(task.wanted)
    ious: list[float] = []
    answers: list[Prediction] = []
    said: list[Gesture] = []
    says = annotator(way, task) if task.visible.any() else None
    while says and len(ious) < most and (not ious or ious[-1] < scores.STOP_IOU):
        gesture = says(predicted, len(ious))
        if gesture is None:
            break
        said.append(gesture)
        answers.append(say(session, gesture))
        predicted = answers[-1].mask
        ious.append(iou(predicted, task.wanted, task.counted))
    if ious:
        session.clear()
    return Play(
        ious=tuple(ious),
        cached_click_ms=tuple(one.timings.total_ms for one in answers if one.cache_hit),
        scores=tuple(one.score for one in answers),
        gestures=tuple(said),
        last=answers[-1] if answers else None,
    )


def _course(still: Still, played: Play, task: Task) -> Course:
    return scores.Course(still.source, played.ious, played.scores, task.seed)
