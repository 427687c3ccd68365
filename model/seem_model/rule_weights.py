"""Made-up weights by rule: every tensor follows from its own name and shape.

The reference outputs of the published models ("goldens") were recorded with these weights, because
the published ones can't be redistributed. A tensor of rule version 1 is

    mean + spread · N(0, 1)        drawn in float64, C order, then rounded to float32

from a PCG64 generator seeded with the CRC-32 of the tensor's name. `scale` gives mean and spread.

    python -m seem_model.rule_weights focalt_v1 OUT.pt     a checkpoint, to time and to test with
"""

from __future__ import annotations

import argparse
import math
import zlib
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray
    from torch import nn

    Shape = tuple[int, ...]

RULE_VERSION = 1


class Scale(NamedTuple):
    """Mean and standard deviation of a tensor; a spread of 0 is a constant, drawn from nothing."""

    mean: float
    spread: float


class _Rule(NamedTuple):
    """The first rule whose condition holds for a name and a shape decides."""

    applies: Callable[[str, Shape], bool]
    scale: Callable[[Shape], Scale]


def _last(*words: str) -> Callable[[str, Shape], bool]:
    return lambda name, _: name.rpartition(".")[2] in words


def _within(*words: str) -> Callable[[str, Shape], bool]:
    return lambda name, _: any(word in name for word in words)


def _ends(word: str) -> Callable[[str, Shape], bool]:
    return lambda name, _: name.endswith(word)


def _whole(*words: str) -> Callable[[str, Shape], bool]:
    return lambda name, _: name in words


def _norm_weight(name: str, shape: Shape) -> bool:
    return len(shape) <= 1 and name.rpartition(".")[2] == "weight"


def _fixed(mean: float, spread: float) -> Callable[[Shape], Scale]:
    return lambda _: Scale(mean, spread)


def _per_input(gain: float) -> Callable[[Shape], Scale]:
    return lambda shape: Scale(0.0, gain / math.sqrt(shape[1]))


def _fan_in(shape: Shape) -> Scale:
    return Scale(0.0, 1.0 / math.sqrt(math.prod(shape[1:])))


RULES = (
    _Rule(_whole("dilation_kernel", "criterion.empty_weight"), _fixed(1.0, 0.0)),
    _Rule(_last("logit_scale"), _fixed(4.8, 0.0)),  # its exponential lies above the clamp of 100
    _Rule(_last("gamma_1", "gamma_2"), _fixed(0.5, 0.1)),
    _Rule(_within("query_feat", "query_embed"), _fixed(0.0, 1.0)),
    _Rule(_within("spatial_featured", "spatial_embed.weight"), _fixed(0.0, 1.0)),
    _Rule(_within("pn_indicator"), _fixed(0.0, 0.7)),
    _Rule(_within("level_embed", "token_embedding"), _fixed(0.0, 0.5)),
    _Rule(_within("positional_embedding"), _fixed(0.0, 0.1)),
    _Rule(_last("pos_embed"), _fixed(0.0, 0.2)),
    _Rule(_last("rel_pos_h", "rel_pos_w"), _fixed(0.0, 0.1)),
    _Rule(_ends("sampling_offsets.weight"), _per_input(0.5)),
    _Rule(_ends("sampling_offsets.bias"), _fixed(0.0, 1.5)),
    _Rule(_ends("attention_weights.weight"), _per_input(1.0)),
    _Rule(_ends(".dw.weight"), _fixed(0.0, 0.25 / 3.0)),
    _Rule(_norm_weight, _fixed(1.0, 0.1)),
    _Rule(lambda _, shape: len(shape) <= 1, _fixed(0.0, 0.05)),  # every bias
    _Rule(lambda _name, _shape: True, _fan_in),
)


def scale(name: str, shape: Shape) -> Scale:
    """Mean and spread of the tensor `name`."""
    return next(rule.scale(shape) for rule in RULES if rule.applies(name, shape))


def rule_tensor(name: str, shape: Shape) -> NDArray[np.float32]:
    """The float32 tensor that the rule makes for `name`."""
    mean, spread = scale(name, shape)
    if spread == 0.0:
        return np.full(shape, mean, np.float32)
    normal = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode()))).standard_normal(shape)
    return np.asarray(mean + spread * normal, np.float32).reshape(shape)


def rule_tensors(
    shapes: Mapping[str, Shape] | Iterable[tuple[str, Shape]], prefix: str = ""
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Names and tensors, one at a time, of the entries whose name starts with `prefix`."""
    pairs = shapes.items() if hasattr(shapes, "items") else shapes
    for name, shape in pairs:
        if name.startswith(prefix):
            yield name, rule_tensor(name, tuple(shape))


def checksum(shapes: Mapping[str, Shape] | Iterable[tuple[str, Shape]]) -> str:
    """CRC-32 over the bytes of all tensors in the given order, as eight hexadecimal digits."""
    crc = 0
    for _, tensor in rule_tensors(shapes):
        crc = zlib.crc32(tensor.tobytes(), crc)
    return f"{crc:08x}"


def fill(module: nn.Module, prefix: str = "") -> None:
    """Overwrites every parameter and saved buffer of `module`, in its own dtype.

    `prefix`: what stands before the module's names in the whole model, for a part on its own:
    `fill(model.backbone, "backbone.")`.
    """
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            made = rule_tensor(prefix + name, tuple(tensor.shape))
            tensor.copy_(torch.from_numpy(made))


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes a checkpoint of a published variant, with made-up weights."""
    from seem_model.checkpoint import expected_shapes  # noqa: PLC0415  (which imports this)
    from seem_model.variants import VARIANTS  # noqa: PLC0415

    parser = argparse.ArgumentParser(prog="python -m seem_model.rule_weights")
    parser.add_argument("variant", choices=sorted(VARIANTS))
    parser.add_argument("out", metavar="OUT.pt")
    told = parser.parse_args(arguments)
    shapes = expected_shapes(VARIANTS[told.variant])
    torch.save({name: torch.from_numpy(made) for name, made in rule_tensors(shapes)}, told.out)


if __name__ == "__main__":
    main()
