"""What the answers of the text benchmark come to."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from seem_server.commands import presence
from seem_server.commands.presence import Judged, OperatingPoint
from seem_server.commands.reliability import Reliability, as_lines, reliability
from seem_server.commands.scores import Figure, Mean
from seem_server.commands.words import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seem_server.commands.words import Answer

PROTOCOL = (
    "each name marked in an image is said alone, and the mask is scored against all that has "
    "this name, crowds included; what a synonym costs is the IoU of the name less its own; absent "
    "names are those of the image's source that are not marked there, in images marked "
    "exhaustively, less those that share their words with one that is; a present name called "
    "absent has an empty mask"
)
_WORST = 10


@dataclass(frozen=True, slots=True)
class TextReport:
    """What the benchmark came to; what nothing was asked about is None.

    Attributes:
        images: How many images were opened.
        answers: Everything that was asked.
        iou: Mean IoU over (image, name).
        categories: The same for each name.
        synonym_cost: How much IoU is lost by saying a word that training never saw, over
            (image, name); several such words of one name are averaged first.
        synonyms: The same for each word.
        absent_answered: Share of the absent names that were called absent.
        false_absence: Share of the marked names that were called absent.
        roc_auc: Of presence, marked names against absent ones.
        curve: What thresholds on presence would do.
        score_reliability: The model's own estimate of its IoU, for the names that are marked.
        presence_reliability: Presence against whether it is there; its squared error is the Brier
            score.
    """

    model_id: str
    provider: str
    images: int
    answers: tuple[Answer, ...]
    iou: Figure | None
    categories: dict[str, Figure]
    synonym_cost: Figure | None
    synonyms: dict[str, Figure]
    absent_answered: Figure | None
    false_absence: Figure | None
    roc_auc: float | None
    curve: tuple[OperatingPoint, ...]
    score_reliability: Reliability | None
    presence_reliability: Reliability | None


def summarise(answers: Sequence[Answer], *, model_id: str, provider: str) -> TextReport:
    """What some answers come to."""
    names = _of(answers, Kind.NAME)
    absent = _of(answers, Kind.ABSENT)
    judged = [
        Judged(one.presence, one.question.kind is Kind.NAME)
        for one in (*names, *absent)
        if one.presence is not None
    ]
    return TextReport(
        model_id=model_id,
        provider=provider,
        images=len({(one.source, one.image) for one in answers}),
        answers=tuple(answers),
        iou=Figure.of([(one.source, one.iou) for one in names if one.iou is not None]),
        categories=_grouped([(one.question.name, one.source, one.iou) for one in names]),
        synonym_cost=Figure.of(_synonym_costs(answers)),
        synonyms=_grouped(_word_costs(answers)),
        absent_answered=Figure.of([(one.source, float(not one.is_present)) for one in absent]),
        false_absence=Figure.of([(one.source, float(not one.is_present)) for one in names]),
        roc_auc=presence.roc_auc(judged),
        curve=presence.operating_curve(judged),
        score_reliability=reliability(
            [(one.score, one.iou) for one in names if one.iou is not None]
        ),
        presence_reliability=reliability([(one.presence, float(one.there)) for one in judged]),
    )


def as_json(report: TextReport) -> dict[str, Any]:
    """The report as one document; every answer is in it, so that other figures can be made."""
    fields = {name: getattr(report, name) for name in _FIELDS}
    return {
        "benchmark": "text",
        "model": report.model_id,
        "provider": report.provider,
        "images": report.images,
        "protocol": PROTOCOL,
        **{name: _plain(value) for name, value in fields.items()},
        "answers": [_flat(one) for one in report.answers],
    }


def as_text(report: TextReport) -> str:
    """The report as tables."""
    lines = [f"{'source':<12}{'names':>7}{'IoU':>16}{'absent said':>16}{'false absence':>16}"]
    columns = (report.iou, report.absent_answered, report.false_absence)
    count = report.iou.count if report.iou else 0
    for source in report.iou.sources if report.iou else ():
        n_names = sum(
            one.source == source and one.question.kind is Kind.NAME for one in report.answers
        )
        cells = [_shown(one.sources.get(source) if one else None) for one in columns]
        lines.append(f"{source:<12}{n_names:>7}" + "".join(f"{cell:>16}" for cell in cells))
    cells = [_shown(one.overall if one else None) for one in columns]
    lines.append(f"{'all':<12}{count:>7}" + "".join(f"{cell:>16}" for cell in cells))
    ordered = sorted(report.categories.items(), key=lambda pair: pair[1].overall.mean)
    worst = ", ".join(f"{name} {one.overall.mean:.2f}" for name, one in ordered[:_WORST])
    lines.append(f"Worst of {len(ordered)} names: {worst}.")
    if report.synonym_cost:
        cost = report.synonym_cost
        lines.append(f"A word never seen costs {_shown(cost.overall)} IoU, over {cost.count}.")
    if report.roc_auc is not None:
        lines.append(f"ROC AUC of presence: {report.roc_auc:.3f}.")
    if report.score_reliability:
        lines += as_lines(report.score_reliability, "score", "IoU")
    if report.presence_reliability:
        lines += as_lines(report.presence_reliability, "presence", "there")
    lines.append(f"{report.model_id} on {report.provider}; ± is one standard error; {PROTOCOL}.")
    return "\n".join(lines)


_FIELDS = (
    "iou",
    "categories",
    "synonym_cost",
    "synonyms",
    "absent_answered",
    "false_absence",
    "roc_auc",
    "curve",
    "score_reliability",
    "presence_reliability",
)


def _plain(value: Any) -> Any:
    """A field as JSON has it."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return value if value is None or isinstance(value, float) else asdict(value)


def _flat(one: Answer) -> dict[str, Any]:
    fields = asdict(one)
    question = fields.pop("question")
    return {**question, **fields}


def _shown(mean: Mean | None) -> str:
    return "-" if mean is None else mean.shown(3)


def _of(answers: Sequence[Answer], kind: Kind) -> list[Answer]:
    return [one for one in answers if one.question.kind is kind]


def _synonym_costs(answers: Sequence[Answer]) -> list[tuple[str, float]]:
    """(source, mean cost) of each (image, name) that was asked by other words."""
    groups: dict[tuple[str, str, str], list[float]] = {}
    for word, cost in _costs(answers):
        groups.setdefault((word.source, word.image, word.question.name), []).append(cost)
    return [(source, float(np.mean(costs))) for (source, _, _), costs in groups.items()]


def _word_costs(answers: Sequence[Answer]) -> list[tuple[str, str, float | None]]:
    return [(word.question.said, word.source, cost) for word, cost in _costs(answers)]


def _costs(answers: Sequence[Answer]) -> list[tuple[Answer, float]]:
    named = {(one.source, one.image, one.question.name): one.iou for one in _of(answers, Kind.NAME)}
    found = []
    for word in _of(answers, Kind.SYNONYM):
        exact = named.get((word.source, word.image, word.question.name))
        if exact is not None and word.iou is not None:
            found.append((word, exact - word.iou))
    return found


def _grouped(rows: Sequence[tuple[str, str, float | None]]) -> dict[str, Figure]:
    """Figures of (group, source, value), by group in alphabetical order."""
    groups: dict[str, list[tuple[str, float]]] = {}
    for group, source, value in rows:
        if value is not None:
            groups.setdefault(group, []).append((source, value))
    figures = {group: Figure.of(groups[group]) for group in sorted(groups)}
    return {group: figure for group, figure in figures.items() if figure is not None}
