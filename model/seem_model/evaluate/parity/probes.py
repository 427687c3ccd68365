"""The maps between an image and its features, by the names of the recorded outputs.

B images · C channels · h, w rows and columns of a map
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from torch import Tensor

from seem_model.variants import DaViTConfig, FocalNetConfig, SamViTConfig

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn
    from torch.utils.hooks import RemovableHandle

    from seem_model.published import PublishedSeem

    Reading = Callable[[Any], dict[str, Tensor]]

BACKBONE = ("res2", "res3", "res4", "res5")


class Probes:
    """Listens to a model's parts while entered; what they gave is in `maps` afterwards."""

    def __init__(self, model: PublishedSeem) -> None:
        self.maps: dict[str, Tensor] = {}
        self._handles: list[RemovableHandle] = []
        self._readings = _readings(model)

    def __enter__(self) -> Self:
        for part, read in self._readings:
            self._handles.append(part.register_forward_hook(self._hook(read)))
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()

    def _hook(self, read: Reading) -> Callable[[nn.Module, Any, Any], None]:
        def keep(_part: nn.Module, _inputs: Any, outputs: Any) -> None:
            self.maps.update(read(outputs))

        return keep


def _readings(model: PublishedSeem) -> list[tuple[nn.Module, Reading]]:
    """Parts of the model and what of their output is kept."""
    backbone, pixel_decoder = model.backbone, model.sem_seg_head.pixel_decoder
    encoder = pixel_decoder.get_submodule("transformer")
    readings: list[tuple[nn.Module, Reading]] = [
        (backbone, lambda maps: dict(zip(BACKBONE, maps, strict=True))),
        (pixel_decoder, lambda pyramid: _scales(pyramid.scales)),
        (encoder, lambda maps: {"transformer_encoder_features": _coarsest(maps)}),
    ]
    match model.variant.backbone:
        case FocalNetConfig():
            stem = backbone.get_submodule("patch_embed")
            block = backbone.get_submodule("layers.0.blocks.0")
            readings.append((stem, lambda x: {"stem_out": x.permute(0, 3, 1, 2)}))
            readings.append((block, lambda x: {"stage0_block0_out": x.flatten(1, 2)}))
        case SamViTConfig():
            readings.append((backbone.get_submodule("patch_embed"), lambda x: {"stem_out": x}))
        case DaViTConfig():
            pass  # nothing recorded
    return readings


def _scales(scales: list[Tensor]) -> dict[str, Tensor]:
    return {f"multi_scale_{place}": scale for place, scale in enumerate(scales)}


def _coarsest(maps: Tensor | list[Tensor]) -> Tensor:
    """Of one map (the FPN's transformer) or of all three (the deformable one)."""
    return maps if isinstance(maps, Tensor) else maps[0]
