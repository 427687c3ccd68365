from __future__ import annotations

import pytest
import torch
from small_published import small_variants

from seem_model.checkpoint import SHOWN, expected_shapes, load_model, load_variant, recognise
from seem_model.published import PublishedSeem
from seem_model.variants import VARIANTS, Wiring
from seem_wire.errors import (
    CheckpointMismatch,
    CheckpointUnknown,
    InvalidValue,
    VariantNeeded,
)

BACKBONES = ("focalt", "focall", "davitd3", "davitd5", "samvitb", "samvitl")
CAPTIONS = "sem_seg_head.predictor.caping_embed"
SPATIAL = "sem_seg_head.predictor.mask_sptial_embed.0"
SCALE = "sem_seg_head.predictor.lang_encoder.logit_scale"
LOOKS = "It looks like small_v0, small_v1 or small_demo."


def weightless(variant, dtype=torch.float32):
    """A state of the right names and shapes that takes no memory: each tensor is one number."""
    number = torch.full((), 0.5, dtype=dtype)
    return {name: number.expand(shape) for name, shape in expected_shapes(variant).items()}


@pytest.fixture
def saved(tmp_path):
    def save(state):
        path = tmp_path / "seem.pt"
        torch.save(state, path)
        return path

    return save


@pytest.fixture
def small(monkeypatch):
    """The state of a small model in its three wirings."""
    return weightless(small_variants(monkeypatch)["small_v0"])


@pytest.mark.parametrize("backbone", BACKBONES)
def test_names_and_shapes_tell_the_backbone_and_not_the_wiring(backbone):
    expected = {name for name in VARIANTS if name.startswith(f"{backbone}_")}
    assert recognise(weightless(VARIANTS[min(expected)])) == expected


def test_the_wirings_of_a_backbone_have_the_same_tensors():
    shapes = [expected_shapes(VARIANTS[f"focalt_{wiring}"]) for wiring in Wiring]
    assert shapes[0] == shapes[1] == shapes[2]


def test_a_file_that_fits_one_variant_needs_no_name(saved, monkeypatch):
    (variant,) = small_variants(monkeypatch, [Wiring.V1]).values()
    name, state = load_variant(saved(weightless(variant)))
    assert name == "small_v1"
    assert set(state) == set(expected_shapes(variant))


def test_a_file_that_fits_several_asks_which(saved, small):
    path = saved(small)
    with pytest.raises(VariantNeeded, match="may be small_v0, small_v1 or small_demo"):
        load_variant(path)
    assert load_variant(path, "small_demo")[0] == "small_demo"


@pytest.mark.parametrize("prefix", ["", "model.", "module.", "module.model."])
def test_prefixes_of_all_names_and_what_serving_ignores_are_left_out(saved, small, prefix):
    extra = {"criterion.empty_weight": torch.ones(134), "dilation_kernel": torch.ones(1, 1, 3, 3)}
    path = saved({prefix + key: value for key, value in (small | extra).items()})
    assert list(load_variant(path, "small_v0")[1]) == list(small)


def test_a_prefix_of_some_names_is_a_difference(saved, small):
    path = saved({f"module.{SCALE}" if key == SCALE else key: v for key, v in small.items()})
    with pytest.raises(CheckpointMismatch, match="1 missing, 1 unexpected"):
        load_variant(path, "small_v0")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floats_become_float32(saved, small, dtype):
    _, state = load_variant(saved({key: v.to(dtype) for key, v in small.items()}), "small_v0")
    assert {value.dtype for value in state.values()} == {torch.float32}
    assert float(state[SCALE]) == 0.5


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({SCALE: None}, rf"1 missing\.\n  missing: {SCALE} \(a number\)"),
        ({"extra": torch.ones(2, 3)}, r"1 unexpected\.\n  unexpected: extra \(2×3\)"),
        ({SCALE: torch.ones(1)}, r"1 of another shape\.\n  .*\(1, not a number\)"),
        ({SCALE: torch.tensor(1)}, r"1 of another type\.\n  .*\(int64\)"),
        ({SCALE: torch.tensor(float("nan"))}, r"1 not finite\.\n"),
        ({SCALE: torch.tensor(1e300, dtype=torch.float64)}, r"1 not finite\.\n"),
    ],
)
def test_each_difference_is_named(saved, small, change, told):
    state = {key: value for key, value in (small | change).items() if value is not None}
    with pytest.raises(CheckpointMismatch, match=told) as refused:
        load_variant(saved(state), "small_v0")
    assert LOOKS in str(refused.value)


def test_many_differences_are_counted_and_some_shown(saved, small):
    kept = {key: value for key, value in small.items() if "multihead_attn" not in key}
    n_missing = len(small) - len(kept)
    with pytest.raises(CheckpointMismatch, match=f"{n_missing} missing") as refused:
        load_variant(saved(kept), "small_v0")
    assert str(refused.value).count("  missing: ") == min(SHOWN, n_missing)


def test_the_wrong_variant_is_told_what_the_file_looks_like(saved, small):
    with pytest.raises(CheckpointMismatch, match="is no focall_v1") as refused:
        load_variant(saved(small), "focall_v1")
    assert LOOKS in str(refused.value)
    assert len(str(refused.value).splitlines()) == SHOWN + 3


def test_a_variant_that_does_not_exist_is_refused(saved, small):
    with pytest.raises(InvalidValue, match="no variant 'focalt_v2', but focalt_v0"):
        load_variant(saved(small), "focalt_v2")


def test_x_decoder_is_known_by_name(saved, small):
    state = {key: value for key, value in small.items() if key != SPATIAL}
    with pytest.raises(CheckpointUnknown, match="X-Decoder"):
        load_variant(saved(state | {CAPTIONS: torch.ones(2)}), "small_v0")


def test_another_models_weights_are_told_apart(saved):
    state = {"image_encoder.pos_embed": torch.ones(2), "mask_decoder.weight": torch.ones(3)}
    with pytest.raises(CheckpointUnknown, match=r"is not SEEM.* first are image_encoder"):
        load_variant(saved(state), "samvitb_v1")


def test_a_seem_of_no_published_backbone_is_told_so(saved, small):
    path = saved({key: value for key, value in small.items() if not key.startswith("backbone.")})
    with pytest.raises(CheckpointUnknown, match="none of its backbones"):
        load_variant(path)
    with pytest.raises(CheckpointMismatch, match="looks like no variant at all"):
        load_variant(path, "small_v0")


def test_nothing_is_built_of_a_file_with_differences(saved, small, monkeypatch):
    path = saved({key: value for key, value in small.items() if key != SCALE})
    monkeypatch.setattr(PublishedSeem, "load_state_dict", lambda *_, **__: pytest.fail("loaded"))
    with pytest.raises(CheckpointMismatch):
        load_model(path, "small_v0")


def test_a_loaded_model_has_the_files_numbers_and_no_others(saved, monkeypatch):
    torch.manual_seed(0)
    made = PublishedSeem(small_variants(monkeypatch)["small_v0"])
    model = load_model(saved(made.state_dict()), "small_v0")
    assert not model.training
    assert not any(parameter.requires_grad for parameter in model.parameters())
    for name, tensor in made.state_dict().items():
        assert torch.equal(model.state_dict()[name], tensor), name
