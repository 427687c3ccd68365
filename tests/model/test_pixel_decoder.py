import math

import torch

from seem_model.config import PixelDecoderConfig
from seem_model.pixel_decoder import ConvNorm, PixelDecoder, sine_position


def maps():
    return [torch.randn(1, c, 32 // s, 48 // s) for c, s in ((4, 1), (6, 2), (8, 4), (10, 8))]


def test_published_shape_has_mask_features_at_stride_4():
    config = PixelDecoderConfig(encoder_layers=1, feedforward=8)
    pyramid = PixelDecoder([4, 6, 8, 10], 32, 4, config)(maps())
    assert [tuple(x.shape) for x in pyramid.scales] == [
        (1, 32, 4, 6),
        (1, 32, 8, 12),
        (1, 32, 16, 24),
    ]
    assert pyramid.mask_features.shape == (1, 32, 32, 48)


def test_light_shape_stops_at_stride_8():
    config = PixelDecoderConfig(encoder_layers=1, feedforward=8, norm="batch", mask_stride=8)
    assert PixelDecoder([4, 6, 8, 10], 32, 4, config)(maps()).mask_features.shape[2:] == (16, 24)


def test_sine_position_counts_rows_from_one_up_to_two_pi():
    position = sine_position(4, 2, 8, like=torch.zeros(1))
    assert position.shape == (8, 4, 2)
    angle = 1 / (4 + 1e-6) * 2 * math.pi
    torch.testing.assert_close(position[0, 0, 0], torch.tensor(math.sin(angle)))
    torch.testing.assert_close(position[1, 0, 1], torch.tensor(math.cos(angle)))


def test_sine_position_has_y_in_the_first_half():
    position = sine_position(5, 3, 8, like=torch.zeros(1))
    assert (position[:4, :, :1] == position[:4]).all()
    assert (position[4:, :1] == position[4:]).all()


def test_conv_norm_halves_with_stride_two():
    assert ConvNorm(3, 8, 3, norm="batch", stride=2)(torch.zeros(1, 3, 8, 8)).shape[2:] == (4, 4)


def test_published_shape_has_the_published_names():
    config = PixelDecoderConfig(encoder_layers=2, feedforward=8)
    shapes = {
        n: tuple(x.shape)
        for n, x in PixelDecoder([4, 6, 8, 10], 32, 4, config).state_dict().items()
    }
    layer = "transformer.encoder.layers.1"
    assert shapes["input_proj.bias"] == (32,)
    assert shapes["adapter_1.weight"] == (32, 4, 1, 1)
    assert shapes["mask_features.weight"] == (32, 32, 3, 3)
    assert {"layer_4.norm.weight", "layer_1.weight", "adapter_3.norm.bias"} <= set(shapes)
    assert {f"{layer}.self_attn.in_proj_weight", f"{layer}.norm2.bias"} <= set(shapes)
    assert not [name for name in shapes if name.startswith(("adapter_4", "layer_5"))]
