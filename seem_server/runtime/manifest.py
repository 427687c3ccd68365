"""Reads `bundle.json`: every value in it is checked, or BundleInvalid says what was expected."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING

import numpy as np

from seem_server.runtime.specs import (
    MASK_STRIDE,
    BundleManifest,
    ClicksSpec,
    EverythingSpec,
    FileSpec,
    Filter,
    ImageSpec,
    LongSide,
    QueriesSpec,
    RefinedSpec,
    Rounding,
    ShortSide,
    TextSpec,
    Vocabulary,
    Wiring,
)
from seem_wire.errors import BundleFileMissing, BundleInvalid
from seem_wire.types import Licence, PromptKind

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from seem_server.runtime.fields import Fields

    Float32 = npt.NDArray[np.float32]

MANIFEST = "bundle.json"
IMAGE_ENCODER, PROMPT_DECODER = "image_encoder.onnx", "prompt_decoder.onnx"
TEXT_ENCODER, TOKENIZER = "text_encoder.onnx", "tokenizer.json"
EXAMPLE_ENCODER, MASK_HEAD = "example_encoder.onnx", "mask_head.onnx"
VOCABULARY = "vocabulary.npy"

# What a bundle may ask for: generous for any network that one would serve, and small enough that
# a spoiled number is refused here and not by running out of memory.
MAX_FILE_BYTES = 1 << 40
MAX_SIDE = 1 << 12
MAX_DIVISOR = 1 << 10
MAX_WIDTH = 1 << 13
MAX_TOKENS = 1 << 10
MAX_QUERIES = 1 << 12
MAX_POINTS = 1 << 14
MAX_BUCKETS = 16
MAX_CLICKS = 1 << 10
PIXEL_RANGE = (-1e4, 1e4)
STD_RANGE = (1e-3, 1e4)
LOGIT_RANGE = (-1e3, 1e3)
SCALE_RANGE = (0.0, 1e6)

_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NPY_START = b"\x93NUMPY\x01\x00"
_NPY_HEADER = re.compile(
    rb"\{'descr': '<f4', 'fortran_order': False, 'shape': \((\d{1,9}), (\d{1,9})\), \} *\n"
)


def listed_files(fields: Fields) -> tuple[FileSpec, ...]:
    """The files that a manifest's `files` lists."""
    files = []
    listed = fields.within("files")
    for name in listed.values:
        if not _PLAIN_NAME.fullmatch(name):
            raise BundleInvalid(f"{MANIFEST}: files lists {name!r}, which is no plain file name.")
        entry = listed.within(name)
        sha256 = entry.text("sha256")
        if not _SHA256.fullmatch(sha256):
            raise BundleInvalid(f"{MANIFEST}: the SHA-256 of {name} is not 64 hexadecimal digits.")
        files.append(FileSpec(name, sha256, entry.whole("bytes", 0, MAX_FILE_BYTES)))
    return tuple(files)


def read_manifest(fields: Fields, files: tuple[FileSpec, ...], folder: Path) -> BundleManifest:
    """All that a bundle says of itself; `files` are in `folder`, as they were listed.

    Raises:
        BundleFileMissing: A file that it needs is not among `files`.
        BundleInvalid: A value is not what it should be.
    """
    prompts = _prompts(fields)
    decoder = _decoder(fields.within("decoder"))
    everything = _everything(fields.within_or_null("everything"), decoder)
    _check_needed(_needed(decoder, prompts, everything), files)
    joint_width = fields.whole("joint_width", 1, MAX_WIDTH)
    name, mask_stride = fields.text("name"), fields.whole("mask_stride", MASK_STRIDE, MASK_STRIDE)
    vocabulary = _vocabulary(fields.within("vocabulary"), folder / VOCABULARY, joint_width)
    if everything is not None and len(vocabulary.names) <= everything.n_things:
        raise BundleInvalid(f"{MANIFEST}: vocabulary should name more than its things.")
    return BundleManifest(
        name=name,
        variant=fields.text("variant"),
        version=fields.text("version"),
        image=_image(fields.within("image"), mask_stride),
        decoder=decoder,
        everything=everything,
        prompts=prompts,
        mask_stride=mask_stride,
        mask_threshold=fields.number("mask_threshold", *LOGIT_RANGE),
        text=_text(fields.within("text")),
        joint_width=joint_width,
        vocabulary=vocabulary,
        features=_distinct(fields, "features"),
        precision=fields.text("precision"),
        licences=tuple(
            Licence(one.text("covers"), one.text("licence"), one.text("source", may_be_empty=True))
            for one in fields.objects("licences")
        ),
        provenance=fields.within("provenance").values,
        files=files,
        model_id=f"{name}@{_fingerprint(fields)}",
        presence_threshold=fields.number_or_none("presence_threshold", 0.0, 1.0),
    )


def _prompts(fields: Fields) -> frozenset[PromptKind]:
    known = {kind.value: kind for kind in PromptKind}
    named = fields.texts("prompts")
    unknown = sorted(set(named) - set(known))
    if unknown or not named:
        raise BundleInvalid(
            f"{MANIFEST}: prompts should be some of {', '.join(known)} and is {list(named)}."
        )
    return frozenset(known[name] for name in named)


def _decoder(fields: Fields) -> RefinedSpec | QueriesSpec:
    kind = fields.text("kind")
    if kind == "refined":
        return RefinedSpec(zoom=fields.flag("zoom") if fields.has("zoom") else False)
    if kind != "queries":
        raise BundleInvalid(f"{MANIFEST}: decoder: kind should be refined or queries, not {kind}.")
    n_queries = fields.whole("object_queries", 1, MAX_QUERIES)
    rows = fields.wholes("query_rows", 0, n_queries - 1)
    if not rows or len(set(rows)) < len(rows):
        raise BundleInvalid(f"{MANIFEST}: decoder: query_rows should be different rows.")
    return QueriesSpec(
        wiring=fields.choice("wiring", Wiring),
        query_rows=rows,
        object_queries=n_queries,
        memory_tokens=fields.whole("memory_tokens", 0, MAX_QUERIES),
        layers=fields.whole("layers", 1, 64),
        max_points=fields.whole("max_points", 1, MAX_POINTS),
    )


def _everything(fields: Fields | None, decoder: RefinedSpec | QueriesSpec) -> EverythingSpec | None:
    if fields is None:
        return None
    by_clicks = isinstance(decoder, RefinedSpec)
    if fields.has("clicks") is not by_clicks:
        raise BundleInvalid(
            f"{MANIFEST}: everything: clicks should be there just where the decoder is refined."
        )
    return EverythingSpec(
        threshold=fields.number("threshold", 0.0, 1.0),
        overlap=fields.number("overlap", 0.0, 1.0),
        n_things=fields.whole("n_things", 0, MAX_QUERIES),
        instances=fields.whole("instances", 1, MAX_QUERIES),
        clicks=_clicks(fields.within("clicks")) if by_clicks else None,
    )


def _clicks(fields: Fields) -> ClicksSpec:
    return ClicksSpec(
        most=fields.whole("most", 1, MAX_CLICKS),
        iou=fields.number("iou", 0.0, 1.0),
        stability=fields.number("stability", 0.0, 1.0),
        swing=fields.number("swing", 0.0, LOGIT_RANGE[1]),
    )


def _needed(
    decoder: RefinedSpec | QueriesSpec,
    prompts: frozenset[PromptKind],
    everything: EverythingSpec | None,
) -> list[str]:
    needed = [IMAGE_ENCODER, PROMPT_DECODER, VOCABULARY]
    if everything is not None and everything.clicks is None:
        needed.append(MASK_HEAD)
    if PromptKind.TEXT in prompts:
        needed += [TEXT_ENCODER, TOKENIZER]
    if PromptKind.EXAMPLE in prompts and isinstance(decoder, QueriesSpec):
        needed.append(EXAMPLE_ENCODER)
    return needed


def _check_needed(needed: list[str], files: tuple[FileSpec, ...]) -> None:
    for name in needed:
        if name not in {file.name for file in files}:
            raise BundleFileMissing(f"{MANIFEST} lists no {name}, which what it offers needs.")


def _image(fields: Fields, mask_stride: int) -> ImageSpec:
    spec = ImageSpec(
        resize=_resize(fields.within("resize")),
        filter=fields.choice("filter", Filter),
        divisor=fields.whole("divisor", 1, MAX_DIVISOR),
        mean=fields.numbers("mean", 3, *PIXEL_RANGE),
        std=fields.numbers("std", 3, *STD_RANGE),
        buckets=fields.pairs("buckets", 1, MAX_SIDE),
    )
    multiple = spec.resize.side_multiple if isinstance(spec.resize, LongSide) else mask_stride
    if multiple % mask_stride or spec.divisor % multiple:
        raise BundleInvalid(
            f"{MANIFEST}: image: side_multiple {multiple} should be a multiple of the mask_stride"
            f" {mask_stride} and a divisor of divisor {spec.divisor}."
        )
    sides = [side for bucket in spec.buckets for side in bucket]
    if not 1 <= len(spec.buckets) <= MAX_BUCKETS or any(side % spec.divisor for side in sides):
        raise BundleInvalid(
            f"{MANIFEST}: image: buckets should be 1 to {MAX_BUCKETS} sizes, each side a multiple"
            f" of {spec.divisor}."
        )
    return spec


def _resize(fields: Fields) -> LongSide | ShortSide:
    kind = fields.text("kind")
    if kind == "long_side":
        return LongSide(
            long_side=fields.whole("long_side", 1, MAX_SIDE),
            side_multiple=fields.whole("side_multiple", 1, 256),
        )
    if kind != "short_side":
        raise BundleInvalid(f"{MANIFEST}: resize: kind should be long_side or short_side.")
    short_side = fields.whole("short_side", 1, MAX_SIDE)
    return ShortSide(
        short_side=short_side,
        long_side=fields.whole("long_side", short_side, MAX_SIDE),
        rounding=fields.choice("rounding", Rounding),
    )


def _text(fields: Fields) -> TextSpec:
    return TextSpec(
        max_tokens=fields.whole("max_tokens", 1, MAX_TOKENS),
        width=fields.whole("width", 1, MAX_WIDTH),
        clean=fields.flag("clean"),
    )


def _vocabulary(fields: Fields, path: Path, joint_width: int) -> Vocabulary:
    names = _distinct(fields, "names")
    embeddings = _read_array(path, (len(names), joint_width))
    if not np.isfinite(embeddings).all():
        raise BundleInvalid(f"{VOCABULARY} holds numbers that are not finite.")
    return Vocabulary(names, fields.number("scale", *SCALE_RANGE), embeddings)


def _read_array(path: Path, shape: tuple[int, int]) -> Float32:
    """A float32 array of just this shape: a header that claims another allocates nothing.

    The header is compared, not evaluated: whatever it holds, it can only be refused.
    """
    start = len(_NPY_START) + 2
    with path.open("rb") as file:
        begin = file.read(start)
        header = file.read(int.from_bytes(begin[-2:], "little"))
        found = _NPY_HEADER.fullmatch(header) if begin.startswith(_NPY_START) else None
        if found is None or tuple(map(int, found.groups())) != shape:
            raise BundleInvalid(f"{path.name} should hold float32 of shape {shape}, row by row.")
        n_bytes = shape[0] * shape[1] * 4
        data = file.read(n_bytes + 1)
    if len(data) != n_bytes:
        raise BundleInvalid(f"{path.name} should have {n_bytes} bytes after its header.")
    return np.frombuffer(data, "<f4").reshape(shape)


def _distinct(fields: Fields, key: str) -> tuple[str, ...]:
    texts = fields.texts(key)
    if len(set(texts)) < len(texts):
        raise BundleInvalid(f"{MANIFEST}: {key} names something twice.")
    return texts


def _fingerprint(fields: Fields) -> str:
    """A short hash of everything that can change a mask: all but what is for people only."""
    decisive = {k: v for k, v in fields.values.items() if k not in {"licences", "provenance"}}
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:12]
