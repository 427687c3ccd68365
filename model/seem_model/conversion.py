"""From a published checkpoint to a bundle that was held against it."""

from __future__ import annotations

import hashlib
import resource
import shutil
import sys
import time
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Protocol

import onnxruntime
import torch

from seem_model.bundle_folder import check_free, new_bundle
from seem_model.bundle_parity import LEAST_IOU, Judge
from seem_model.checkpoint import load_model
from seem_model.export_published import GRAPHS, export_graphs
from seem_model.precision import Precision, lower
from seem_model.published_bundle import default_options, write_manifest, write_texts
from seem_model.runs import EXAMPLE_ENCODER, IMAGE_ENCODER, PROMPT_DECODER, TEXT_ENCODER
from seem_model.variants import Resize, SamViTConfig
from seem_model.vocabularies import COCO_PANOPTIC, N_THINGS
from seem_wire.errors import CheckpointNotFound, InvalidValue, ParityTooLow

if TYPE_CHECKING:
    from pathlib import Path

    from seem_model.bundle_parity import Parity
    from seem_model.published import PublishedSeem
    from seem_model.published_bundle import BundleOptions
    from seem_model.vocabulary_file import Words

ALL_ROWS = (-1,)
"""In `Wishes.query_rows`: every learned query answers."""

EIGHT_BITS = (TEXT_ENCODER, EXAMPLE_ENCODER, PROMPT_DECODER, IMAGE_ENCODER)
"""The graphs that int8 tries, those first in which it was seen to change masks least."""

_WHOLE = "whole"
_SPARE_BYTES = 64 * 1024**2
_SHARE = {Precision.FP32: 1.1, Precision.FP16: 1.6, Precision.INT8: 1.8}
"""Room that all graphs in float32 and the lowered ones beside them take, by that of the weights."""


class Progress(Protocol):
    """Who is told how far a conversion is."""

    def stage(self, name: str) -> None:
        """Something begins, and with it the thing before has ended."""

    def count(self, done: int, total: int) -> None:
        """So many steps of the stage are done."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is to be converted, and how.

    variant: None where the file tells. resize sides: None for the variant's own. vocabulary: None
    for COCO's. query_rows: that answer marks; None for the variant's own. accept: keep a bundle
    whose masks are not those of the model, and int8 in every graph. force: replace a bundle.
    """

    checkpoint: Path
    out: Path
    variant: str | None = None
    precision: Precision = Precision.FP32
    short_side: int | None = None
    long_side: int | None = None
    vocabulary: Words | None = None
    query_rows: tuple[int, ...] | None = None
    accept: bool = False
    force: bool = False


@dataclass(slots=True)
class Costs:
    """Seconds of each stage of this process, and its most memory."""

    seconds: dict[str, float] = field(default_factory=dict)
    _since: float = field(default_factory=time.monotonic)
    _stage: str = ""

    def begin(self, stage: str) -> None:
        """Ends the stage before, if any."""
        now = time.monotonic()
        if self._stage:
            self.seconds[self._stage] = round(now - self._since, 2)
        self._stage, self._since = stage, now

    @staticmethod
    def peak_bytes() -> int:
        """The most memory that this process has had at any time."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


def convert(wishes: Wishes, progress: Progress) -> dict[str, Any]:
    """Writes the bundle; gives what there is to say of it, as JSON.

    Raises:
        BadCheckpoint: The file is no checkpoint of that variant; see `checkpoint.load_variant`.
        OutputTaken, DiskFull: See `bundle_folder.new_bundle`.
        InvalidValue: A size that the variant cannot be served at.
        ParityTooLow: The graphs' masks are not the model's.
    """
    costs = Costs()

    def stage(name: str) -> None:
        costs.begin(name)
        progress.stage(name)

    check_free(wishes.out, force=wishes.force)  # before minutes are spent
    stage("reading the checkpoint")
    model = load_model(wishes.checkpoint, wishes.variant)
    options = _options(wishes, model)
    with new_bundle(wishes.out, n_bytes=_room(model, wishes.precision), force=wishes.force) as part:
        (part / _WHOLE).mkdir()
        export_graphs(model, part / _WHOLE, progress=lambda name: stage(f"exporting {name}"))
        stage("comparing with PyTorch")
        parity, stored = _lower_and_judge(model, part, wishes, options)
        shutil.rmtree(part / _WHOLE)
        stage("embedding the vocabulary")
        write_texts(model, part, options, progress=progress.count)
        stage("hashing")
        provenance = {
            "command": "seem convert",
            "checkpoint": _told(wishes.checkpoint),
            "made_with": _versions(),
            "stored": stored,
            "parity": parity.document(),
        }
        write_manifest(model, part, replace(options, provenance=provenance))
        sizes = {file.name: file.stat().st_size for file in sorted(part.iterdir())}
    costs.begin("")
    return {
        "bundle": str(wishes.out),
        "variant": model.variant.name,
        "precision": options.precision,
        "short_side": options.resize.short_side,
        "long_side": options.resize.long_side,
        "names": len(options.names),
        "bytes": sum(sizes.values()),
        "files": sizes,
        "seconds": costs.seconds,
        "peak_memory_bytes": costs.peak_bytes(),
        **provenance,
    }


def _options(wishes: Wishes, model: PublishedSeem) -> BundleOptions:
    defaults = default_options(model.variant)
    resize = Resize(
        wishes.short_side or defaults.resize.short_side,
        wishes.long_side or defaults.resize.long_side,
    )
    if resize.short_side > resize.long_side:
        raise InvalidValue(
            f"The short side, {resize.short_side}, is above the long side, {resize.long_side}."
        )
    backbone = model.variant.backbone
    if isinstance(backbone, SamViTConfig) and resize.long_side > backbone.image_side:
        raise InvalidValue(
            f"{model.variant.name} sees {backbone.image_side} pixels a side; the long side is"
            f" {resize.long_side}."
        )
    options = replace(
        defaults,
        resize=resize,
        precision=wishes.precision.value,
        query_rows=_rows(wishes.query_rows, model) or defaults.query_rows,
    )
    words = wishes.vocabulary
    if words is None:
        return options
    n_things = N_THINGS if words.names == COCO_PANOPTIC else len(words.names)
    rows, width = words.embeddings, model.variant.sizes.hidden
    if rows is not None and rows.shape[1] != width:
        raise InvalidValue(f"The vocabulary's embeddings should be {width} wide, as the model is.")
    return replace(options, names=words.names, n_things=n_things, embeddings=rows)


def _rows(wished: tuple[int, ...] | None, model: PublishedSeem) -> tuple[int, ...]:
    """Which learned queries answer marks: those that were wished for, all where -1 was."""
    n_rows = model.variant.sizes.object_queries
    if wished == ALL_ROWS:
        return tuple(range(n_rows))
    rows = wished or ()
    if len(set(rows)) < len(rows) or not all(0 <= row < n_rows for row in rows):
        raise InvalidValue(f"Query rows should be different numbers of 0 to {n_rows - 1}.")
    return rows


def _room(model: PublishedSeem, precision: Precision) -> int:
    weights = sum(parameter.nbytes for parameter in model.parameters())
    return int(weights * _SHARE[precision]) + _SPARE_BYTES


def _lower_and_judge(
    model: PublishedSeem, part: Path, wishes: Wishes, options: BundleOptions
) -> tuple[Parity, dict[str, str]]:
    """Fills `part` with the graphs of its folder of whole ones, and holds them against the model.

    Gives the report and how each graph is stored. In int8, each graph for which 8 bits change too
    much of a mask goes back to float16.
    """
    judge = Judge(model, options.query_rows)
    precision = wishes.precision
    first = Precision.FP16 if precision is Precision.INT8 and not wishes.accept else precision
    stored = dict.fromkeys(GRAPHS, first)
    for name in GRAPHS:
        lower(part / _WHOLE / name, part / name, first)
    parity = judge.compare(part, precision)
    if precision is not first and parity.passed:
        for name in EIGHT_BITS:
            lower(part / _WHOLE / name, part / name, precision)
            found = judge.compare(part, precision)
            if found.passed:
                parity, stored[name] = found, precision
            else:
                lower(part / _WHOLE / name, part / name, first)
    if not parity.passed and not wishes.accept:
        worst = parity.worst
        raise ParityTooLow(
            f"In {precision} the masks of {worst.prompt!r} have an IoU of {worst.iou:.4f} with"
            f" those of PyTorch, below {LEAST_IOU[precision]}."
        )
    return parity, {name: one.value for name, one in stored.items()}


def _told(checkpoint: Path) -> dict[str, Any]:
    """Which file it was: names of published files have been used twice, so by its hash."""
    try:
        with checkpoint.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise CheckpointNotFound(f"{checkpoint} was there and is gone.") from error
    return {"file": checkpoint.name, "sha256": sha256, "bytes": checkpoint.stat().st_size}


def _versions() -> dict[str, str]:
    try:
        own = version("seem-server")
    except PackageNotFoundError:  # run from source, without being installed
        own = "0"
    return {
        "seem-server": own,
        "torch": str(torch.__version__),
        "onnxruntime": onnxruntime.__version__,
    }
