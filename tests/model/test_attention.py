import torch
from torch import nn

from seem_model.attention import MultiheadAttention


def reference(ours):
    theirs = nn.MultiheadAttention(16, 4, batch_first=True).eval()
    theirs.load_state_dict(ours.state_dict())
    return theirs


def made():
    torch.manual_seed(0)
    ours = MultiheadAttention(16, 4)
    nn.init.normal_(ours.in_proj_bias)
    return ours


def test_equals_torch_with_a_mask():
    ours = made()
    queries, keys = torch.randn(2, 5, 16), torch.randn(2, 7, 16)
    visible = torch.rand(2, 5, 7) > 0.3
    visible[..., 0] = True
    blocked = ~visible.repeat_interleave(4, 0)
    expected, _ = reference(ours)(queries, keys, keys + 1, attn_mask=blocked)
    torch.testing.assert_close(ours(queries, keys, keys + 1, visible), expected)


def test_folded_projections_give_the_same():
    ours = made()
    queries, keys, values = torch.randn(2, 3, 5, 16), torch.randn(2, 30, 16), torch.randn(2, 30, 16)
    visible = torch.rand(2, 3, 5, 30) > 0.3
    spread = [x[:, None].expand(2, 3, 30, 16) for x in (keys, values)]
    expected = ours(queries, *spread, visible)
    torch.testing.assert_close(ours.attend_map(queries, keys, values, visible), expected)


def test_a_row_that_sees_nothing_gets_the_output_bias():
    ours = made()
    nn.init.normal_(ours.out_proj.bias)
    x = torch.randn(1, 2, 16)
    visible = torch.tensor([[[False, False], [True, True]]])
    torch.testing.assert_close(ours(x, x, x, visible)[0, 0], ours.out_proj.bias)


def test_refuses_a_width_that_heads_do_not_divide():
    import pytest

    with pytest.raises(ValueError, match=r"width \(10\) must be divisible by heads \(4\)"):
        MultiheadAttention(10, 4)
