"""From a picture to the decoder's inputs: backbone and pixel decoder of every variant.

C = 512 · h, w rows and columns of a map
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from seem_model.decoder import N_LEVELS

if TYPE_CHECKING:
    from torch import Tensor

    from seem_model.decoder import Level
    from seem_model.evaluate.parity.setting import Setting
    from seem_model.evaluate.parity.sheet import Sheet


def check_encoder(sheet: Sheet, setting: Setting) -> None:
    """Every recorded map of the target picture."""
    maps = encoder_maps(setting)
    for name in sheet.golden.names:
        if name in maps:
            sheet.compare(name, maps[name].numpy(), setting.tolerances.maps)
        elif not setting.shows_inside:
            sheet.hidden(name)


def encoder_maps(setting: Setting) -> dict[str, Tensor]:
    """By recorded name. What the features tell comes from them, the rest from the way to them."""
    encoded = setting.encoded()
    features = encoded.features
    maps = {"mask_features": features.mask_features, **encoded.inside}
    embeddings = setting.subject.model.sem_seg_head.predictor.level_embed.weight.detach()
    for number in range(N_LEVELS):
        level = features.levels[number]
        maps[f"decoder_src_{number}"] = _as_sequence(level.values)
        maps[f"decoder_pos_{number}"] = _as_sequence(_position(level))
        scale = level.values - embeddings[number][:, None, None]
        maps.setdefault(f"multi_scale_{number}", scale)
    maps["pixdec_pos_res5"] = _position(features.levels[0])  # both use the same
    return maps


def _position(level: Level) -> Tensor:
    return level.keys - level.values


def _as_sequence(x: Tensor) -> Tensor:
    """(1, C, h, w) as (h w, 1, C)."""
    return x.flatten(2).permute(2, 0, 1)
