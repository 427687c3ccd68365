"""Measurements that several benchmarks take: a dataset, a server and what to ask, to a report."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from seem_server.commands import companions, hypotheses, words, words_report
from seem_server.commands.annotators import Way
from seem_server.commands.interactive import evaluate
from seem_server.commands.progress import progress
from seem_server.commands.prompts_report import (
    EXAMPLE,
    HYPOTHESES,
    TEXT_CLICK,
    ExamplesReport,
    PromptsReport,
)
from seem_server.commands.scores import Figure
from seem_server.commands.stills import DatasetInvalid, evenly, read_images, read_stills, take
from seem_server.commands.synonyms import read_synonyms, shipped_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from seem_client import Client
    from seem_server.commands.companions import AblationReport
    from seem_server.commands.hypotheses import HypothesesReport
    from seem_server.commands.reliability import Reliability
    from seem_server.commands.stills import Still
    from seem_server.commands.synonyms import Synonyms
    from seem_server.commands.words_report import TextReport


def measure_prompts(
    client: Client,
    dataset: Path,
    prompts: Sequence[str],
    *,
    limit: int | None = None,
    max_clicks: int = 20,
) -> PromptsReport:
    """Cuts out the objects of a dataset with each of `prompts`, of PROMPTS.

    limit: at most so many objects, and as many (image, name) for examples, evenly spread.

    Raises:
        DatasetInvalid: It cannot be read, or marks no object.
        SeemError: The server failed, or does not take one of the prompts.
    """
    stills = take(read_stills(dataset), limit)
    n_targets = sum(len(still.targets) for still in stills)
    if not n_targets:
        raise DatasetInvalid(f"{dataset} marks no object.")
    played, ways = None, ways_of(prompts)
    if ways:
        with progress(n_targets, "object") as done:
            played = evaluate(client, stills, ways=ways, max_clicks=max_clicks, done=done)
    model = client.model()
    return PromptsReport(
        model_id=model.model_id,
        provider=model.provider,
        images=len(stills),
        objects=n_targets,
        played=played,
        examples=_measure_examples(client, dataset, limit) if EXAMPLE in prompts else None,
        together=_measure_together(client, stills, n_targets) if TEXT_CLICK in prompts else None,
        hypotheses=_measure_offers(client, stills, n_targets) if HYPOTHESES in prompts else None,
    )


def ways_of(prompts: Sequence[str]) -> tuple[Way, ...]:
    """The ways among some prompts."""
    others = {EXAMPLE, TEXT_CLICK, HYPOTHESES}
    return tuple(Way(prompt) for prompt in prompts if prompt not in others)


def measure_words(
    client: Client,
    dataset: Path,
    *,
    synonyms: Path | None = None,
    absent: int | None = None,
    limit: int | None = None,
) -> TextReport:
    """Asks for everything of a dataset by its name.

    synonyms: a file of other words, None for the shipped one where there is one. absent: at most
    so many absent names an image, None for all. limit: at most so many (image, name).

    Raises:
        DatasetInvalid: It cannot be read, or names nothing.
        SynonymsInvalid: The file that was named cannot be read.
        SeemError: The server failed, or takes no words.
    """
    known = _synonyms(synonyms)
    pages = words.pages(read_images(dataset), known, limit=limit, absent=absent)
    n_questions = sum(len(page.questions) for page in pages)
    if not n_questions:
        raise DatasetInvalid(f"{dataset} names nothing.")
    with progress(n_questions, "word") as done:
        answers = words.ask(client, pages, done=done)
    model = client.model()
    return words_report.summarise(answers, model_id=model.model_id, provider=model.provider)


def draw_reliability(path: Path | None, named: dict[str, Reliability | None]) -> None:
    """Writes the diagrams of what there is, side by side; nothing without a path.

    Raises:
        OSError: The file cannot be written.
    """
    from seem_server.commands.reliability_diagram import diagram, side_by_side  # noqa: PLC0415

    drawn = [diagram(found, title) for title, found in named.items() if found is not None]
    if path is not None and drawn:
        side_by_side(drawn).save(path)


def positive(text: str) -> int:
    """An option's value: a number from 1 on."""
    if not (text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on")
    return int(text)


def _measure_examples(client: Client, dataset: Path, limit: int | None) -> ExamplesReport:
    possible = companions.example_tasks(read_images(dataset))
    tasks = evenly(possible.tasks, limit)
    with progress(len(tasks), "example") as done:
        found = companions.show_examples(client, tasks, done=done)
    present = [(one.task.still.source, float(one.is_present)) for one in found]
    return ExamplesReport(
        iou=companions.example_iou(found),
        present=Figure.of(present),
        lonely=possible.lonely,
        unnamed=possible.unnamed,
        partial=sum(not task.still.exhaustive for task in tasks),
        pairs=tuple((one.score, one.iou) for one in found),
    )


def _measure_together(
    client: Client, stills: Sequence[Still], n_targets: int
) -> AblationReport | None:
    with progress(n_targets, "object") as done:
        return companions.summarise_ablation(companions.ablate(client, stills, done=done))


def _measure_offers(
    client: Client, stills: Sequence[Still], n_targets: int
) -> HypothesesReport | None:
    with progress(n_targets, "object") as done:
        return hypotheses.summarise(hypotheses.click_for_all(client, stills, done=done))


def _synonyms(path: Path | None) -> Synonyms:
    found = path or shipped_file()
    if found is None:
        print("No synonyms are asked: no file of them is installed.", file=sys.stderr)
        return {}
    return read_synonyms(found)
