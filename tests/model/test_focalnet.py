import pytest
import torch
from encoder_parts import exported, filled, free_sizes, pictures, worst

from seem_model.backbones import FocalNet
from seem_model.backbones.focalnet import _Modulation
from seem_model.variants import FocalNetConfig

TINY = {
    "tiny flavour": FocalNetConfig(8, (1, 2, 1, 1), focal_levels=2, depthwise=True),
    "large flavour": FocalNetConfig(8, (1, 2, 1, 1), focal_levels=2, depthwise=False),
}
both = pytest.mark.parametrize("config", TINY.values(), ids=TINY)


@both
def test_gives_maps_at_strides_4_to_32_of_the_channels_it_tells(config):
    model = filled(FocalNet(config))
    maps = model(pictures(2, 3, 64, 96))
    assert model.channels == [8, 16, 32, 64]
    assert [tuple(x.shape) for x in maps] == [
        (2, c, 64 // s, 96 // s) for c, s in zip(model.channels, (4, 8, 16, 32), strict=True)
    ]


def test_only_the_tiny_flavour_has_convolutions_in_its_blocks():
    names = {flavour: list(FocalNet(config).state_dict()) for flavour, config in TINY.items()}
    assert "layers.1.blocks.1.dw2.weight" in names["tiny flavour"]
    assert not [name for name in names["large flavour"] if ".dw" in name]


@both
def test_has_the_published_names(config):
    names = set(FocalNet(config).state_dict())
    assert {
        "patch_embed.proj.weight",
        "patch_embed.norm.bias",
        "layers.0.blocks.0.modulation.f.weight",
        "layers.0.blocks.0.modulation.h.bias",
        "layers.0.blocks.0.modulation.proj.weight",
        "layers.0.blocks.0.modulation.focal_layers.1.0.weight",
        "layers.0.blocks.0.mlp.fc2.bias",
        "layers.0.blocks.0.gamma_1",
        "layers.2.downsample.norm.weight",
        "norm3.weight",
    } <= names
    assert not [name for name in names if name.startswith("layers.3.downsample")]


@both
def test_pictures_of_a_batch_do_not_touch(config):
    model, images = filled(FocalNet(config)), pictures(2, 3, 32, 64)
    alone = zip(model(images[:1]), model(images[1:]), strict=True)
    assert worst(model(images), map(torch.cat, alone)) < 1e-5


@both
def test_works_in_double_precision(config):
    single = filled(FocalNet(config))
    images = pictures(1, 3, 32, 64)
    maps = single(images)
    doubled = single.double()(images.double())
    assert {x.dtype for x in doubled} == {torch.float64}
    assert worst(maps, doubled) < 1e-4


def test_the_down_sampling_sees_the_map_before_its_norm():
    model, image = filled(FocalNet(TINY["tiny flavour"])), pictures(1, 3, 32, 64)
    before = model(image)
    model.norm0.weight.mul_(2)
    after = model(image)
    assert not torch.equal(before[0], after[0])
    assert all(torch.equal(a, b) for a, b in zip(before[1:], after[1:], strict=True))


def test_modulation_sees_the_whole_map_but_near_contexts_only_their_surroundings():
    module = filled(_Modulation(8, 2))
    x = torch.randn(1, 16, 16, 8)
    touched = x.clone()
    touched[:, 0, 0] += 1
    difference = (module(touched) - module(x)).abs().amax(3)[0]
    assert (difference > 0).all()  # by the mean over all positions
    assert difference[0, 0] > 10 * difference[8:, 8:].max()


def test_exported_modulation_runs_at_other_sizes(tmp_path):
    module = filled(_Modulation(8, 2))
    example = torch.randn(2, 8, 12, 8)
    free = free_sizes(axes=(1, 2), multiple=1)
    run = exported(module, example, tmp_path / "modulation.onnx", free=free)
    for shape in ((1, 6, 10, 8), (3, 16, 4, 8)):
        x = pictures(*shape)
        assert worst([module(x)], run(x)) < 1e-4


@pytest.mark.slow
@both
def test_exported_network_runs_at_other_sizes(config, tmp_path):
    model = filled(FocalNet(config))
    run = exported(model, pictures(2, 3, 96, 128), tmp_path / "net.onnx", free=free_sizes())
    for shape in ((1, 3, 128, 64), (3, 3, 64, 224), (1, 3, 32, 32)):
        images = pictures(*shape)
        assert worst(model(images), run(images)) < 1e-4
