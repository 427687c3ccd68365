"""`seem evaluate report`: all benchmarks and the speed, in one table beside the goals.

Words and examples are measured on `text/`, where all that has a name is marked; everything else,
and examples too where there is no `text/`, on `stills/`.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seem_server import settings
from seem_server.commands import goals, prompts_report, words_report
from seem_server.commands.annotators import Way
from seem_server.commands.bench import bench_click
from seem_server.commands.echo import echo_process
from seem_server.commands.goals import Measured
from seem_server.commands.machine import machine_figures
from seem_server.commands.measuring import (
    draw_reliability,
    measure_prompts,
    measure_words,
    positive,
)
from seem_server.commands.prompts_report import EXAMPLE, HYPOTHESES, TEXT_CLICK
from seem_server.commands.reach import reach, reach_process
from seem_server.commands.scores import Mean, iou_after, lost_iou
from seem_server.commands.stills import FILE, DatasetInvalid
from seem_wire.errors import BundleNotFound, CallerError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from seem_client import Client
    from seem_server.commands.bench import ClickBench
    from seem_server.commands.goals import Verdict
    from seem_server.commands.hypotheses import HypothesesReport
    from seem_server.commands.machine import MachineFigures
    from seem_server.commands.prompts_report import PromptsReport
    from seem_server.commands.reliability import Reliability
    from seem_server.commands.scores import Figure
    from seem_server.commands.words_report import TextReport

STILLS, TEXT = "stills", "text"
TOGETHER = (Way.CLICKS.value, Way.JITTERED.value, Way.BOX.value, Way.SCRIBBLE.value)
"""What every server takes; played in one session an image."""

APART = (Way.LASSO.value, Way.MASK.value, Way.MIXED.value, TEXT_CLICK, HYPOTHESES)
"""What a server may refuse; each by itself, so that the others are measured all the same."""

_MIXED_PROMPTS = 3
_FAILED_PERCENT = 85
_CLICKS_AN_IMAGE = 30


@dataclass(frozen=True, slots=True)
class Results:
    """All that was measured; what could not be is missing, and `skipped` says why."""

    stills: tuple[PromptsReport, ...]
    examples: PromptsReport | None
    text: TextReport | None
    speed: ClickBench | None
    machine: MachineFigures
    bundle_bytes: int | None
    skipped: tuple[str, ...]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds what the report needs besides what all benchmarks have."""
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="write report.json, report.md and more"
    )
    parser.add_argument("--synonyms", type=Path, metavar="FILE", help="as in seem evaluate text")
    parser.add_argument("--absent", type=positive, metavar="N", help="as in seem evaluate text")
    parser.add_argument(
        "--timed-clicks", type=positive, default=300, metavar="N", help="to time (default: 300)"
    )
    parser.add_argument("--no-speed", action="store_true", help="measure no times")


def run(arguments: argparse.Namespace) -> int:
    """Measures, prints and writes; gives the exit code, 0 also where goals are not met.

    Raises:
        SeemError: There is no dataset, or the server refused or failed.
        OSError: The report cannot be written.
    """
    results = measure(arguments)
    verdicts = goals.judge(figures(results))
    document = as_json(results, verdicts, str(arguments.dataset))
    text = as_text(results, verdicts)
    if arguments.out is not None:
        _write(arguments.out, document, results, text)
    print(json.dumps(document) if arguments.json else text)
    return 0


def measure(arguments: argparse.Namespace) -> Results:
    """Runs everything that the folder has data for.

    Raises:
        DatasetInvalid: The folder has neither part, or a part cannot be read.
    """
    dataset: Path = arguments.dataset
    stills_there, text_there = ((dataset / part / FILE).is_file() for part in (STILLS, TEXT))
    if not (stills_there or text_there):
        raise DatasetInvalid(f"{dataset} holds neither {STILLS}/{FILE} nor {TEXT}/{FILE}.")
    skipped: list[str] = []
    played: list[PromptsReport] = []
    text = None
    with reach(arguments) as client:
        if stills_there:
            played = _measure_stills(client, dataset / STILLS, arguments.limit, skipped)
        where = dataset / (TEXT if text_there else STILLS)
        examples = _try(client, where, EXAMPLE, arguments.limit, skipped)
        if text_there:
            text = _try_words(client, arguments, skipped)
    return Results(
        stills=tuple(played),
        examples=examples,
        text=text,
        speed=None if arguments.no_speed else _measure_speed(arguments),
        machine=machine_figures(),
        bundle_bytes=_bundle_bytes(arguments),
        skipped=tuple(skipped),
    )


def figures(results: Results) -> dict[str, Measured]:
    """What there is, by the goals' keys."""
    found: dict[str, Measured] = {}
    for report in results.stills:
        found |= _of_ways(report)
        if report.together is not None:
            together = report.together
            found["gain_over_words"] = Measured.of(
                together.gain_over_words.overall,
                f"words {together.words.overall.shown(3)}, both {together.both.overall.shown(3)}",
            )
            found["gain_over_click"] = Measured.of(
                together.gain_over_click.overall, f"click {together.click.overall.shown(3)}"
            )
        if report.hypotheses is not None:
            found |= _of_hypotheses(report.hypotheses)
    if results.examples and results.examples.examples and results.examples.examples.iou:
        iou = results.examples.examples.iou
        found["example"] = Measured.of(iou.overall, f"{iou.count} (image, name)")
    if results.text is not None:
        found |= _of_words(results.text)
    return found | _of_costs(results)


def as_json(results: Results, verdicts: Sequence[Verdict], dataset: str) -> dict[str, Any]:
    """The table, and beneath it everything that was measured."""
    reports = [*results.stills, *([results.examples] if results.examples else [])]
    return {
        "benchmark": "report",
        "dataset": dataset,
        "model": _model(results),
        "figures": [_as_row(one) for one in verdicts],
        "prompts": [prompts_report.as_json(one, dataset) for one in reports],
        "text": None if results.text is None else words_report.as_json(results.text),
        "speed": None if results.speed is None else asdict(results.speed),
        "machine": asdict(results.machine),
        "skipped": list(results.skipped),
    }


def as_text(results: Results, verdicts: Sequence[Verdict]) -> str:
    """The table, and what it leaves out."""
    judged = [one.met for one in verdicts if one.met is not None]
    lines = [*goals.as_lines(verdicts), ""]
    lines.append(
        f"{_model(results)}: {judged.count(True)} of {len(judged)} measured goals met; ± is one "
        f"standard error over objects or (image, name); {results.machine}."
    )
    lines += [f"Not measured: {reason}" for reason in results.skipped]
    return "\n".join(lines)


def _write(folder: Path, document: dict[str, Any], results: Results, table: str) -> None:
    """Writes the report as a document, as a page with the figures of each source, and a diagram."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(json.dumps(document, indent=1), "utf-8")
    examples = (results.examples,) if results.examples is not None else ()
    details = [prompts_report.as_text(one) for one in (*results.stills, *examples)]
    details += [words_report.as_text(results.text)] if results.text is not None else []
    blocks = "".join(f"\n```\n{one}\n```\n" for one in details)
    (folder / "report.md").write_text(f"# Evaluation\n\n{table}\n\n## By source\n{blocks}", "utf-8")
    beliefs: dict[str, Reliability | None] = {}
    if results.stills:
        beliefs["IoU of a mask"] = results.stills[0].reliability
        beliefs["IoU of all hypotheses"] = _offered_reliability(results.stills)
    if results.text is not None:
        beliefs["IoU by words"] = results.text.score_reliability
        beliefs["Presence"] = results.text.presence_reliability
    draw_reliability(folder / "reliability.png", beliefs)


def _offered_reliability(reports: Sequence[PromptsReport]) -> Reliability | None:
    offered = (one.hypotheses for one in reports if one.hypotheses is not None)
    return next((one.reliability for one in offered), None)


# --- measuring


def _measure_stills(
    client: Client, dataset: Path, limit: int | None, skipped: list[str]
) -> list[PromptsReport]:
    reports = [measure_prompts(client, dataset, TOGETHER, limit=limit)]
    for prompt in APART:
        report = _try(client, dataset, prompt, limit, skipped)
        reports += [report] if report is not None else []
    return reports


def _try(
    client: Client, dataset: Path, prompt: str, limit: int | None, skipped: list[str]
) -> PromptsReport | None:
    try:
        return measure_prompts(client, dataset, (prompt,), limit=limit)
    except CallerError as error:
        skipped.append(f"{prompt}: {error}")
        return None


def _try_words(
    client: Client, arguments: argparse.Namespace, skipped: list[str]
) -> TextReport | None:
    try:
        return measure_words(
            client,
            arguments.dataset / TEXT,
            synonyms=arguments.synonyms,
            absent=arguments.absent,
            limit=arguments.limit,
        )
    except CallerError as error:
        skipped.append(f"words: {error}")
        return None


def _measure_speed(arguments: argparse.Namespace) -> ClickBench:
    n_clicks = arguments.timed_clicks
    with reach_process(arguments) as client, echo_process() as echo:
        n_images = max(n_clicks // _CLICKS_AN_IMAGE, 1)
        return bench_click(client, echo, n_clicks=n_clicks, n_images=n_images)


def _bundle_bytes(arguments: argparse.Namespace) -> int | None:
    """The size of the bundle's files; None where it is another machine's, or no files."""
    from seem_server.runtime.bundle import read_bundle  # noqa: PLC0415 - as in `reach`

    if arguments.server is not None:
        return None
    try:
        files = read_bundle(settings.read(arguments, os.environ).bundle).manifest.files
    except BundleNotFound:  # "fake"
        return None
    return sum(file.n_bytes for file in files)


# --- figures


def _of_ways(report: PromptsReport) -> dict[str, Measured]:
    played = report.played
    if played is None:
        return {}
    found: dict[str, Measured] = {}
    for way, courses in played.courses.items():
        after = iou_after(courses)
        if way in {Way.BOX, Way.SCRIBBLE, Way.LASSO, Way.MASK}:
            beside = f"after 3 prompts {after[3].overall.shown(3)}"
            found[way.value] = Measured.of(after[1].overall, beside)
        elif way is Way.MIXED:
            found[way.value] = Measured.of(after[_MIXED_PROMPTS].overall)
    clicks, jittered = (played.courses.get(way) for way in (Way.CLICKS, Way.JITTERED))
    if not (clicks and jittered):
        return found
    overall = played.overall
    never = [100.0 * (course.clicks_to(_FAILED_PERCENT) is None) for course in clicks]
    lost = lost_iou(clicks, jittered)
    most = max(lost, key=lambda n: lost[n].overall.mean)
    found |= {f"iou_{n}": Measured.of(overall.iou[n]) for n in (1, 3, 5)}
    found |= {f"noc_{percent}": Measured.of(overall.noc[percent]) for percent in (85, 90)}
    found["failures_85"] = Measured.of(Mean.of(never), f"of {overall.objects} objects")
    found["jitter_loss"] = Measured.of(lost[most].overall, f"after {most}")
    if report.reliability is not None:
        found["score_calibration"] = Measured(report.reliability.calibration_error)
    return found


def _of_words(text: TextReport) -> dict[str, Measured]:
    found: dict[str, Measured] = {}
    if text.iou is not None:
        found["text"] = Measured.of(text.iou.overall, f"{text.iou.count} (image, name)")
    if text.synonym_cost is not None:
        cost = text.synonym_cost
        found["synonym_cost"] = Measured.of(cost.overall, f"{cost.count} (image, name)")
    for key, figure in (
        ("absent_answered", text.absent_answered),
        ("false_absence", text.false_absence),
    ):
        if figure is not None:
            found[key] = _percent(figure)
    if text.roc_auc is not None:
        found["presence_auc"] = Measured(text.roc_auc)
    if text.presence_reliability is not None:
        found["presence_calibration"] = Measured(text.presence_reliability.calibration_error)
    return found


def _of_hypotheses(offered: HypothesesReport) -> dict[str, Measured]:
    beside = f"chosen {offered.chosen.overall.shown(3)}, {offered.sent.overall.mean:.1f} sent"
    return {
        "best_hypothesis": Measured.of(offered.best.overall, beside),
        "best_chosen": _percent(offered.best_chosen),
    }


def _percent(share: Figure) -> Measured:
    error = share.overall.standard_error
    percent = Mean(100 * share.overall.mean, None if error is None else 100 * error)
    return Measured.of(percent, f"of {share.count}")


def _of_costs(results: Results) -> dict[str, Measured]:
    found: dict[str, Measured] = {}
    if results.bundle_bytes is not None:
        found["bundle_mb"] = Measured(results.bundle_bytes / 1e6)
    if results.speed is not None:
        speed = results.speed
        found["encode_ms"] = Measured(speed.encode_ms.p50, beside=str(results.machine))
        found["click_ms"] = Measured(
            speed.click_ms.p50,
            beside=f"model {speed.model_ms.p50:.1f} ms, bare gRPC echo {speed.echo_ms.p50:.1f} ms",
        )
    return found


def _as_row(one: Verdict) -> dict[str, Any]:
    return {
        "key": one.goal.key,
        "meaning": one.goal.meaning,
        "unit": one.goal.unit,
        "measured": None if one.measured is None else asdict(one.measured),
        "bound": None if one.goal.limit is None else one.goal.bound.value,
        "goal": one.goal.limit,
        "met": one.met,
    }


def _model(results: Results) -> str:
    reports = [*results.stills, results.examples, results.text]
    return next((one.model_id for one in reports if one is not None), "nothing")
