"""Two benchmarks beside the clicks: examples from other images, and words together with a click."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from seem_server.commands.clicks import iou, next_click
from seem_server.commands.scores import Figure
from seem_server.commands.stills import opened
from seem_wire import rle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import numpy.typing as npt

    from seem_client import Client, Session
    from seem_server.commands.stills import Still, Target

    Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class ExampleTask:
    """All that is called `name` in an image is to be found, as `shown` has it."""

    still: Still
    name: str
    shown: Still


@dataclass(frozen=True, slots=True)
class Found:
    """What came of an example: IoU, the model's own estimate, and whether it saw any of it."""

    task: ExampleTask
    iou: float
    score: float
    is_present: bool


@dataclass(frozen=True, slots=True)
class ExampleTasks:
    """What can be shown: the tasks, and what was left out.

    lonely: (image, name) whose name is in no other image of the source. unnamed: images with
    something that has no name but "object".
    """

    tasks: tuple[ExampleTask, ...]
    lonely: int
    unnamed: int


@dataclass(frozen=True, slots=True)
class Ablation:
    """IoU of one object's name alone, one click alone, and both together.

    `words` are scored against the object, `words_all` against all that has the name.
    """

    source: str
    words: float
    words_all: float
    click: float
    both: float


@dataclass(frozen=True, slots=True)
class AblationReport:
    """The means side by side, and how much both together gain over either alone."""

    objects: int
    words: Figure
    words_all: Figure
    click: Figure
    both: Figure
    gain_over_words: Figure
    gain_over_click: Figure


def example_tasks(stills: Sequence[Still]) -> ExampleTasks:
    """Every (image, name) with the example for it.

    The example is the next image of the same source, in the file's order and around its end, in
    which something has this name.
    """
    having: dict[tuple[str, str], list[Still]] = {}
    for still in stills:
        for name in still.names:
            having.setdefault((still.source, name), []).append(still)
    tasks, lonely = [], 0
    for still in stills:
        for name in still.names:
            others = having[still.source, name]
            if len(others) == 1:
                lonely += 1
            else:
                following = (others.index(still) + 1) % len(others)
                tasks.append(ExampleTask(still, name, others[following]))
    unnamed = sum(any(mark.name is None for mark in still.marks) for still in stills)
    return ExampleTasks(tuple(tasks), lonely, unnamed)


def show_examples(
    client: Client, tasks: Iterable[ExampleTask], *, done: Callable[[], object] = lambda: None
) -> tuple[Found, ...]:
    """Shows every example in a session for each image; calls `done` after each.

    Raises:
        SeemError: The server failed, refused an image, or takes no examples.
    """
    found = []
    for still, of_image in groupby(tasks, key=lambda task: task.still):
        with opened(client, still) as session:
            counted = still.counted(session.size)
            for task in of_image:
                prediction = session.example(task.shown.path, task.shown.union(task.name))
                session.clear()
                achieved = iou(prediction.mask, still.union(task.name), counted)
                found.append(Found(task, achieved, prediction.score, prediction.is_present))
                done()
    return tuple(found)


def example_iou(found: Iterable[Found]) -> Figure | None:
    """Mean IoU over (image, name)."""
    return Figure.of([(one.task.still.source, one.iou) for one in found])


def ablate(
    client: Client, stills: Iterable[Still], *, done: Callable[[], object] = lambda: None
) -> tuple[Ablation, ...]:
    """Says each named target's name, clicks on it, and does both; calls `done` after each target.

    The click is the first of the click protocol. Targets without a name are passed over.

    Raises:
        SeemError: The server failed, refused an image, or takes no words.
    """
    found = []
    for still in stills:
        with opened(client, still) as session:
            words: dict[str, Mask] = {}
            for target in still.targets:
                if target.name is not None and target.name not in words:
                    words[target.name] = session.text(target.name).mask
                    session.clear()
                one = _ablated(session, still, target, words)
                if one is not None:
                    found.append(one)
                done()
    return tuple(found)


def _ablated(
    session: Session, still: Still, target: Target, words: dict[str, Mask]
) -> Ablation | None:
    wanted, counted = rle.decode(target.rle), still.counted(session.size)
    click = next_click(np.zeros_like(wanted), wanted, counted)
    if click is None or target.name is None:
        return None
    clicked = session.click(click.x, click.y, positive=click.positive).mask
    session.clear()
    both = session.prompt(points=[click], text=target.name).mask
    session.clear()
    said = words[target.name]
    return Ablation(
        source=still.source,
        words=iou(said, wanted, counted),
        words_all=iou(said, still.union(target.name), counted),
        click=iou(clicked, wanted, counted),
        both=iou(both, wanted, counted),
    )


def summarise_ablation(found: Sequence[Ablation]) -> AblationReport | None:
    """The means over objects, each counting the same; None where there are none."""

    def figure(value: Callable[[Ablation], float]) -> Figure | None:
        return Figure.of([(one.source, value(one)) for one in found])

    figures = [
        figure(lambda one: one.words),
        figure(lambda one: one.words_all),
        figure(lambda one: one.click),
        figure(lambda one: one.both),
        figure(lambda one: one.both - one.words),
        figure(lambda one: one.both - one.click),
    ]
    if any(one is None for one in figures):
        return None
    return AblationReport(len(found), *[one for one in figures if one is not None])
