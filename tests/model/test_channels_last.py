import pytest
import torch
from encoder_parts import filled
from torch.nn import functional

from seem_model.backbones.channels_last import Convolution


@pytest.mark.parametrize(
    ("kernel", "stride", "padding"),
    [(7, 4, 3), (7, 4, 2), (3, 2, 1), (2, 2, 0), (3, 1, 1), (1, 1, 0)],
)
def test_gives_what_a_convolution_of_symmetric_padding_gives(kernel, stride, padding):
    layer = filled(Convolution(3, 5, kernel, stride=stride, padding=padding))
    x = torch.randn(2, 16, 8, 3)
    expected = functional.conv2d(x.permute(0, 3, 1, 2), layer.weight, layer.bias, stride, padding)
    y = layer(x)
    assert y.shape == (2, 16 // stride, 8 // stride, 5)
    torch.testing.assert_close(y.permute(0, 3, 1, 2), expected)


def test_keeps_the_names_of_a_convolution():
    assert list(Convolution(4, 4, 3, padding=1, groups=4).state_dict()) == ["weight", "bias"]


def test_copies_nothing_for_the_layout():
    layer = Convolution(8, 8, 3, padding=1, groups=8)
    assert layer(torch.randn(1, 6, 6, 8)).is_contiguous()
