"""The command line of the published protocols; parity and rows have their own."""

from __future__ import annotations

import argparse
import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from seem_model.evaluate import clicks, coco, generic, refcoco
from seem_model.evaluate import detectron2_scorers as detectron2
from seem_model.evaluate.average_precision import InstanceScorer
from seem_model.evaluate.clicked_pictures import read_clickable
from seem_model.evaluate.mean_iou import SemanticScorer
from seem_model.evaluate.panoptic_quality import PanopticScorer
from seem_model.evaluate.published_tables import published
from seem_model.evaluate.referring import read_references
from seem_model.vocabularies import COCO_PANOPTIC, N_THINGS
from seem_wire.errors import SeemError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from seem_model.evaluate.predictor import Subject

DONE, FAILED = 0, 1
AUTO, BUILTIN, DETECTRON2 = "auto", "builtin", "detectron2"


@dataclass(frozen=True, slots=True)
class Report:
    """A protocol's results, who scored them, and what was published."""

    protocol: str
    variant: str
    evaluator: str
    results: dict[str, float]

    def as_json(self) -> dict[str, Any]:
        """One document; a measure that nothing could be measured by is null."""
        measured = {
            name: None if math.isnan(value) else value for name, value in self.results.items()
        }
        return {
            "protocol": self.protocol,
            "variant": self.variant,
            "evaluator": self.evaluator,
            "results": measured,
            "published": dict(published(self.protocol, self.variant)),
        }

    def as_text(self) -> str:
        """A line for each measure."""
        expected = published(self.protocol, self.variant)
        lines = [f"{self.protocol}, {self.variant}, scored by {self.evaluator}"]
        for name, value in self.results.items():
            beside = f"   published {expected[name]:8.2f}" if name in expected else ""
            lines.append(f"{name:>12} {value:9.2f}{beside}")
        return "\n".join(lines)


def main(
    argv: Sequence[str] | None = None, load: Callable[[argparse.Namespace], Subject] | None = None
) -> int:
    """Runs the command line and gives the exit code; `load` makes the model."""
    arguments = build_parser().parse_args(argv)
    try:
        subject = (load or _load)(arguments)
        report = _PROTOCOLS[arguments.protocol](arguments, subject)
    except SeemError as error:
        sys.stderr.write(f"seem_model.evaluate: {error}\n")
        return FAILED
    text = json.dumps(report.as_json()) if arguments.json else report.as_text()
    sys.stdout.write(f"{text}\n")
    return DONE


def build_parser() -> argparse.ArgumentParser:
    """All protocols and their options."""
    parser = argparse.ArgumentParser(
        prog="python -m seem_model.evaluate",
        description="Measure a published checkpoint by the protocols of its README.",
        epilog="Also: parity, which compares with recorded outputs, and rows, which measures the"
        " choice of the queries that answer clicks; each has its own --help.",
    )
    protocols = parser.add_subparsers(dest="protocol", required=True)
    panoptic = _add(protocols, "panoptic", "COCO panoptic quality: PQ, SQ, RQ")
    semantic = _add(protocols, "semantic", "mean IoU of the panoptic labels: mIoU")
    for one in (panoptic, semantic):
        one.add_argument("--annotations", type=Path, required=True, help="panoptic_val2017.json")
        one.add_argument("--maps", type=Path, required=True, help="its folder of PNGs")
    panoptic.add_argument(
        "--threshold", type=float, help="least probability of a segment (default: as published)"
    )
    instance = _add(protocols, "instance", "COCO average precision of masks: AP")
    instance.add_argument("--annotations", type=Path, required=True, help="instances_val2017.json")
    for one in (panoptic, semantic, instance):
        one.add_argument("--vocabulary", type=Path, help="keep the names' vectors in this file")
        one.add_argument(
            "--evaluator",
            choices=(AUTO, BUILTIN, DETECTRON2),
            default=AUTO,
            help="whose scorer: detectron2's if it is installed, else ours (default: %(default)s)",
        )
    referring = _add(protocols, "refcoco", "RefCOCOg, UMD split: cIoU, mIoU, AP50")
    referring.add_argument("--references", type=Path, required=True, help="refs(umd).p, or JSON")
    referring.add_argument("--annotations", type=Path, help="instances.json, beside refs(umd).p")
    referring.add_argument("--split", default="val", help="(default: %(default)s)")
    for one in (panoptic, semantic, instance, referring):
        one.add_argument("--images", type=Path, required=True, help="the folder of images")
    clicked = _add(protocols, "clicks", "clicks until a mask is right: NoC85, NoC90")
    clicked.add_argument("dataset", type=Path, help="VOCdevkit/VOC2012, or with annotations.json")
    clicked.add_argument("--split", default="val", help="of VOC2012 (default: %(default)s)")
    clicked.add_argument("--max-clicks", type=_positive, default=clicks.MAX_CLICKS)
    return parser


def _add(
    protocols: argparse._SubParsersAction[argparse.ArgumentParser], name: str, about: str
) -> argparse.ArgumentParser:
    parser = protocols.add_parser(name, help=about, description=about)
    parser.add_argument("--checkpoint", type=Path, required=True, help="seem_focalt_v1.pt, …")
    parser.add_argument("--variant", help="which, where the file fits several: focalt_v1, …")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, … (default: %(default)s)")
    parser.add_argument("--limit", type=_positive, help="only the first so many pictures")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    return parser


def _load(arguments: argparse.Namespace) -> Subject:
    from seem_model.evaluate.subject import load_subject  # noqa: PLC0415 - after the arguments

    return load_subject(arguments)


def _panoptic(arguments: argparse.Namespace, subject: Subject) -> Report:
    dataset = coco.read_panoptic(
        arguments.annotations, arguments.images, arguments.maps, COCO_PANOPTIC
    )
    threshold = subject.threshold if arguments.threshold is None else arguments.threshold
    evaluator = _evaluator(arguments, panoptic=True)
    scorer: generic.Scorer[Any, Any] = (
        detectron2.Detectron2Panoptic(dataset, arguments.maps)
        if evaluator == DETECTRON2
        else PanopticScorer(len(COCO_PANOPTIC), dataset.things)
    )
    rule = generic.panoptic_rule(dataset.things, threshold)
    results = _generic(arguments, subject, dataset.pictures, rule, scorer)
    return Report("panoptic", subject.variant, evaluator, results)


def _semantic(arguments: argparse.Namespace, subject: Subject) -> Report:
    dataset = coco.read_panoptic(
        arguments.annotations, arguments.images, arguments.maps, COCO_PANOPTIC
    )
    evaluator = _evaluator(arguments, panoptic=False)
    scorer: generic.Scorer[Any, Any] = (
        detectron2.Detectron2Semantic(dataset, COCO_PANOPTIC)
        if evaluator == DETECTRON2
        else SemanticScorer(len(COCO_PANOPTIC))
    )
    results = _generic(arguments, subject, dataset.pictures, generic.semantic_rule, scorer)
    return Report("semantic", subject.variant, evaluator, results)


def _instance(arguments: argparse.Namespace, subject: Subject) -> Report:
    names = COCO_PANOPTIC[:N_THINGS]
    dataset = coco.read_instances(arguments.annotations, arguments.images, names)
    evaluator = _evaluator(arguments, panoptic=False)
    scorer: generic.Scorer[Any, Any] = (
        detectron2.Detectron2Instances(dataset, names)
        if evaluator == DETECTRON2
        else InstanceScorer(dataset)
    )
    rule = generic.instance_rule(dataset.things)
    results = _generic(arguments, subject, dataset.pictures, rule, scorer)
    return Report("instance", subject.variant, evaluator, results)


def _generic(
    arguments: argparse.Namespace,
    subject: Subject,
    pictures: Sequence[coco.Picture],
    rule: Callable[[Any], Any],
    scorer: generic.Scorer[Any, Any],
) -> dict[str, float]:
    taken = pictures[: arguments.limit]
    with _bar(len(taken)) as bar:
        return generic.evaluate(subject.predictor, taken, rule, scorer, done=bar.update)


def _refcoco(arguments: argparse.Namespace, subject: Subject) -> Report:
    pictures = read_references(
        arguments.references,
        arguments.images,
        instances=arguments.annotations,
        split=arguments.split,
    )[: arguments.limit]
    with _bar(len(pictures)) as bar:
        results = refcoco.evaluate(subject.predictor, pictures, done=bar.update)
    return Report("refcoco", subject.variant, BUILTIN, results)


def _clicks(arguments: argparse.Namespace, subject: Subject) -> Report:
    pictures = read_clickable(arguments.dataset, arguments.split)[: arguments.limit]
    with _bar(len(pictures)) as bar:
        results = clicks.evaluate(
            subject.predictor, pictures, max_clicks=arguments.max_clicks, done=bar.update
        )
    return Report("clicks", subject.variant, BUILTIN, results)


_PROTOCOLS: dict[str, Callable[[argparse.Namespace, Subject], Report]] = {
    "panoptic": _panoptic,
    "semantic": _semantic,
    "instance": _instance,
    "refcoco": _refcoco,
    "clicks": _clicks,
}


def _evaluator(arguments: argparse.Namespace, *, panoptic: bool) -> str:
    if arguments.evaluator != AUTO:
        return str(arguments.evaluator)
    return DETECTRON2 if detectron2.is_installed(panoptic=panoptic) else BUILTIN


def _bar(total: int) -> tqdm[Any]:
    return tqdm(total=total, unit="picture", file=sys.stderr)


def _positive(text: str) -> int:
    if not (text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on")
    return int(text)
