"""What the interactive benchmark came to, prompt by prompt: as text and as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from seem_server.commands import clicks, gestures
from seem_server.commands.annotators import Way
from seem_server.commands.interactive import MAX_CORRECTED
from seem_server.commands.reliability import as_lines, reliability
from seem_server.commands.scores import (
    CORRECTED_PROMPTS,
    REPORTED_CLICKS,
    REPORTED_PERCENTS,
    STOP_IOU,
    beliefs,
    iou_after,
    lost_iou,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seem_server.commands.companions import AblationReport
    from seem_server.commands.hypotheses import HypothesesReport
    from seem_server.commands.interactive import Report
    from seem_server.commands.reliability import Reliability
    from seem_server.commands.scores import Course, Figure, Mean, Summary

EXAMPLE, TEXT_CLICK, HYPOTHESES = "example", "text+click", "hypotheses"
PROMPTS = (*(way.value for way in Way), EXAMPLE, TEXT_CLICK, HYPOTHESES)

PROTOCOL = (
    "clicks at the centre (largest Euclidean distance to its edge) of the largest wrong region "
    f"(8-connected); an object stops at IoU {STOP_IOU:g} or when nothing is wrong, and its IoU is "
    "carried on; crowds are skipped, and ignored bands do not count"
)
OTHERS = (
    f"other prompts come first, corrected by clicks up to {MAX_CORRECTED} prompts in all: the "
    "tight box; a stroke along the middle; a lasso "
    f"{gestures.LOOSENESS:g} √area outside; a mask worn or swollen and moved by "
    f"{gestures.SPOILING:g} √area; jittered clicks are off by a normal error of {clicks.JITTER:g} "
    "of the wrong region's width and height, within it, and what that loses is told where exact "
    "clicks are played too; mixed begins with each in turn and corrects by clicks and strokes; "
    "an example is the next image of the source with the name, "
    "scored against all of the name; text+click says one object's name, clicks once, and does "
    "both; hypotheses clicks once and asks for all that it may have meant: the best is scored too"
)


@dataclass(frozen=True, slots=True)
class ExamplesReport:
    """What examples came to.

    Attributes:
        iou: Mean IoU over (image, name); None where nothing could be shown.
        present: Share of them of which the server said that it is there.
        lonely: How many (image, name) have no other image of the source with the name.
        unnamed: How many images have something without a name, which is passed over.
        partial: How many (image, name) lie in images where not all is marked, so that what is to
            be found may be more than what is known.
        pairs: (the model's own estimate of its IoU, its IoU).
    """

    iou: Figure | None
    present: Figure | None
    lonely: int
    unnamed: int
    partial: int
    pairs: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class PromptsReport:
    """Everything that was measured; what was not asked for is None."""

    model_id: str
    provider: str
    images: int
    objects: int
    played: Report | None = None
    examples: ExamplesReport | None = None
    together: AblationReport | None = None
    hypotheses: HypothesesReport | None = None

    @property
    def reliability(self) -> Reliability | None:
        """The model's own estimates of its IoU, after 1, 3 and 5 prompts of every way played."""
        courses = self.played.courses.values() if self.played else ()
        return reliability(beliefs([course for played in courses for course in played]))


def as_json(report: PromptsReport, dataset: str) -> dict[str, Any]:
    """The report as one document; means come with their standard errors.

    `overall`, `sources` and `click_ms` are about exact clicks, and there when these were played.
    """
    document: dict[str, Any] = {
        "benchmark": "interactive",
        "dataset": dataset,
        "model": report.model_id,
        "provider": report.provider,
        "images": report.images,
        "objects": report.objects,
        "stop_iou": STOP_IOU,
        "protocol": PROTOCOL,
        "protocol_of_others": OTHERS,
        "prompts": {},
    }
    if report.played is not None:
        document |= _of_clicks(report.played)
        document["prompts"] = _of_ways(report.played)
    if report.examples is not None:
        believed = reliability(report.examples.pairs)
        document["prompts"][EXAMPLE] = {
            "reliability": believed and asdict(believed),
            "iou": report.examples.iou and asdict(report.examples.iou),
            "present": report.examples.present and asdict(report.examples.present),
            "partial": report.examples.partial,
            "skipped": {"lonely": report.examples.lonely, "unnamed": report.examples.unnamed},
        }
    if report.together is not None:
        document["prompts"][TEXT_CLICK] = asdict(report.together)
    if report.hypotheses is not None:
        document["prompts"][HYPOTHESES] = _of_hypotheses(report.hypotheses)
    found = report.reliability
    document["reliability"] = found and asdict(found)
    return document


def as_text(report: PromptsReport) -> str:
    """The report as tables."""
    lines: list[str] = []
    if report.played is not None and Way.CLICKS in report.played.courses:
        lines += _clicks_table(report.played)
    if report.played is not None:
        for way, courses in report.played.courses.items():
            if way is not Way.CLICKS:
                lines += _way_table(way, courses)
        lines += _lost_lines(report.played)
    if report.examples is not None:
        lines += _example_lines(report.examples)
    if report.together is not None:
        lines += _together_lines(report.together)
    if report.hypotheses is not None:
        lines += _hypotheses_lines(report.hypotheses)
    if report.reliability is not None:
        lines += as_lines(report.reliability, "score", "IoU")
    told = f"{PROTOCOL}; {OTHERS}" if set(report_prompts(report)) != {"clicks"} else PROTOCOL
    lines.append(f"{report.model_id} on {report.provider}; ± is one standard error; {told}.")
    if report.played is not None and report.played.click_ms:
        click_ms = report.played.click_ms
        lines.append(
            f"A click on a cached image took the server {click_ms.p50:.1f} ms (p50), "
            f"{click_ms.p95:.1f} ms (p95), over {click_ms.count} clicks."
        )
    return "\n".join(lines)


def report_prompts(report: PromptsReport) -> tuple[str, ...]:
    """Which prompts the report is about."""
    ways = tuple(way.value for way in report.played.courses) if report.played else ()
    examples = (EXAMPLE,) if report.examples else ()
    together = (TEXT_CLICK,) if report.together else ()
    return (*ways, *examples, *together, *((HYPOTHESES,) if report.hypotheses else ()))


def _of_clicks(played: Report) -> dict[str, Any]:
    if not played.courses.get(Way.CLICKS):
        return {}
    return {
        "objects": played.overall.objects,
        "max_clicks": played.max_clicks,
        "overall": asdict(played.overall),
        "sources": {source: asdict(summary) for source, summary in played.sources.items()},
        "click_ms": None if played.click_ms is None else asdict(played.click_ms),
    }


def _of_ways(played: Report) -> dict[str, Any]:
    ways = {}
    for way, courses in played.courses.items():
        found = reliability(beliefs(courses))
        ways[way.value] = {
            "objects": len(courses),
            "iou": {n: asdict(figure) for n, figure in iou_after(courses).items()},
            "reliability": found and asdict(found),
        }
    for way, lost in _lost(played).items():
        ways[way.value]["lost_against_exact_clicks"] = {n: asdict(one) for n, one in lost.items()}
    return ways


def _of_hypotheses(offered: HypothesesReport) -> dict[str, Any]:
    believed = offered.reliability
    return {
        "objects": offered.objects,
        "chosen_iou": asdict(offered.chosen),
        "best_iou": asdict(offered.best),
        "best_chosen": asdict(offered.best_chosen),
        "sent": asdict(offered.sent),
        "reliability": believed and asdict(believed),
    }


def _lost(played: Report) -> dict[Way, dict[int, Figure]]:
    """What trembling costs, where exact clicks were played too."""
    exact, jittered = (played.courses.get(way) for way in (Way.CLICKS, Way.JITTERED))
    return {Way.JITTERED: lost_iou(exact, jittered)} if exact and jittered else {}


def _clicks_table(played: Report) -> list[str]:
    heads = [f"IoU@{n}" for n in REPORTED_CLICKS]
    heads += [f"NoC@{percent}" for percent in REPORTED_PERCENTS]
    heads += [f"fail@{percent}" for percent in REPORTED_PERCENTS]
    lines = [f"{'source':<12}{'objects':>8}" + "".join(f"{head:>15}" for head in heads)]
    named = [*played.sources.items(), ("all", played.overall)]
    return lines + [_row(source, summary) for source, summary in named]


def _row(source: str, summary: Summary) -> str:
    cells = [mean.shown(3) for mean in summary.iou.values()]
    cells += [mean.shown(2) for mean in summary.noc.values()]
    cells += [str(count) for count in summary.failures.values()]
    return f"{source:<12}{summary.objects:>8}" + "".join(f"{cell:>15}" for cell in cells)


def _way_table(way: Way, courses: Sequence[Course]) -> list[str]:
    figures = iou_after(courses)
    heads = "".join(f"{f'IoU@{n}':>15}" for n in CORRECTED_PROMPTS)
    lines = [f"{way.value:<20}{heads}"]
    for source in [*figures[1].sources, None] if figures else ():
        means = [one.overall if source is None else one.sources[source] for one in figures.values()]
        lines.append(f"{source or 'all':<20}" + _cells(means))
    return lines


def _lost_lines(played: Report) -> list[str]:
    return [
        f"{way.value} lose against exact ones:" + _cells([one.overall for one in lost.values()])
        for way, lost in _lost(played).items()
    ]


def _example_lines(examples: ExamplesReport) -> list[str]:
    lines = [f"{'example':<20}{'n':>6}{'IoU':>15}"]
    if examples.iou is not None:
        lines += [f"{source:<26}{_cells([mean])}" for source, mean in examples.iou.sources.items()]
        lines.append(f"{'all':<20}{examples.iou.count:>6}{_cells([examples.iou.overall])}")
    lines.append(
        f"{examples.lonely} names have no other image of their source, and things without a name "
        f"in {examples.unnamed} images were passed over; {examples.partial} lie in images where "
        "not all may be marked."
    )
    return lines


def _together_lines(together: AblationReport) -> list[str]:
    columns = (together.words_all, together.words, together.click, together.both)
    heads = ("words (all)", "words", "click", "both")
    lines = [f"{'text+click':<20}" + "".join(f"{head:>15}" for head in heads)]
    lines += [
        f"{source:<20}" + _cells([one.sources[source] for one in columns])
        for source in together.both.sources
    ]
    lines.append(f"{'all':<20}" + _cells([one.overall for one in columns]))
    lines.append(
        f"Both together gain {together.gain_over_words.overall.shown(3)} over words and "
        f"{together.gain_over_click.overall.shown(3)} over a click, on {together.objects} objects."
    )
    return lines


def _hypotheses_lines(offered: HypothesesReport) -> list[str]:
    columns = (offered.chosen, offered.best, offered.best_chosen, offered.sent)
    heads = ("chosen", "best", "best chosen", "sent")
    lines = [f"{'hypotheses':<20}" + "".join(f"{head:>15}" for head in heads)]
    lines += [
        f"{source:<20}" + _cells([one.sources[source] for one in columns])
        for source in offered.chosen.sources
    ]
    lines.append(f"{'all':<20}" + _cells([one.overall for one in columns]))
    believed = offered.reliability
    return lines + (as_lines(believed, "score, all sent", "IoU") if believed is not None else [])


def _cells(means: Sequence[Mean]) -> str:
    return "".join(f"{mean.shown(3):>15}" for mean in means)
