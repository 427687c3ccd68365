import math
import zlib

import numpy as np
import pytest

from seem_model.rule_weights import checksum, fill, rule_tensor, rule_tensors, scale

torch = pytest.importorskip("torch", reason="seem_model needs the `model` extra")


def test_a_tensor_follows_from_its_name_and_shape_alone():
    name, shape = "sem_seg_head.predictor.query_feat.weight", (101, 512)
    generator = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))
    expected = generator.standard_normal(shape).astype(np.float32)
    np.testing.assert_array_equal(rule_tensor(name, shape), expected)
    # as printed beside the reference outputs
    published = [
        0.22966095805168152,
        -0.9746450185775757,
        -0.39845654368400574,
        -0.7797962427139282,
    ]
    np.testing.assert_array_equal(rule_tensor(name, shape)[0, :4], np.float32(published))


@pytest.mark.parametrize(
    ("name", "shape", "expected"),
    [
        ("criterion.empty_weight", (134,), (1.0, 0.0)),
        ("sem_seg_head.predictor.lang_encoder.logit_scale", (), (4.8, 0.0)),
        ("backbone.layers.0.blocks.0.gamma_1", (96,), (0.5, 0.1)),
        ("sem_seg_head.predictor.query_embed.weight", (101, 512), (0.0, 1.0)),
        ("sem_seg_head.predictor.pn_indicator.weight", (2, 512), (0.0, 0.7)),
        ("sem_seg_head.pixel_decoder.transformer.level_embed", (3, 256), (0.0, 0.5)),
        ("backbone.pos_embed", (1, 64, 64, 768), (0.0, 0.2)),
        ("backbone.blocks.0.attn.rel_pos_h", (27, 64), (0.0, 0.1)),
        ("x.sampling_offsets.weight", (192, 256), (0.0, 0.5 / 16)),
        ("x.sampling_offsets.bias", (192,), (0.0, 1.5)),
        ("x.attention_weights.weight", (96, 256), (0.0, 1 / 16)),
        ("backbone.blocks.0.0.spatial_block.conv1.fn.dw.weight", (128, 1, 3, 3), (0.0, 0.25 / 3)),
        ("backbone.norm0.weight", (96,), (1.0, 0.1)),
        ("backbone.norm0.bias", (96,), (0.0, 0.05)),
        ("backbone.layers.0.blocks.0.dw1.weight", (96, 1, 3, 3), (0.0, 1 / 3)),
        ("sem_seg_head.predictor.class_embed", (512, 512), (0.0, 1 / math.sqrt(512))),
    ],
)
def test_the_first_rule_that_fits_gives_mean_and_spread(name, shape, expected):
    assert scale(name, shape) == pytest.approx(expected)


def test_a_constant_is_drawn_from_nothing():
    assert rule_tensor("logit_scale", ()).shape == ()
    assert rule_tensor("dilation_kernel", (1, 1, 3, 3)).tolist() == [[[[1.0] * 3] * 3]]


def test_a_prefix_leaves_out_the_rest():
    shapes = {"a.weight": (2, 3), "b.weight": (4,)}
    assert [name for name, _ in rule_tensors(shapes, "b.")] == ["b.weight"]


def test_a_checksum_sees_order_and_every_byte():
    pairs = [("a.weight", (2, 3)), ("b.weight", (4,))]
    tensors = b"".join(rule_tensor(*pair).tobytes() for pair in pairs)
    assert checksum(pairs) == f"{zlib.crc32(tensors):08x}"
    assert checksum(pairs[::-1]) != checksum(pairs)


def test_a_part_of_a_model_is_filled_as_in_the_whole():
    part = torch.nn.Linear(3, 2).double()
    fill(part, "head.")
    np.testing.assert_array_equal(part.weight.detach().numpy(), rule_tensor("head.weight", (2, 3)))
    assert part.weight.dtype == torch.float64
