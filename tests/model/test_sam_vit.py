import math

import pytest
import torch
from encoder_parts import exported, filled, pictures, worst
from torch.export import Dim

from seem_model.backbones import SamViT, sam_vit
from seem_model.backbones.sam_vit import _Attention
from seem_model.variants import SamViTConfig

TINY = SamViTConfig(
    16, 2, 2, (1,), window=3, image_side=64, channels=(8, 16, 32, 64)
)  # 4 x 4 positions: windows need padding


def test_gives_maps_at_strides_4_to_32_of_the_channels_it_tells():
    model = filled(SamViT(TINY))
    maps = model(pictures(2, 3, 64, 64))
    assert model.channels == [8, 16, 32, 64]
    assert [tuple(x.shape) for x in maps] == [
        (2, c, 64 // s, 64 // s) for c, s in zip(model.channels, (4, 8, 16, 32), strict=True)
    ]


def test_has_the_published_names():
    shapes = {name: tuple(x.shape) for name, x in SamViT(TINY).state_dict().items()}
    assert shapes["pos_embed"] == (1, 4, 4, 16)
    assert shapes["blocks.0.attn.rel_pos_h"] == (5, 8)  # windows of 3
    assert shapes["blocks.1.attn.rel_pos_w"] == (7, 8)  # the whole map of 4
    assert shapes["neck.down_32.0.weight"] == (64, 16, 2, 2)
    assert {
        "patch_embed.proj.bias",
        "blocks.0.norm1.weight",
        "blocks.0.attn.qkv.weight",
        "blocks.0.mlp.lin2.bias",
        "neck.down_4.6.weight",
        "neck.down_8.3.bias",
        "neck.down_16.1.weight",
        "neck.down_32.3.weight",
    } <= set(shapes)


def test_the_neck_is_never_narrower_than_its_map():
    with torch.device("meta"):
        wide = SamViT(SamViTConfig(64, 1, 2, (0,), image_side=64, channels=(8, 16, 32, 64)))
    assert wide.neck.down_4[0].out_channels == 32
    assert wide.neck.down_32[0].out_channels == 128


def test_pictures_of_a_batch_do_not_touch():
    model, images = filled(SamViT(TINY)), pictures(2, 3, 64, 64)
    alone = zip(model(images[:1]), model(images[1:]), strict=True)
    assert worst(model(images), map(torch.cat, alone)) < 1e-5


def test_works_in_double_precision():
    single = filled(SamViT(TINY))
    images = pictures(1, 3, 64, 64)
    maps = single(images)
    doubled = single.double()(images.double())
    assert {x.dtype for x in doubled} == {torch.float64}
    assert worst(maps, doubled) < 1e-4


def test_offsets_of_rows_and_columns_add_to_the_logits_what_the_unscaled_rows_say():
    module = filled(_Attention(16, 2, 3))
    x = torch.randn(1, 3, 3, 16)
    q, k, v = module.qkv(x).reshape(9, 3, 2, 8).permute(1, 2, 0, 3)  # (heads, 9, 8) each
    logits = q @ k.transpose(1, 2) / math.sqrt(8)
    for i in range(9):
        for j in range(9):
            down, across = i // 3 - j // 3 + 2, i % 3 - j % 3 + 2
            logits[:, i, j] += q[:, i] @ (module.rel_pos_h[down] + module.rel_pos_w[across])
    mixed = (logits.softmax(-1) @ v).transpose(0, 1).reshape(1, 3, 3, 16)
    torch.testing.assert_close(module(x), module.proj(mixed))


def test_padding_is_attended_as_tokens_of_zero():
    module = filled(_Attention(16, 2, 3))
    x = torch.randn(1, 4, 5, 16)
    padded = torch.zeros(1, 6, 6, 16)
    padded[:, :4, :5] = x
    torch.testing.assert_close(module(x), module(padded)[:, :4, :5])


def test_rows_a_part_at_a_time_give_what_they_give_together(monkeypatch):
    module = filled(_Attention(16, 2, 4))
    x = torch.randn(2, 4, 4, 16)
    together = module(x)
    monkeypatch.setattr(sam_vit, "_ROWS_AT_ONCE", 5)
    torch.testing.assert_close(module(x), together)


def test_exported_attention_runs_any_batch(tmp_path):
    module = filled(_Attention(16, 2, 3))
    x = pictures(2, 4, 5, 16)
    run = exported(module, x, tmp_path / "attention.onnx", free={0: Dim("batch")})
    for batch in (1, 3):
        x = pictures(batch, 4, 5, 16)
        assert worst([module(x)], run(x)) < 1e-4


@pytest.mark.slow
def test_exported_network_runs_any_batch(tmp_path):
    model = filled(SamViT(TINY))
    run = exported(model, pictures(2, 3, 64, 64), tmp_path / "net.onnx", free={0: Dim("batch")})
    for batch in (1, 3):
        images = pictures(batch, 3, 64, 64)
        assert worst(model(images), run(images)) < 1e-4
