"""Backbones and pixel decoders, each part on its own in float32, against the recorded maps."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="seem_model needs the `model` extra")

GOLDEN = Path(__file__).parents[3] / "shared" / "golden"
TOLERANCE = 1e-4  # of a map's largest magnitude, as golden/README.md asks of float32
SIZE = (182, 250)  # of the recorded picture: its shorter side resized to 182

pytestmark = pytest.mark.skipif(
    not GOLDEN.is_dir(), reason=f"the reference outputs are not at {GOLDEN}"
)


class Case(NamedTuple):
    variant: str
    folder: str


CASES = [
    pytest.param(Case("focalt_v1", "focalt_shared"), id="focalt"),
    *(
        pytest.param(Case(name, name), id=name, marks=pytest.mark.slow)
        for name in ("focall_v1", "davitd3_v1", "davitd5_v1", "samvitb_v1", "samvitl_v1")
    ),
]


def made(build, prefix):
    """A part with weights made by rule, built without drawing others first."""
    from seem_model.rule_weights import fill

    with torch.device("meta"):
        part = build()
    part = part.to_empty(device="cpu").eval().requires_grad_(requires_grad=False)
    fill(part, prefix)
    return part


def backbone_of(config):
    from seem_model.backbones import DaViT, FocalNet, SamViT
    from seem_model.variants import DaViTConfig, FocalNetConfig

    kinds = {FocalNetConfig: FocalNet, DaViTConfig: DaViT}
    return kinds.get(type(config), SamViT)(config)


def pixel_decoder_of(variant):
    from seem_model.config import PixelDecoderConfig
    from seem_model.deformable import DeformablePixelDecoder
    from seem_model.pixel_decoder import PixelDecoder

    channels = list(variant.backbone.channels)
    if variant.deformable:
        return DeformablePixelDecoder(channels)
    return PixelDecoder(channels, 512, 8, PixelDecoderConfig())


def padded_picture(divisor):
    """The recorded picture, resized, normalised, then padded: (1, 3, H, W)."""
    from PIL import Image

    from seem_model.variants import MEAN, STD

    raw = np.load(GOLDEN / "focalt_shared" / "preprocess.npz")["raw0"]
    resized = Image.fromarray(raw).resize(SIZE[::-1], Image.Resampling.BICUBIC)
    normal = (np.asarray(resized, np.float32) - np.float32(MEAN)) / np.float32(STD)
    padding = [(0, -side % divisor) for side in SIZE]
    return torch.from_numpy(np.pad(normal, (*padding, (0, 0))).transpose(2, 0, 1)[None])


@pytest.mark.timeout(900)
@pytest.mark.parametrize("case", CASES)
def test_maps_are_the_recorded_ones(case):
    from seem_model.evaluate.parity.golden import Golden
    from seem_model.variants import VARIANTS

    torch.set_num_threads(1)
    variant = VARIANTS[case.variant]
    maps = encode(variant)
    golden = Golden(GOLDEN / case.folder / "encoder.npz")
    errors = {name: relative_error(maps[name], golden.recorded(name)) for name in maps}
    assert {name: error for name, error in errors.items() if not error <= TOLERANCE} == {}


def encode(variant):
    """Maps by recorded name; the backbone is gone before the pixel decoder is made."""
    backbone = made(lambda: backbone_of(variant.backbone), "backbone.")
    features = backbone(padded_picture(variant.divisor))
    del backbone
    decoder = made(lambda: pixel_decoder_of(variant), "sem_seg_head.pixel_decoder.")
    pyramid = decoder(features)
    return {
        **{f"res{number + 2}": x for number, x in enumerate(features)},
        **{f"multi_scale_{number}": x for number, x in enumerate(pyramid.scales)},
        "mask_features": pyramid.mask_features,
    }


def relative_error(ours, recorded):
    assert tuple(ours.shape) == recorded.shape
    difference = np.abs(recorded.thin(ours.numpy()) - recorded.values).max()
    return float(difference) / recorded.figures.largest
