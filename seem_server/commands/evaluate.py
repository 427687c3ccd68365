"""`seem evaluate`: how good the masks are, measured through the real client."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seem_server.commands.interactive import Report, evaluate
from seem_server.commands.reach import add_reach_options, reach
from seem_server.commands.scores import REPORTED_CLICKS, REPORTED_PERCENTS, STOP_IOU, Summary
from seem_server.commands.stills import DatasetInvalid, read_stills, take

if TYPE_CHECKING:
    from seem_server.commands.scores import Mean

PROTOCOL = (
    "clicks at the centre (largest Euclidean distance to its edge) of the largest wrong region "
    f"(8-connected); an object stops at IoU {STOP_IOU:g} or when nothing is wrong, and its IoU is "
    "carried on; crowds are skipped, and ignored bands do not count"
)


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command and its benchmarks."""
    parser = subparsers.add_parser("evaluate", help="measure the quality of the masks")
    benchmarks = parser.add_subparsers(dest="benchmark", required=True)
    interactive = benchmarks.add_parser(
        "interactive", help="click until each object is right", description=PROTOCOL
    )
    interactive.add_argument("dataset", type=Path, help="a folder with annotations.json")
    interactive.add_argument("--limit", type=_positive, help="so many objects, evenly spread")
    interactive.add_argument(
        "--max-clicks", type=_positive, default=20, help="give an object up after (default: 20)"
    )
    interactive.add_argument("--json", action="store_true", help="print one JSON document")
    add_reach_options(interactive)


def run(arguments: argparse.Namespace) -> int:
    """Evaluates; gives the exit code.

    Raises:
        SeemError: There is no dataset, or the server refused or failed.
    """
    report = _evaluate(arguments)
    print(json.dumps(as_json(report, arguments.dataset)) if arguments.json else as_text(report))
    return 0


def _evaluate(arguments: argparse.Namespace) -> Report:
    from tqdm import tqdm  # noqa: PLC0415 - only where there is something to wait for

    stills = take(read_stills(arguments.dataset), arguments.limit)
    n_targets = sum(len(still.targets) for still in stills)
    if not n_targets:
        raise DatasetInvalid(f"{arguments.dataset} marks no object.")
    with (
        reach(arguments) as client,
        tqdm(total=n_targets, unit="object", file=sys.stderr) as progress,
    ):
        return evaluate(client, stills, max_clicks=arguments.max_clicks, done=progress.update)


def as_json(report: Report, dataset: Path) -> dict[str, Any]:
    """The report as one document; means come with their standard errors."""
    return {
        "benchmark": "interactive",
        "dataset": str(dataset),
        "model": report.model_id,
        "provider": report.provider,
        "images": report.images,
        "objects": report.overall.objects,
        "max_clicks": report.max_clicks,
        "stop_iou": STOP_IOU,
        "protocol": PROTOCOL,
        "overall": asdict(report.overall),
        "sources": {source: asdict(summary) for source, summary in report.sources.items()},
        "click_ms": None if report.click_ms is None else asdict(report.click_ms),
    }


def as_text(report: Report) -> str:
    """The report as a table."""
    heads = [f"IoU@{n}" for n in REPORTED_CLICKS]
    heads += [f"NoC@{percent}" for percent in REPORTED_PERCENTS]
    heads += [f"fail@{percent}" for percent in REPORTED_PERCENTS]
    lines = [f"{'source':<12}{'objects':>8}" + "".join(f"{head:>15}" for head in heads)]
    named = [*report.sources.items(), ("all", report.overall)]
    lines += [_row(source, summary) for source, summary in named]
    lines.append(f"{report.model_id} on {report.provider}; ± is one standard error; {PROTOCOL}.")
    if report.click_ms:
        lines.append(
            f"A click on a cached image took the server {report.click_ms.p50:.1f} ms (p50), "
            f"{report.click_ms.p95:.1f} ms (p95), over {report.click_ms.count} clicks."
        )
    return "\n".join(lines)


def _row(source: str, summary: Summary) -> str:
    cells = [_cell(mean, 3) for mean in summary.iou.values()]
    cells += [_cell(mean, 2) for mean in summary.noc.values()]
    cells += [str(count) for count in summary.failures.values()]
    return f"{source:<12}{summary.objects:>8}" + "".join(f"{cell:>15}" for cell in cells)


def _cell(mean: Mean, digits: int) -> str:
    if mean.standard_error is None:
        return f"{mean.mean:.{digits}f}"
    return f"{mean.mean:.{digits}f} ± {mean.standard_error:.{digits}f}"


def _positive(text: str) -> int:
    if not (text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on")
    return int(text)
