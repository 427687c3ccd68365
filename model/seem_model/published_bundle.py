"""What a bundle of a published model holds beside its graphs: tokenizer, vocabulary, manifest.

Readers check every word of it: `seem_server.runtime.manifest`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from seem_model.clip_tokenizer import MAX_TOKENS, ClipTokenizer
from seem_model.export_published import FEATURE_NAMES
from seem_model.variants import (
    MAX_PROMPT_POINTS,
    MEAN,
    STD,
    Resize,
    SamViTConfig,
    Variant,
    Wiring,
)
from seem_model.vocabularies import BACKGROUND, COCO_PANOPTIC, N_THINGS, embed_names

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy.typing as npt

    from seem_model.published import PublishedSeem

FORMAT = 2
MANIFEST, TOKENIZER, VOCABULARY = "bundle.json", "tokenizer.json", "vocabulary.npy"
SERVED_SIZE = Resize(512, 1024)
"""As the authors' demo. Their click evaluation has 800, at most 1333, at 2.5 times the cost."""

OVERLAP, INSTANCES = 0.8, 100
"""Of the published panoptic and instance outputs."""

ASPECTS = ((4, 3), (3, 4), (3, 2), (2, 3), (16, 9), (9, 16), (1, 1))
"""Of photographs (width, height), the most usual first: inputs that a server warms up for."""

FIXED_ROWS_OF_V1 = (16, 50, 84)
"""In place of three rows drawn at random: the middles of thirds of the learned queries. What that
choice does and costs is measured by `python -m seem_model.evaluate rows` (DECISIONS.md 32)."""


@dataclass(frozen=True, slots=True)
class BundleOptions:
    """How a variant is to be served.

    resize: of images; the published rules round sides down and filter bicubically. names: the
    vocabulary of things and then stuff, without the background, which is added; n_things of them
    are things. embeddings: (names + 1, C) unit rows of names and background, where they are given
    rather than read from the templates. query_rows: learned queries that answer marks.
    """

    resize: Resize
    query_rows: tuple[int, ...]
    names: tuple[str, ...] = COCO_PANOPTIC
    n_things: int = N_THINGS
    embeddings: npt.NDArray[np.float32] | None = None
    precision: str = "fp32"
    version: str = "1"
    provenance: dict[str, Any] = field(default_factory=dict)


def default_options(variant: Variant) -> BundleOptions:
    """How a variant is served unless somebody wants it otherwise."""
    fixed = isinstance(variant.backbone, SamViTConfig)
    every_row = tuple(range(variant.sizes.object_queries))
    return BundleOptions(
        resize=variant.interactive if fixed else SERVED_SIZE,
        query_rows=FIXED_ROWS_OF_V1 if variant.wiring is Wiring.V1 else every_row,
    )


def write_texts(
    model: PublishedSeem,
    folder: Path,
    options: BundleOptions,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Writes the tokenizer and the embedded vocabulary; `progress` counts the texts embedded."""
    tokenizer = ClipTokenizer()
    tokenizer.tokenizer.save(str(folder / TOKENIZER), pretty=False)
    names = (*options.names, BACKGROUND) if options.names else ()
    rows = np.zeros((0, model.variant.sizes.hidden), np.float32)
    if options.embeddings is not None:
        rows = options.embeddings
    elif names:
        rows = embed_names(model.language, tokenizer, names, progress=progress)
    np.save(folder / VOCABULARY, np.ascontiguousarray(rows, np.float32))


def write_manifest(model: PublishedSeem, folder: Path, options: BundleOptions) -> None:
    """Writes `bundle.json`, last, with the hash of every other file in the folder."""
    manifest = manifest_of(model, options)
    manifest["files"] = {
        file.name: {"sha256": _sha256(file), "bytes": file.stat().st_size}
        for file in sorted(folder.iterdir())
        if file.name != MANIFEST
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def manifest_of(model: PublishedSeem, options: BundleOptions) -> dict[str, Any]:
    """All of `bundle.json` but the list of files."""
    variant, sizes = model.variant, model.variant.sizes
    names = [*options.names, BACKGROUND] if options.names else []
    everything = {
        "threshold": variant.panoptic_threshold,
        "overlap": OVERLAP,
        "n_things": options.n_things,
        "instances": INSTANCES,
    }
    return {
        "format": FORMAT,
        "name": f"seem-{variant.name.replace('_', '-')}",
        "variant": variant.name,
        "version": options.version,
        "image": {
            "resize": {
                "kind": "short_side",
                "short_side": options.resize.short_side,
                "long_side": options.resize.long_side,
                "rounding": "floor",
            },
            "filter": "bicubic",
            "divisor": variant.divisor,
            "mean": list(MEAN),
            "std": list(STD),
            "buckets": buckets(variant, options.resize),
        },
        "decoder": {
            "kind": "queries",
            "wiring": variant.wiring.value,
            "query_rows": list(options.query_rows),
            "object_queries": sizes.object_queries,
            "memory_tokens": sizes.memory_tokens if variant.has_memory else 0,
            "layers": sizes.decoder_layers,
            "max_points": MAX_PROMPT_POINTS,
        },
        "everything": everything if names else None,
        "prompts": ["point", "box", "scribble", "lasso", "mask", "text", "example"],
        "mask_stride": 4,
        "mask_threshold": 0.0,
        "text": {"max_tokens": MAX_TOKENS, "width": sizes.hidden, "clean": True},
        "joint_width": sizes.hidden,
        "vocabulary": {
            "names": names,
            "scale": float(model.language.logit_scale.detach().exp()),
        },
        "features": list(FEATURE_NAMES),
        "precision": options.precision,
        "licences": [
            {
                "covers": "the model's weights",
                "licence": "that of the checkpoint you brought (the authors' code is Apache-2.0)",
                "source": "SEEM (Zou et al. 2023)",
            },
            {"covers": "tokenizer's merges (CLIP)", "licence": "MIT", "source": "OpenAI CLIP"},
        ],
        "provenance": options.provenance,
    }


def buckets(variant: Variant, resize: Resize) -> list[list[int]]:
    """Padded inputs (height, width) of the usual aspects, without repeats."""
    fitted = (resize.cut_down((height, width)) for width, height in ASPECTS)
    sizes = [[_padded(side, variant) for side in size] for size in fitted]
    return [list(size) for size in dict.fromkeys(map(tuple, sizes))]


def _padded(side: int, variant: Variant) -> int:
    return -(-side // variant.divisor) * variant.divisor


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
