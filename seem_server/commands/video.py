"""`seem evaluate video`: how well objects are followed, as a table or one JSON document."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from seem_server.commands.clips import read_clips
from seem_server.commands.following import FIRST_CLICKS, FirstSaid, evaluate
from seem_server.commands.measuring import positive
from seem_server.commands.progress import progress
from seem_server.commands.reach import reach
from seem_server.commands.scores import latency
from seem_server.commands.stills import DatasetInvalid, evenly
from seem_server.commands.video_scores import VideoScore, scored

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from seem_server.commands.following import Correction, Followed

PROTOCOL = (
    "the objects of the first frame are given (their masks, or up to "
    f"{FIRST_CLICKS} clicks by the rule of the interactive benchmark) and followed to the end; "
    "J and F as DAVIS has them, without the first frame and the last, means over objects; beside "
    "it the first frame's masks standing still, and the mask of the frame before as the only "
    "memory; corrections are a click in each run of N frames, on the worst, and count in every "
    "frame, those clicked in too"
)
_COLUMNS = ("still", "previous", "corrected")


@dataclass(frozen=True, slots=True)
class VideoReport:
    """What was measured, for each way in which the objects were said."""

    model_id: str
    provider: str
    n_late: int
    corrections: int | None
    ways: Mapping[FirstSaid, tuple[Followed, ...]]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds what this benchmark needs besides what all have."""
    parser.add_argument(
        "--prompts",
        type=_ways,
        default=(FirstSaid.MASK,),
        metavar="A,B",
        help="how the first frame's objects are given, of mask and clicks (default: mask)",
    )
    parser.add_argument(
        "--corrections", type=positive, metavar="N", help="then correct once in each N frames"
    )


def run(arguments: argparse.Namespace) -> int:
    """Follows and prints; gives the exit code.

    Raises:
        SeemError: There is no dataset, or the server refused or failed.
        OSError: An image cannot be read.
    """
    clips = evenly(read_clips(arguments.dataset), arguments.limit)
    short = [clip.name for clip in clips if not scored(len(clip.frames))]
    if short:
        raise DatasetInvalid(f"{short[0]} has too few frames: the first and last do not count.")
    ways = {}
    with reach(arguments) as client, progress(len(clips) * len(arguments.prompts), "video") as done:
        for way in arguments.prompts:
            ways[way] = evaluate(
                client, clips, way=way, corrections=arguments.corrections, done=done
            )
        model = client.model()
    n_late = sum(clip.n_late for clip in clips)
    report = VideoReport(model.model_id, model.provider, n_late, arguments.corrections, ways)
    told = as_json(report, str(arguments.dataset))
    print(json.dumps(told) if arguments.json else as_text(report))
    return 0


def as_json(report: VideoReport, dataset: str) -> dict[str, Any]:
    """The report as one document."""
    return {
        "benchmark": "video",
        "dataset": dataset,
        "model": report.model_id,
        "provider": report.provider,
        "protocol": PROTOCOL,
        "left_out": report.n_late,
        "corrections_every": report.corrections,
        "prompts": {way.value: _way_json(found) for way, found in report.ways.items()},
    }


def as_text(report: VideoReport) -> str:
    """The report as tables for a person."""
    lines = []
    for way, found in report.ways.items():
        lines += [f"first frame given by {way.value}", *_table(found), *_notes(found), ""]
    if report.n_late:
        lines.append(f"{report.n_late} objects that the first frame has not are left out.")
    return "\n".join([*lines, f"{report.model_id} on {report.provider}; {PROTOCOL}"])


def _way_json(found: Sequence[Followed]) -> dict[str, Any]:
    speed = latency([took for one in found for took in one.frame_ms])
    corrections = [one for each in found for one in each.corrections]
    return {
        "overall": _scores_json(found),
        "sequences": {
            one.name: {"n_frames": one.n_frames, "objects": len(one.scores), **_scores_json([one])}
            for one in found
        },
        "frame_ms": speed and asdict(speed),
        "corrections": {
            "count": len(corrections),
            "fell": sum(one.fell for one in corrections),
            "clicks": [
                {"sequence": each.name, **asdict(one)} for each in found for one in each.corrections
            ],
        },
    }


def _scores_json(found: Sequence[Followed]) -> dict[str, Any]:
    document = _score_json(mean_of([one.scores for one in found]))
    for column in _COLUMNS:
        mean = mean_of([getattr(one, column) for one in found])
        document[column] = mean and _score_json(mean)
    if document["corrected"]:
        document["correction_gain"] = document["corrected"]["J&F"] - document["J&F"]
    return document


def _score_json(score: VideoScore | None) -> dict[str, Any]:
    if score is None:
        return {}
    return {"J&F": score.both, "J": asdict(score.region), "F": asdict(score.boundary)}


def mean_of(objects: Sequence[tuple[VideoScore, ...] | None]) -> VideoScore | None:
    """The means over the objects of some sequences; None where a sequence was not measured so."""
    known = [one for one in objects if one is not None]
    if len(known) < len(objects) or not known:
        return None
    return VideoScore.mean_of([score for scores in known for score in scores])


def _table(found: Sequence[Followed]) -> list[str]:
    width = max(len("sequence"), *(len(one.name) for one in found))
    heads = ("frames", "objects", "J", "F", "J&F", *_COLUMNS)
    lines = [f"{'sequence':{width}}" + "".join(f"{head:>10}" for head in heads)]
    rows = [(one.name, [one]) for one in found] + [("all", list(found))]
    for name, some in rows:
        score = mean_of([one.scores for one in some])
        counts = sum(one.n_frames for one in some), sum(len(one.scores) for one in some)
        shown = [f"{count:>10}" for count in counts]
        if score is not None:
            means = (score.region.mean, score.boundary.mean, score.both)
            shown += [f"{value:>10.3f}" for value in means]
        for column in _COLUMNS:
            other = mean_of([getattr(one, column) for one in some])
            shown.append(f"{'-':>10}" if other is None else f"{other.both:>10.3f}")
        lines.append(f"{name:{width}}" + "".join(shown))
    return lines


def _notes(found: Sequence[Followed]) -> list[str]:
    """How often J and F are above a half and what they lose, how long it took, what clicks did."""
    notes = []
    score, corrected = (
        mean_of([getattr(o, name) for o in found]) for name in ("scores", "corrected")
    )
    if score is not None:
        region, edge = score.region, score.boundary
        notes.append(
            f"recall J {region.recall:.3f}, F {edge.recall:.3f}; "
            f"decay J {region.decay:.3f}, F {edge.decay:.3f}"
        )
    speed = latency([took for one in found for took in one.frame_ms])
    if speed is not None:
        notes.append(f"{speed.p50:.0f} ms a frame (median), {speed.p95:.0f} ms (95 %)")
    if score is not None and corrected is not None:
        clicks: list[Correction] = [one for each in found for one in each.corrections]
        gain = corrected.both - score.both
        notes.append(
            f"{len(clicks)} corrections: J&F {score.both:.3f} before, {corrected.both:.3f} after, "
            f"{gain:+.3f}; the corrected frame's own IoU fell in {sum(c.fell for c in clicks)}"
        )
    return notes


def _ways(text: str) -> tuple[FirstSaid, ...]:
    chosen = tuple(dict.fromkeys(text.split(",")))
    known = [way.value for way in FirstSaid]
    unknown = [one for one in chosen if one not in known]
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is no way; there are {', '.join(known)}")
    return tuple(FirstSaid(one) for one in chosen)
