from __future__ import annotations

import json
from contextlib import suppress

import numpy as np
import pytest
from bundles import edit, manifest, relist, write_bundle
from hypothesis import given
from hypothesis import strategies as st
from query_bundles import change, queries_manifest, write_query_bundle

from seem_server.runtime.bundle import read_bundle
from seem_server.runtime.specs import (
    ClicksSpec,
    EverythingSpec,
    Filter,
    LongSide,
    QueriesSpec,
    RefinedSpec,
    Rounding,
    ShortSide,
    Wiring,
)
from seem_wire.errors import BundleFileMissing, BundleInvalid
from seem_wire.types import PromptKind


@pytest.fixture
def own(tmp_path):
    return write_bundle(tmp_path / "own")


@pytest.fixture
def published(tmp_path):
    return write_query_bundle(tmp_path / "published")


def paths(document, *above):
    for key, value in document.items():
        yield (*above, key)
        if isinstance(value, dict) and key != "provenance":
            yield from paths(value, *above, key)


# --- what is right


def test_our_own_models_have_a_refined_decoder_and_tell_of_nothing_else(own):
    made = read_bundle(own).manifest
    assert made.decoder == RefinedSpec()
    assert made.everything is None
    assert made.image.resize == LongSide(128, 4)
    assert made.image.filter is Filter.BILINEAR
    assert made.image.buckets == ((128, 128),)
    assert not made.text.clean


def test_published_models_have_queries(published):
    made = read_bundle(published).manifest
    assert made.decoder == QueriesSpec(Wiring.V1, (0, 2, 4), 5, 3, 2, 16)
    assert made.everything == EverythingSpec(0.5, 0.5, 2, 10)
    assert made.image.resize == ShortSide(64, 96, Rounding.FLOOR)
    assert made.image.filter is Filter.BICUBIC
    assert made.image.long_side == 96
    assert PromptKind.EXAMPLE in made.prompts


BY_CLICKS = {
    "threshold": 0.3,
    "overlap": 0.5,
    "n_things": 1,
    "instances": 9,
    "clicks": {"most": 64, "iou": 0.7, "stability": 0.8, "swing": 1.0},
}


def test_our_own_models_may_be_asked_for_everything_by_clicks(own):
    change(own, "everything", value=BY_CLICKS)
    made = read_bundle(own).manifest
    assert made.everything == EverythingSpec(0.3, 0.5, 1, 9, ClicksSpec(64, 0.7, 0.8, 1.0))


@pytest.mark.parametrize("value", [None, 0.25])
def test_a_bundle_may_say_when_an_object_counts_as_absent(published, value):
    assert read_bundle(published).manifest.presence_threshold is None
    edit(published, lambda document: document.update(presence_threshold=value))
    assert read_bundle(published).manifest.presence_threshold == value


# --- what is wrong


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("decoder", "kind"), "telepathic"),
        (("decoder", "wiring"), "v7"),
        (("decoder", "query_rows"), []),
        (("decoder", "query_rows"), [1, 1]),
        (("decoder", "query_rows"), [0, 5]),
        (("decoder", "query_rows"), [True]),
        (("decoder", "object_queries"), 4),
        (("decoder", "max_points"), 0),
        (("decoder", "layers"), 0),
        (("decoder", "memory_tokens"), -1),
        (("image", "resize", "kind"), "any_side"),
        (("image", "resize", "long_side"), 63),
        (("image", "resize", "long_side"), 1 << 20),
        (("image", "resize", "rounding"), "up"),
        (("image", "filter"), "lanczos"),
        (("image", "buckets"), []),
        (("image", "buckets"), [[64, 90]]),
        (("image", "buckets"), [[64, 96]] * 17),
        (("image", "divisor"), 30),
        (("image", "std"), [1e-30, 1, 1]),
        (("image", "std"), [-1, 1, 1]),
        (("image", "mean"), [1e30, 0, 0]),
        (("mask_stride",), 2),
        (("mask_threshold",), 1e9),
        (("presence_threshold",), 1.5),
        (("presence_threshold",), "high"),
        (("text", "width"), 1 << 30),
        (("text", "max_tokens"), 1 << 20),
        (("text", "clean"), "yes"),
        (("vocabulary", "scale"), -1),
        (("everything", "threshold"), 1.5),
        (("everything", "overlap"), -0.1),
        (("everything", "n_things"), 4),
        (("everything", "instances"), 0),
        (("prompts",), ["point", "telepathy"]),
    ],
)
def test_impossible_values_are_refused_with_their_place(published, path, value):
    change(published, *path, value=value)
    with pytest.raises(BundleInvalid) as refusal:
        read_bundle(published)
    assert "bundle.json" in refusal.value.message


@pytest.mark.parametrize("path", list(paths(queries_manifest())), ids="-".join)
def test_every_part_of_a_published_models_manifest_must_be_there(published, path):
    def remove(document):
        for key in path[:-1]:
            document = document[key]
        del document[path[-1]]

    edit(published, remove)
    with pytest.raises(BundleInvalid):
        read_bundle(published)


def test_a_refined_decoder_cannot_be_asked_for_everything_as_one_of_queries_is(own):
    value = {"threshold": 0.5, "overlap": 0.5, "n_things": 1, "instances": 9}
    change(own, "everything", value=value)
    with pytest.raises(BundleInvalid, match="refined"):
        read_bundle(own)


def test_a_refined_decoder_needs_no_graph_for_examples(own):
    change(own, "prompts", value=["point", "example"])
    assert PromptKind.EXAMPLE in read_bundle(own).manifest.prompts


def test_a_refined_decoder_may_look_closer_and_does_not_where_nothing_is_said(own):
    assert read_bundle(own).manifest.decoder == RefinedSpec(zoom=False)
    change(own, "decoder", "zoom", value=True)
    assert read_bundle(own).manifest.decoder == RefinedSpec(zoom=True)


@pytest.mark.parametrize(
    ("key", "value"),
    [("most", 0), ("most", 1 << 20), ("most", 1.5), ("iou", 1.1), ("stability", -1), ("swing", -1)],
)
def test_impossible_clicks_are_refused(own, key, value):
    change(own, "everything", value=BY_CLICKS)
    change(own, "everything", "clicks", key, value=value)
    with pytest.raises(BundleInvalid, match="clicks"):
        read_bundle(own)


def test_models_of_queries_are_not_asked_by_clicks(published):
    change(published, "everything", "clicks", value=BY_CLICKS["clicks"])
    with pytest.raises(BundleInvalid, match="refined"):
        read_bundle(published)


@pytest.mark.parametrize("name", ["mask_head.onnx", "example_encoder.onnx", "text_encoder.onnx"])
def test_what_an_offer_needs_must_be_listed(published, name):
    edit(published, lambda document: document["files"].pop(name))
    with pytest.raises(BundleFileMissing, match=name):
        read_bundle(published)


@pytest.mark.parametrize(
    ("name", "offer", "value"),
    [("mask_head.onnx", "everything", None), ("example_encoder.onnx", "prompts", ["point"])],
)
def test_what_no_offer_needs_may_be_left_out(published, name, offer, value):
    edit(published, lambda document: document["files"].pop(name))
    change(published, offer, value=value)
    assert read_bundle(published).manifest.name == "queries"


@pytest.mark.parametrize("where", [("name",), ("vocabulary", "names"), ("provenance", "by")])
def test_half_a_character_is_refused_wherever_it_stands(published, where):
    change(published, *where, value=["a\ud800"] if where[-1] == "names" else "a\ud800")
    with pytest.raises(BundleInvalid, match="surrogates"):
        read_bundle(published)


def test_a_file_that_cannot_be_read_is_said_to_be(own, monkeypatch):
    def refuse(*_arguments):
        raise PermissionError("not yours")

    monkeypatch.setattr("pathlib.Path.read_bytes", refuse)
    with pytest.raises(BundleInvalid, match="not yours"):
        read_bundle(own)


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
HOSTILE = VALUES | st.lists(VALUES, max_size=3) | st.dictionaries(st.text(max_size=5), VALUES)


@given(path=st.sampled_from(list(paths(queries_manifest()))), value=HOSTILE)
def test_whatever_a_manifest_of_queries_holds_it_is_read_or_refused(tmp_path_factory, path, value):
    folder = tmp_path_factory.getbasetemp() / "hostile_queries"
    if not folder.exists():
        write_query_bundle(folder)
        (folder / "kept.txt").write_text((folder / "bundle.json").read_text())
    document = json.loads((folder / "kept.txt").read_text())
    (folder / "bundle.json").write_text(json.dumps(document))
    change(folder, *path, value=value)
    with suppress(BundleInvalid):
        read_bundle(folder)


# --- the vocabulary's file


@pytest.mark.parametrize(
    "header",
    [
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }",  # no end of line
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), __import__('os')}\n",
        b"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2, 3), }\n",
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (2, " + b"9" * 5000 + b"), }\n",
        b"(" * 5000 + b"\n",
        b"\xff\xfe\n",
        b"{\n",
    ],
)
def test_a_broken_header_is_refused_unread(own, header):
    data = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    (own / "vocabulary.npy").write_bytes(data + np.zeros((2, 3), np.float32).tobytes())

    relist(own, **manifest())
    with pytest.raises(BundleInvalid, match="float32 of shape"):
        read_bundle(own)


def test_a_vocabulary_that_is_cut_off_is_refused(own):
    path = own / "vocabulary.npy"
    path.write_bytes(path.read_bytes()[:-4])

    relist(own, **manifest())
    with pytest.raises(BundleInvalid, match="24 bytes"):
        read_bundle(own)
