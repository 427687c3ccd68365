"""From a trained model to a bundle: three ONNX graphs, a tokenizer, a vocabulary and a manifest.

    python -m seem_model.export lite --checkpoint RUN/checkpoint.pt --out FOLDER

A bundle is written beside its final name and moved there when it is whole.

B images · n objects · P points · T text tokens · E text width · C joint space
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import Tensor, nn
from torch.export import Dim
from torch.nn import functional

from seem_model.config import CONFIGS
from seem_model.decoder import N_LEVELS, Level
from seem_model.graph import export_graph
from seem_model.refiner import ImageMaps
from seem_model.seem import Answers, ImageFeatures, Prompts, Seem, sentence
from seem_model.text import load_text_encoder
from seem_model.tighten import tighten_file
from seem_wire.pixels import MAP_NAMES

if TYPE_CHECKING:
    from seem_model.config import ModelConfig
    from seem_model.text import TextEncoder

FORMAT = 2
STRIDES = (32, 16, 8)
MAP_STRIDES = (4, 8, 16, 32, 8)
FEATURE_NAMES = (
    *(f"{kind}_{stride}" for stride in STRIDES for kind in ("values", "keys", "masks")),
    *("refine_4", "refine_8", "refine_16", "refine_32", "embedding_8"),
)
NAMES_OF_RANDOM_WEIGHTS = ("cat", "dog", "zebra")
ANSWER_NAMES = ("mask_logits", "iou", "presence", "semantic")
NOTHING = "nothing"
"""The last name of a vocabulary: what a place or mask is that none of the others is for."""


class ImageEncoderGraph(nn.Module):
    """(B, 3, H, W) to the tensors FEATURE_NAMES."""

    def __init__(self, model: Seem) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """The features, in the order of FEATURE_NAMES."""
        features = self.model.encode(image)
        return (*(tensor for level in features.levels for tensor in level), *features.maps)


class TextEncoderGraph(nn.Module):
    """Ids and mask (B, T) to token states (B, T, E) and sentences (B, C) in the joint space."""

    def __init__(self, encoder: TextEncoder, model: Seem) -> None:
        super().__init__()
        self.encoder = encoder
        self.to_joint = model.predictor.lang_proj

    def forward(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """States and sentences."""
        states = self.encoder(ids, mask)
        joint = sentence(states, mask.to(states.dtype)) @ self.to_joint
        return states, functional.normalize(joint, dim=-1, eps=1e-6)


class PromptDecoderGraph(nn.Module):
    """Features and prompts, flat, to the tensors ANSWER_NAMES."""

    def __init__(self, model: Seem) -> None:
        super().__init__()
        self.model = model

    def forward(self, features: list[Tensor], prompts: list[Tensor]) -> tuple[Tensor, ...]:
        """The answers, in the order of ANSWER_NAMES; `prompts` are the fields of `Prompts`."""
        image = unflatten(features)
        answers: Answers = self.model.answer(image, Prompts(*prompts))
        return answers.mask_logits, answers.iou, answers.presence, answers.semantic


def unflatten(features: list[Tensor]) -> ImageFeatures:
    """The encoder's outputs, in the order of FEATURE_NAMES, as the model takes them."""
    levels = [Level(*features[3 * i : 3 * i + 3]) for i in range(N_LEVELS)]
    return ImageFeatures(levels, ImageMaps(*features[3 * N_LEVELS :]))


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Where lines are drawn, chosen on images that training kept apart (MODEL_CARD.md).

    presence: least presence of what only words or an example ask for. segment: least score of a
    panoptic segment; overlap: least share of a mask that must stay visible. clicks: most clicks to
    find everything; iou, stability, swing: of the masks that are kept.
    """

    presence: float = 0.5
    segment: float = 0.3
    overlap: float = 0.5
    instances: int = 100
    clicks: int = 64
    iou: float = 0.5
    stability: float = 0.5
    swing: float = 0.3


@dataclass(frozen=True, slots=True)
class Source:
    """What a bundle is made of.

    things, stuff: the vocabulary to label masks with, without a name for nothing. thresholds:
    `presence_threshold` and what `everything` needs, as `bundle.json` has them.
    """

    model: Seem
    text_encoder: TextEncoder
    things: tuple[str, ...]
    stuff: tuple[str, ...]
    provenance: dict[str, Any]
    thresholds: Thresholds

    @property
    def names(self) -> tuple[str, ...]:
        """Things, then stuff."""
        return (*self.things, *self.stuff)


THRESHOLDS = {"lite": Thresholds(presence=0.48), "tiny": Thresholds()}


def write_bundle(source: Source, out: Path, *, version: str) -> None:
    """Writes the bundle of `source` to the folder `out`, replacing what was there."""
    config = source.model.config
    part = out.with_name(f".{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    source.model.eval()
    export_image_encoder(source.model, part / "image_encoder.onnx")
    export_prompt_decoder(source.model, part / "prompt_decoder.onnx")
    export_text_encoder(source.text_encoder, source.model, part / "text_encoder.onnx")
    source.text_encoder.tokenizer.save(str(part / "tokenizer.json"), pretty=False)
    np.save(part / "vocabulary.npy", _embed_names(source))
    manifest = _manifest(config, source, version)
    manifest["files"] = {
        file.name: {
            "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
            "bytes": file.stat().st_size,
        }
        for file in sorted(part.iterdir())
    }
    (part / "bundle.json").write_text(json.dumps(manifest, indent=1) + "\n")
    shutil.rmtree(out, ignore_errors=True)
    part.rename(out)


def export_image_encoder(model: Seem, file: Path) -> None:
    """Exports `ImageEncoderGraph` for any batch and any multiple of 32."""
    batch, rows, columns = Dim("batch"), Dim("rows_32"), Dim("columns_32")
    image = torch.zeros(2, 3, 128, 96)
    export_graph(
        ImageEncoderGraph(model),
        (image,),
        file,
        inputs=["image"],
        outputs=list(FEATURE_NAMES),
        shapes={"image": {0: batch, 2: 32 * rows, 3: 32 * columns}},
    )
    tighten_file(file)


def export_prompt_decoder(model: Seem, file: Path) -> None:
    """Exports `PromptDecoderGraph` for any B, n, P, T and image size."""
    batch, objects, points, tokens = Dim("batch"), Dim("objects"), Dim("points"), Dim("tokens")
    rows, columns = Dim("rows_32"), Dim("columns_32")
    height, width = 128, 96
    with torch.inference_mode():
        features = list(ImageEncoderGraph(model)(torch.zeros(2, 3, height, width)))
    features = [feature.clone() for feature in features]
    prompts = list(empty_prompts(2, 3, 4, 5, height, width, model.config))
    strides = [stride for stride in STRIDES for _ in range(3)] + list(MAP_STRIDES)
    grid = {0: batch, 1: objects}
    shapes = {
        "features": [
            {0: batch, 2: (32 // stride) * rows, 3: (32 // stride) * columns} for stride in strides
        ],
        "prompts": [
            {**grid, 2: points},
            {**grid, 2: points},
            {**grid, 3: 8 * rows, 4: 8 * columns},
            {**grid, 2: 8 * rows, 3: 8 * columns},
            grid,
            {**grid, 2: tokens},
            {**grid, 2: tokens},
            grid,
            grid,
        ],
    }
    export_graph(
        PromptDecoderGraph(model),
        (features, prompts),
        file,
        inputs=[*FEATURE_NAMES, *Prompts._fields],
        outputs=list(ANSWER_NAMES),
        shapes=shapes,
    )
    tighten_file(file)


def export_text_encoder(encoder: TextEncoder, model: Seem, file: Path) -> None:
    """Exports the text encoder with weights in int8 (its states keep a cosine above 0.99).

    The way into the joint space stays in float32: words are compared there.
    """
    ids = torch.ones(1, 7, dtype=torch.int64)
    whole = file.with_suffix(".fp32.onnx")
    export_graph(
        TextEncoderGraph(encoder, model),
        (ids, torch.ones_like(ids)),
        whole,
        inputs=["ids", "mask"],
        outputs=["states", "sentence"],
        shapes={"ids": {1: Dim("tokens")}, "mask": {1: Dim("tokens")}},
    )
    exact = [
        node.name
        for node in onnx.load(whole).graph.node
        if any(name.endswith("to_joint") for name in node.input)
    ]
    quantize_dynamic(
        whole, file, weight_type=QuantType.QInt8, per_channel=True, nodes_to_exclude=exact
    )
    whole.unlink()


def empty_prompts(
    batch: int, objects: int, points: int, tokens: int, height: int, width: int, config: ModelConfig
) -> Prompts:
    """Prompts of the given sizes that say nothing but a point at the origin."""
    grid = (batch, objects)
    return Prompts(
        torch.zeros(*grid, points, 2),
        torch.ones(*grid, points),
        torch.zeros(*grid, len(MAP_NAMES), height // 4, width // 4),
        torch.zeros(*grid, height // 4, width // 4),
        torch.zeros(*grid),
        torch.zeros(*grid, tokens, config.text_width),
        torch.zeros(*grid, tokens),
        torch.zeros(*grid, config.hidden),
        torch.zeros(*grid),
    )


@torch.inference_mode()
def _embed_names(source: Source) -> np.ndarray[Any, np.dtype[np.float32]]:
    """The vocabulary in the joint space, nothing last: (V + 1, C) float32 unit rows."""
    rows = [source.model.nothing()[None]]
    if source.names:
        rows.insert(0, source.model.embed_text(*source.text_encoder.encode(source.names)))
    return torch.cat(rows).numpy().astype(np.float32)


def _manifest(config: ModelConfig, source: Source, version: str) -> dict[str, Any]:
    limits = source.thresholds
    return {
        "format": FORMAT,
        "name": f"seem-{config.name}",
        "variant": config.name,
        "version": version,
        "image": {
            "resize": {
                "kind": "long_side",
                "long_side": config.input_long_side,
                "side_multiple": 4,
            },
            "filter": "bilinear",
            "divisor": config.divisor,
            "mean": list(config.mean),
            "std": list(config.std),
            "buckets": [[config.input_long_side, config.input_long_side]],
        },
        "decoder": {"kind": "refined", "zoom": True},
        "everything": {
            "threshold": limits.segment,
            "overlap": limits.overlap,
            "n_things": len(source.things),
            "instances": limits.instances,
            "clicks": {
                "most": limits.clicks,
                "iou": limits.iou,
                "stability": limits.stability,
                "swing": limits.swing,
            },
        },
        "presence_threshold": limits.presence,
        "prompts": ["point", "box", "scribble", "lasso", "mask", "text", "example"],
        "mask_stride": 4,
        "mask_threshold": 0.0,
        "text": {
            "max_tokens": source.text_encoder.max_tokens,
            "width": config.text_width,
            "clean": False,
        },
        "joint_width": config.hidden,
        "vocabulary": {
            "names": [*source.names, NOTHING],
            "scale": round(float(source.model.logit_scale.detach().exp().clamp(max=100)), 4),
        },
        "features": list(FEATURE_NAMES),
        "precision": "fp32, text encoder int8 weights",
        "licences": [
            {
                "covers": "image backbone's starting weights (EfficientNet-Lite, ImageNet)",
                "licence": "Apache-2.0",
                "source": config.backbone.imagenet_weights or "none: random weights",
            },
            {
                "covers": "text encoder and tokenizer",
                "licence": "Apache-2.0",
                "source": source.text_encoder.source,
            },
            {
                "covers": "everything else; see MODEL_CARD.md for the images it was trained on",
                "licence": "Apache-2.0",
                "source": "python -m seem_model.train",
            },
        ],
        "provenance": source.provenance,
    }


def main() -> None:
    """Reads the arguments and writes a bundle."""
    parser = argparse.ArgumentParser(prog="python -m seem_model.export", description=__doc__)
    parser.add_argument("config", choices=sorted(CONFIGS))
    parser.add_argument("--checkpoint", type=Path, help="of a training run; random without")
    parser.add_argument("--out", type=Path, required=True, help="the bundle's folder")
    parser.add_argument("--version", default="0.1.0")
    arguments = parser.parse_args()
    config = CONFIGS[arguments.config]
    torch.manual_seed(0)
    model = Seem(config)
    things, stuff = NAMES_OF_RANDOM_WEIGHTS, ("sky",)
    provenance: dict[str, Any] = {"weights": "random, seed 0"}
    if arguments.checkpoint:
        state = torch.load(arguments.checkpoint, map_location="cpu", weights_only=True)
        model.load_state_dict(state["average"])
        stuff = tuple(state["stuff"])
        things = tuple(name for name in state["names"] if name not in stuff)
        provenance = {
            "command": f"python -m seem_model.train {config.name}",
            "recipe": state["recipe"],
            "steps": state["step"],
            "hours": round(state["seconds"] / 3600, 2),
        }
    encoder = load_text_encoder(config)
    source = Source(model, encoder, things, stuff, provenance, THRESHOLDS[config.name])
    write_bundle(source, arguments.out, version=arguments.version)
    size = sum(file.stat().st_size for file in arguments.out.iterdir())
    sys.stdout.write(f"{arguments.out}: {size / 1e6:.1f} MB\n")


if __name__ == "__main__":
    main()
