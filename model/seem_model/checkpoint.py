"""A published checkpoint: which variant it is, and its tensors, or why it is none.

Strict, where the published program is not: it copies what fits and goes on without the rest, so
that a wrong file "loads" with random parts. Here the names, shapes and types of a file are those
of the variant, or nothing is loaded and the differences are listed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from seem_model.published import PublishedSeem
from seem_model.tensor_file import read_checkpoint
from seem_model.variants import VARIANTS, DaViTConfig, FocalNetConfig
from seem_wire.errors import CheckpointMismatch, CheckpointUnknown, InvalidValue, VariantNeeded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from seem_model.variants import Variant

    Shape = tuple[int, ...]

__all__ = ["expected_shapes", "load_model", "load_variant", "read_checkpoint", "recognise"]

PREFIXES = ("module.", "model.")
"""Of wrappers, the outermost first."""
CRITERION, DILATION = "criterion.", "dilation_kernel"
"""Saved by the published program and needed by nothing: weights of its loss, and a constant."""

XDECODER_NAMES = (
    "backbone_proj",
    "sem_seg_head.predictor.caping_embed",
    "sem_seg_head.predictor.pos_embed_caping.weight",
)
SHOWN = 20

_DECODER = "sem_seg_head.predictor."
_SPATIAL = f"{_DECODER}mask_sptial_embed.0"
_DEFORMABLE = "sem_seg_head.pixel_decoder.transformer.level_embed"
_DEPTHWISE = "backbone.layers.0.blocks.0.dw1.weight"
_FLOATS = frozenset({torch.float16, torch.bfloat16, torch.float32, torch.float64})


def load_model(path: Path, variant: str | None = None) -> PublishedSeem:
    """The model of a checkpoint, in float32 and ready to answer; raises as `load_variant`."""
    name, state = load_variant(path, variant)
    with torch.device("meta"):  # weights of its own would be made for nothing
        model = PublishedSeem(VARIANTS[name])
    model.load_state_dict(state, strict=True, assign=True)
    return model.eval().requires_grad_(requires_grad=False)


def load_variant(path: Path, variant: str | None = None) -> tuple[str, dict[str, Tensor]]:
    """The name of a checkpoint's variant and its tensors, all of them and float32.

    `variant` must be given where the file fits several: v0, v1 and demo weights look the same.

    Raises:
        BadCheckpoint: As `tensor_file.read_checkpoint`.
        CheckpointUnknown: It is another model's.
        VariantNeeded: It fits several variants, and none was named.
        CheckpointMismatch: A tensor is missing, unexpected, of another shape or type than the
            variant's, or holds a number that is not finite.
    """
    if variant is not None and variant not in VARIANTS:
        raise InvalidValue(f"There is no variant {variant!r}, but {', '.join(VARIANTS)}.")
    state = _used(_without_prefix(read_checkpoint(path)))
    likely = recognise(state)
    if not likely and not any(name.startswith(_DECODER) for name in state):
        raise CheckpointUnknown(
            f"{path} is not SEEM: none of its {len(state)} tensors is named {_DECODER}…; the first"
            f" are {', '.join(list(state)[:3])}."
        )
    name = variant or _only(likely, path)
    differences = list(_differences(state, expected_shapes(VARIANTS[name])))
    if not differences:
        state = {key: tensor.float().contiguous() for key, tensor in state.items()}
        differences = [Difference("not finite", key) for key in _not_finite(state)]
    if differences:
        raise CheckpointMismatch(f"{path} is no {name}: {_listed(differences)}{_hint(likely)}")
    return name, state


def recognise(state: Mapping[str, Tensor]) -> frozenset[str]:
    """The names of the variants that a state dict could belong to, by a few telling tensors.

    Raises:
        CheckpointUnknown: It is X-Decoder's, which shares most names and shapes with SEEM.
    """
    if _SPATIAL not in state and any(name in state for name in XDECODER_NAMES):
        raise CheckpointUnknown(
            "The file holds X-Decoder, SEEM's predecessor: it knows captions"
            f" ({next(name for name in XDECODER_NAMES if name in state)}) and no clicks"
            f" (it lacks {_SPATIAL})."
        )
    return frozenset(v.name for v in VARIANTS.values() if _fits(state, v))


def expected_shapes(variant: Variant) -> Mapping[str, Shape]:
    """Names and shapes of all tensors of a variant, none of which is made."""
    with torch.device("meta"):
        model = PublishedSeem(variant)
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}


@dataclass(frozen=True, slots=True)
class Difference:
    """One tensor that is not as the variant's. `kind`: "missing", "unexpected" and so on."""

    kind: str
    name: str
    detail: str = ""


def _used(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {
        name: tensor
        for name, tensor in state.items()
        if name != DILATION and not name.startswith(CRITERION)
    }


def _without_prefix(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The state without the wrappers' names that all its tensors start with, if they do."""
    for prefix in PREFIXES:
        if all(name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
    return state


def _fits(state: Mapping[str, Tensor], variant: Variant) -> bool:
    """Whether the tensor that tells backbones and pixel decoders apart is the variant's."""
    backbone = variant.backbone
    if isinstance(backbone, FocalNetConfig):
        if (_DEPTHWISE in state) != backbone.depthwise:
            return False
        name, shape = "backbone.patch_embed.proj.weight", (backbone.width, 3, 7, 7)
    elif isinstance(backbone, DaViTConfig):
        name, shape = "backbone.convs.0.proj.weight", (backbone.channels[0], 3, 7, 7)
    else:
        side = backbone.image_side // 16
        name, shape = "backbone.pos_embed", (1, side, side, backbone.width)
    found = state.get(name)
    same = found is not None and tuple(found.shape) == shape
    return same and (_DEFORMABLE in state) == variant.deformable


def _only(likely: frozenset[str], path: Path) -> str:
    if not likely:
        raise CheckpointUnknown(f"{path} has SEEM's decoder and none of its backbones.")
    if len(likely) > 1:
        raise VariantNeeded(f"{path} may be {_either(likely)}, which have equal names and shapes.")
    return next(iter(likely))


def _either(names: frozenset[str]) -> str:
    ordered = [name for name in VARIANTS if name in names]
    return " or ".join(filter(None, (", ".join(ordered[:-1]), ordered[-1])))


def _differences(state: Mapping[str, Tensor], shapes: Mapping[str, Shape]) -> Iterator[Difference]:
    for name, shape in shapes.items():
        if name not in state:
            yield Difference("missing", name, _sides(shape))
    for name, tensor in state.items():
        if name not in shapes:
            yield Difference("unexpected", name, _sides(tuple(tensor.shape)))
        elif tuple(tensor.shape) != shapes[name]:
            found, wanted = _sides(tuple(tensor.shape)), _sides(shapes[name])
            yield Difference("of another shape", name, f"{found}, not {wanted}")
        elif tensor.dtype not in _FLOATS:
            yield Difference("of another type", name, str(tensor.dtype).removeprefix("torch."))


def _not_finite(state: Mapping[str, Tensor]) -> Iterator[str]:
    for name, tensor in state.items():
        if not bool(tensor.isfinite().all()):
            yield name


def _sides(shape: Shape) -> str:
    return "×".join(map(str, shape)) or "a number"


def _listed(differences: list[Difference]) -> str:
    """How many there are of each kind, and the first of them."""
    kinds = list(dict.fromkeys(one.kind for one in differences))
    counts = ", ".join(f"{sum(d.kind == kind for d in differences)} {kind}" for kind in kinds)
    lines = [
        f"\n  {one.kind}: {one.name}" + (f" ({one.detail})" if one.detail else "")
        for one in differences[:SHOWN]
    ]
    left = len(differences) - len(lines)
    more = f"\n  and {left} more" if left else ""
    return f"of its tensors {counts}.{''.join(lines)}{more}\n"


def _hint(likely: frozenset[str]) -> str:
    return f"It looks like {_either(likely)}." if likely else "It looks like no variant at all."
