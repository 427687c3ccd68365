"""The published name lists against the models built here, and the loader on files made of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="seem_model needs the `model` extra")

from seem_model.checkpoint import expected_shapes, load_variant, recognise  # noqa: E402
from seem_model.variants import VARIANTS  # noqa: E402
from seem_wire.errors import CheckpointMismatch, CheckpointUnknown, VariantNeeded  # noqa: E402

KEYS = Path(__file__).parents[2].parent / "shared" / "keys"
ALLOWED = {"criterion.empty_weight", "dilation_kernel"}

pytestmark = pytest.mark.skipif(
    not KEYS.is_dir(), reason=f"the published name lists are not at {KEYS}"
)


def listed(name):
    document = json.loads((KEYS / f"{name}.json").read_text("utf-8"))
    return {key: (tuple(shape), getattr(torch, dtype)) for key, shape, dtype in document["keys"]}


def weightless(name):
    """Tensors as listed, of one number each."""
    made = {key: torch.ones((), dtype=d).expand(s) for key, (s, d) in listed(name).items()}
    assert made
    return made


@pytest.fixture
def saved(tmp_path):
    def save(name):
        path = tmp_path / f"seem_{name}.pt"
        torch.save(weightless(name), path)
        return path

    return save


@pytest.mark.parametrize("name", VARIANTS)
def test_names_and_shapes_are_those_of_the_published_file(name):
    published = {key: shape for key, (shape, _) in listed(name).items() if key not in ALLOWED}
    assert dict(expected_shapes(VARIANTS[name])) == published


@pytest.mark.parametrize("name", VARIANTS)
def test_a_published_file_is_recognised(name):
    likely = recognise(weightless(name))
    backbone = name.partition("_")[0]
    assert likely == {variant for variant in VARIANTS if variant.startswith(backbone)}


def test_focal_files_need_to_be_told_apart_and_then_load(saved):
    path = saved("focalt_v0")
    with pytest.raises(VariantNeeded, match="focalt_v0, focalt_v1 or focalt_demo"):
        load_variant(path)
    for variant in ("focalt_v0", "focalt_v1", "focalt_demo"):
        assert load_variant(path, variant)[0] == variant


def test_every_other_file_tells_what_it_is(saved):
    name, state = load_variant(saved("samvitb_v1"))
    assert (name, len(state)) == ("samvitb_v1", 650)


@pytest.mark.parametrize(
    ("name", "claimed"),
    [("focalt_v0", "focall_v0"), ("davitd3_v1", "davitd5_v1"), ("samvitb_v1", "focalt_v1")],
)
def test_a_wrong_variant_is_refused_with_the_differences(saved, name, claimed):
    with pytest.raises(CheckpointMismatch, match=f"looks like {name.partition('_')[0]}"):
        load_variant(saved(name), claimed)


@pytest.mark.parametrize("name", ["xdecoder_focalt", "xdecoder_focall"])
@pytest.mark.parametrize("claimed", [None, "focalt_v0", "focall_v0"])
def test_x_decoder_is_refused_by_name(saved, name, claimed):
    with pytest.raises(CheckpointUnknown, match="X-Decoder"):
        load_variant(saved(name), claimed)
