import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from seem_model.graph import export_graph
from seem_model.group_norm import GroupNorm


@pytest.fixture
def norm():
    torch.manual_seed(0)
    norm = GroupNorm(4, 32)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    return norm.requires_grad_(requires_grad=False)


def plain(norm):
    """torch's own with the same weights, in float64."""
    other = nn.GroupNorm(norm.num_groups, norm.num_channels).double()
    other.load_state_dict(norm.state_dict())
    return other.requires_grad_(requires_grad=False)


def test_it_is_torchs_norm_with_torchs_names(norm):
    x = torch.randn(2, 32, 5, 7, dtype=torch.float64)
    torch.testing.assert_close(norm.double()(x), plain(norm)(x))


def test_a_constant_map_becomes_the_bias(norm):
    y = norm(torch.full((1, 32, 4, 4), 7.0))
    torch.testing.assert_close(y[0, :, 0, 0], norm.bias)


def test_a_large_map_is_as_exact_when_exported(norm, tmp_path):
    x = torch.randn(1, 32, 256, 256) * 1.3 + 0.7
    file = tmp_path / "norm.onnx"
    export_graph(norm, (x,), file, inputs=["x"], outputs=["y"], shapes={"input": None})
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    (y,) = session.run(None, {"x": x.numpy()})
    np.testing.assert_allclose(y, plain(norm)(x.double()).numpy(), atol=1e-5)
