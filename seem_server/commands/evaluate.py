"""`seem evaluate`: how good the masks are, measured through the real client."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from seem_server.commands import evaluate_report, failures, prompts_report, video, words_report
from seem_server.commands.annotators import Way
from seem_server.commands.measuring import (
    draw_reliability,
    measure_prompts,
    measure_words,
    positive,
)
from seem_server.commands.prompts_report import PROMPTS
from seem_server.commands.reach import add_reach_options, reach
from seem_server.commands.reliability import reliability

if TYPE_CHECKING:
    from collections.abc import Callable


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command and its benchmarks."""
    parser = subparsers.add_parser(
        "evaluate",
        help="measure the quality of the masks",
        description="Measures the quality of the masks on a dataset, through the real client.",
    )
    benchmarks = parser.add_subparsers(dest="benchmark", required=True)
    _add_interactive(benchmarks)
    _add_text(benchmarks)
    video.add_options(
        _benchmark(
            benchmarks,
            "video",
            "follow the objects of the first frame through videos",
            video.PROTOCOL,
            "a folder with annotations.json whose images belong to videos",
        )
    )
    evaluate_report.add_options(
        _benchmark(
            benchmarks,
            "report",
            "run everything and hold it against the goals",
            "Runs all benchmarks that the folder has data for, and the speed, and prints one "
            "table: figure, measured, goal, met or not.",
            "a folder that holds stills/ or text/ or both, each with annotations.json",
        )
    )
    failures.add_options(
        _benchmark(
            benchmarks,
            "failures",
            "draw the objects that went worst",
            "Clicks as the interactive benchmark does, and draws the objects with the lowest IoU: "
            "the truth, the prediction and the clicks.",
            "a folder with annotations.json",
        )
    )


def run(arguments: argparse.Namespace) -> int:
    """Evaluates; gives the exit code.

    Raises:
        SeemError: There is no dataset, or the server refused or failed.
        OSError: What is to be written cannot be.
    """
    runs: dict[str, Callable[[argparse.Namespace], int]] = {
        "interactive": _run_interactive,
        "text": _run_text,
        "video": video.run,
        "report": evaluate_report.run,
        "failures": failures.run,
    }
    return runs[arguments.benchmark](arguments)


def _add_interactive(benchmarks: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _benchmark(
        benchmarks,
        "interactive",
        "say what is wrong until each object is right",
        f"{prompts_report.PROTOCOL}; {prompts_report.OTHERS}",
        "a folder with annotations.json",
    )
    parser.add_argument(
        "--prompts",
        type=_prompts,
        default=(Way.CLICKS.value,),
        metavar="A,B,…",
        help=f"what objects are begun with, of {', '.join(PROMPTS)} (default: clicks)",
    )
    parser.add_argument(
        "--max-clicks", type=positive, default=20, help="give an object up after (default: 20)"
    )
    _add_reliability(parser)


def _add_text(benchmarks: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _benchmark(
        benchmarks,
        "text",
        "say names, and see whether all that has them comes out",
        words_report.PROTOCOL,
        "a folder with annotations.json",
    )
    parser.add_argument(
        "--synonyms",
        type=Path,
        metavar="FILE",
        help="other words that training never saw, to ask with too (default: the shipped file)",
    )
    parser.add_argument(
        "--absent", type=positive, metavar="N", help="absent names to ask an image (default: all)"
    )
    _add_reliability(parser)


def _benchmark(
    benchmarks: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    meaning: str,
    description: str,
    dataset: str,
) -> argparse.ArgumentParser:
    """A benchmark with the options that all of them have."""
    parser = benchmarks.add_parser(name, help=meaning, description=description.replace("%", "%%"))
    parser.add_argument("dataset", type=Path, help=dataset)
    parser.add_argument(
        "--limit", type=positive, help="so many objects, (image, name) or videos, evenly spread"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    add_reach_options(parser)
    return parser


def _add_reliability(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--reliability",
        type=Path,
        metavar="FILE.png",
        help="draw what the model believed of its masks against what came of them",
    )


def _run_interactive(arguments: argparse.Namespace) -> int:
    with reach(arguments) as client:
        report = measure_prompts(
            client,
            arguments.dataset,
            arguments.prompts,
            limit=arguments.limit,
            max_clicks=arguments.max_clicks,
        )
    told = prompts_report.as_json(report, str(arguments.dataset))
    print(json.dumps(told) if arguments.json else prompts_report.as_text(report))
    examples = reliability(report.examples.pairs) if report.examples else None
    offered = report.hypotheses.reliability if report.hypotheses else None
    drawn = {
        "IoU of a mask": report.reliability,
        "IoU by example": examples,
        "IoU of all hypotheses": offered,
    }
    draw_reliability(arguments.reliability, drawn)
    return 0


def _run_text(arguments: argparse.Namespace) -> int:
    with reach(arguments) as client:
        report = measure_words(
            client,
            arguments.dataset,
            synonyms=arguments.synonyms,
            absent=arguments.absent,
            limit=arguments.limit,
        )
    told = {**words_report.as_json(report), "dataset": str(arguments.dataset)}
    print(json.dumps(told) if arguments.json else words_report.as_text(report))
    drawn = {"IoU by words": report.score_reliability, "Presence": report.presence_reliability}
    draw_reliability(arguments.reliability, drawn)
    return 0


def _prompts(text: str) -> tuple[str, ...]:
    chosen = tuple(dict.fromkeys(text.split(",")))
    unknown = [one for one in chosen if one not in PROMPTS]
    if unknown:
        raise argparse.ArgumentTypeError(
            f"{unknown[0]!r} is no prompt; there are {', '.join(PROMPTS)}"
        )
    return chosen
