import pytest
import torch
from encoder_parts import exported, filled, free_sizes, pictures, worst

from seem_model.backbones import DaViT
from seem_model.backbones.davit import _ChannelAttention, _WindowAttention
from seem_model.variants import DaViTConfig

CHANNELS = (32, 32, 64, 64)
TINY = {
    "d3": DaViTConfig(CHANNELS, (1, 2, 1, 1), (7, 2, 2, 2), (3, 0, 0, 0)),
    "d5": DaViTConfig(CHANNELS, (1, 2, 1, 1), (7, 3, 3, 3), (3, 1, 1, 1)),
}
both = pytest.mark.parametrize("config", TINY.values(), ids=TINY)


@both
def test_gives_maps_at_strides_4_to_32_of_the_channels_it_tells(config):
    model = filled(DaViT(config))
    maps = model(pictures(2, 3, 64, 96))
    assert model.channels == list(CHANNELS)
    assert [tuple(x.shape) for x in maps] == [
        (2, c, 64 // s, 96 // s) for c, s in zip(CHANNELS, (4, 8, 16, 32), strict=True)
    ]


def test_has_the_published_names():
    shapes = {name: tuple(x.shape) for name, x in DaViT(TINY["d5"]).state_dict().items()}
    assert shapes["convs.0.norm.weight"] == (32,)  # after the convolution
    assert shapes["convs.2.norm.weight"] == (32,)  # before it
    assert shapes["convs.2.proj.weight"] == (64, 32, 3, 3)
    assert {
        "blocks.1.1.spatial_block.conv1.fn.dw.weight",
        "blocks.1.1.spatial_block.window_attn.norm.weight",
        "blocks.1.1.spatial_block.window_attn.fn.qkv.weight",
        "blocks.1.1.channel_block.channel_attn.fn.proj.bias",
        "blocks.1.1.channel_block.conv2.fn.dw.bias",
        "blocks.1.1.channel_block.ffn.norm.bias",
        "blocks.1.1.channel_block.ffn.fn.net.fc2.weight",
    } <= set(shapes)


@both
def test_pictures_of_a_batch_do_not_touch(config):
    model, images = filled(DaViT(config)), pictures(2, 3, 64, 32)
    alone = zip(model(images[:1]), model(images[1:]), strict=True)
    assert worst(model(images), map(torch.cat, alone)) < 1e-5


@both
def test_works_in_double_precision(config):
    single = filled(DaViT(config))
    images = pictures(1, 3, 64, 96)
    maps = single(images)
    doubled = single.double()(images.double())
    assert {x.dtype for x in doubled} == {torch.float64}
    assert worst(maps, doubled) < 1e-4


def test_a_window_sees_only_itself():
    module = filled(_WindowAttention(32, 7))
    x = torch.randn(1, 14, 20, 32)
    touched = x.clone()
    touched[:, 3, 8] += 1
    changed = (module(touched) != module(x)).any(3)[0]
    assert changed[:7, 7:14].all()
    assert changed.sum() == 49


def test_padding_is_attended_as_tokens_of_zero():
    module = filled(_WindowAttention(32, 4))
    x = torch.randn(1, 3, 4, 32)
    padded = torch.cat([x, torch.zeros(1, 1, 4, 32)], 1)
    torch.testing.assert_close(module(x), module(padded)[:, :3])


def test_channels_attend_with_a_scale_of_the_number_of_positions():
    module = filled(_ChannelAttention(64))
    x = torch.randn(1, 4, 6, 64)
    q, k, v = module.qkv(x).reshape(24, 3, 2, 32).unbind(1)
    weights = torch.einsum("ngc,ngd->gcd", q, k).div(24**0.5).softmax(-1)
    mixed = torch.einsum("gcd,ngd->ngc", weights, v).reshape(1, 4, 6, 64)
    torch.testing.assert_close(module(x), module.proj(mixed))


@pytest.mark.parametrize("attention", [_WindowAttention(32, 7), _ChannelAttention(32)])
def test_exported_attention_runs_at_other_sizes(attention, tmp_path):
    module = filled(attention)
    free = free_sizes(axes=(1, 2), multiple=8)
    run = exported(module, pictures(2, 16, 24, 32), tmp_path / "attention.onnx", free=free)
    for shape in ((1, 16, 8, 32), (3, 56, 24, 32), (1, 8, 8, 32)):  # with padding and without
        x = pictures(*shape)
        assert worst([module(x)], run(x)) < 1e-4


@pytest.mark.slow
@both
def test_exported_network_runs_at_other_sizes(config, tmp_path):
    model = filled(DaViT(config))
    run = exported(model, pictures(2, 3, 96, 128), tmp_path / "net.onnx", free=free_sizes())
    for shape in ((1, 3, 128, 64), (3, 3, 64, 224), (1, 3, 32, 32)):
        images = pictures(*shape)
        assert worst(model(images), run(images)) < 1e-4
