from __future__ import annotations

import json
from contextlib import suppress

import numpy as np
import pytest
from bundles import edit, entry, manifest, relist, write_bundle
from hypothesis import given
from hypothesis import strategies as st

from seem_server.runtime.bundle import find_bundle, read_bundle, shipped_bundles
from seem_wire.errors import (
    BundleFileMissing,
    BundleHashMismatch,
    BundleInvalid,
    BundleNotFound,
    BundleVersionUnknown,
)
from seem_wire.types import Licence, PromptKind


@pytest.fixture
def folder(tmp_path):
    return write_bundle(tmp_path / "made")


def set_to(*path, value):
    """An edit that puts `value` at `path`."""

    def change(document):
        for key in path[:-1]:
            document = document[key]
        document[path[-1]] = value

    return change


def paths(document, *above):
    """The path of each value in a document."""
    for key, value in document.items():
        yield (*above, key)
        if isinstance(value, dict) and key != "provenance":
            yield from paths(value, *above, key)


# --- what is right


def test_a_manifest_says_what_the_json_says(folder):
    made = read_bundle(folder).manifest
    assert (made.name, made.variant, made.version) == ("made", "tiny", "0.1.0")
    assert (made.image.long_side, made.image.mean) == (128, (127.5, 127.5, 127.5))
    assert made.prompts == {PromptKind.POINT, PromptKind.TEXT}
    assert (made.text.max_tokens, made.text.width) == (8, 6)
    assert made.features == ("scale_32", "scale_16")
    assert made.licences == (Licence("everything", "Apache-2.0", ""),)
    assert made.provenance["made"] == {"by": ["hand"]}
    assert {file.name for file in made.files} == {path.name for path in folder.iterdir()} - {
        "bundle.json"
    }


def test_the_vocabulary_has_a_row_for_each_name(folder):
    vocabulary = read_bundle(folder).manifest.vocabulary
    assert vocabulary.names == ("cat", "dog")
    assert vocabulary.embeddings.shape == (2, 3)


def test_a_bundle_may_know_no_names(tmp_path):
    made = read_bundle(write_bundle(tmp_path / "made", names=()))
    assert made.manifest.vocabulary.embeddings.shape == (0, 3)


def test_a_bundle_without_texts_needs_no_text_encoder(tmp_path):
    folder = write_bundle(tmp_path / "made")
    (folder / "text_encoder.onnx").unlink()
    (folder / "tokenizer.json").unlink()
    relist(folder, **(manifest() | {"prompts": ["point"]}))
    assert read_bundle(folder).manifest.prompts == {PromptKind.POINT}


def test_a_bundle_tells_where_its_files_lie(folder):
    bundle = read_bundle(str(folder))
    assert bundle.path("image_encoder.onnx").read_bytes() == b"image_encoder.onnx"


# --- its name


def test_equal_bundles_have_equal_ids_wherever_they_lie(tmp_path):
    one, other = (read_bundle(write_bundle(tmp_path / name)) for name in "ab")
    assert one.manifest.model_id == other.manifest.model_id
    assert one.manifest.model_id.startswith("made@")


@pytest.mark.parametrize(
    "changes",
    [{"mask_threshold": 0.5}, {"names": ("cat", "cow")}, {"features": ["scale_16", "scale_32"]}],
)
def test_whatever_can_change_a_mask_changes_the_id(folder, tmp_path, changes):
    other = write_bundle(tmp_path / "other", **changes)
    assert read_bundle(folder).manifest.model_id != read_bundle(other).manifest.model_id


def test_a_changed_file_changes_the_id(folder):
    before = read_bundle(folder).manifest.model_id
    (folder / "image_encoder.onnx").write_bytes(b"another network")
    relist(folder, **manifest())
    assert read_bundle(folder).manifest.model_id != before


def test_what_is_for_people_does_not_change_the_id(folder):
    before = read_bundle(folder).manifest.model_id
    edit(folder, set_to("provenance", value={"another": "story"}))
    assert read_bundle(folder).manifest.model_id == before


# --- where it is


def test_the_shipped_bundles_are_found_by_name():
    assert "tiny" in shipped_bundles()
    assert find_bundle("tiny") == shipped_bundles()["tiny"]


def test_a_folder_is_found_by_its_path(folder):
    assert find_bundle(folder) == folder


@pytest.mark.parametrize("name", ["nowhere", "", "../..", "/", "\0"])
def test_any_other_name_is_not_found_and_the_message_tells_which_are(name):
    with pytest.raises(BundleNotFound, match="tiny"):
        find_bundle(name)


# --- what is wrong


@pytest.mark.parametrize(
    ("value", "match"),
    [(1, "format 1; this server reads 2. Export or convert it again"), (3, "newer server")],
)
def test_an_unknown_format_is_refused_by_its_number(folder, value, match):
    edit(folder, set_to("format", value=value))
    with pytest.raises(BundleVersionUnknown, match=match):
        read_bundle(folder)


def test_the_format_is_looked_at_before_anything_else(folder):
    (folder / "bundle.json").write_text('{"format": 7, "all": "different"}')
    with pytest.raises(BundleVersionUnknown):
        read_bundle(folder)


def test_a_missing_file_is_named(folder):
    (folder / "prompt_decoder.onnx").unlink()
    with pytest.raises(BundleFileMissing, match=r"prompt_decoder\.onnx"):
        read_bundle(folder)


def test_a_file_that_should_be_listed_is_named(folder):
    edit(folder, lambda document: document["files"].pop("tokenizer.json"))
    with pytest.raises(BundleFileMissing, match=r"tokenizer\.json"):
        read_bundle(folder)


def test_a_longer_file_is_refused_with_both_lengths(folder):
    (folder / "tokenizer.json").write_bytes(b"too long for its entry")
    with pytest.raises(BundleHashMismatch, match="22 bytes; 14 are listed"):
        read_bundle(folder)


def test_a_changed_file_of_equal_length_is_refused_with_both_hashes(folder):
    (folder / "tokenizer.json").write_bytes(b"tokenizer.jsoN")
    listed = entry(folder / "image_encoder.onnx")["sha256"]
    edit(folder, set_to("files", "tokenizer.json", "sha256", value=listed))
    with pytest.raises(BundleHashMismatch, match=listed):
        read_bundle(folder)


@pytest.mark.parametrize(
    "name", ["../secret", "/etc/passwd", "a/b", "..", ".hidden", "", "a\0b", "a\\b", "x" * 200]
)
def test_only_plain_file_names_are_looked_at(folder, name):
    edit(folder, set_to("files", name, value={"sha256": "0" * 64, "bytes": 1}))
    with pytest.raises(BundleInvalid, match="no plain file name"):
        read_bundle(folder)


def test_a_folder_in_a_files_place_is_a_missing_file(folder):
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer.json").mkdir()
    with pytest.raises(BundleFileMissing):
        read_bundle(folder)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("prompts",), []),
        (("prompts",), ["point", "telepathy"]),
        (("image", "std"), [1, 0, 1]),
        (("image", "resize", "side_multiple"), 3),
        (("image", "divisor"), 30),
        (("features",), ["a", "a"]),
        (("vocabulary", "names"), ["cat", "cat"]),
        (("vocabulary", "names"), ["cat"]),
        (("joint_width",), 4),
        (("files", "tokenizer.json", "sha256"), "no hash"),
        (("files", "tokenizer.json", "bytes"), -1),
    ],
)
def test_impossible_values_are_refused(folder, path, value):
    edit(folder, set_to(*path, value=value))
    with pytest.raises(BundleInvalid):
        read_bundle(folder)


@pytest.mark.parametrize("path", list(paths(manifest())), ids="-".join)
def test_every_part_of_the_manifest_must_be_there(folder, path):
    def remove(document):
        for key in path[:-1]:
            document = document[key]
        del document[path[-1]]

    edit(folder, remove)
    with pytest.raises(BundleInvalid):
        read_bundle(folder)


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
HOSTILE = VALUES | st.lists(VALUES, max_size=3) | st.dictionaries(st.text(max_size=5), VALUES)


@given(path=st.sampled_from(list(paths(manifest()))), value=HOSTILE)
def test_whatever_the_manifest_holds_it_is_read_or_refused(tmp_path_factory, path, value):
    folder = write_bundle(tmp_path_factory.getbasetemp() / "hostile")
    edit(folder, set_to(*path, value=value))
    with suppress(BundleInvalid):
        read_bundle(folder)


def test_an_endless_manifest_is_not_read(folder):
    (folder / "bundle.json").write_bytes(b" " * 9 * 1024**2)
    with pytest.raises(BundleInvalid, match="bytes"):
        read_bundle(folder)


# --- the vocabulary


def put_vocabulary(folder, write):
    with (folder / "vocabulary.npy").open("wb") as file:
        write(file)
    document = json.loads((folder / "bundle.json").read_text())
    relist(folder, **document)


@pytest.mark.parametrize(
    "array",
    [
        np.ones((3, 3), np.float32),
        np.ones((2, 3), np.float64),
        np.ones((2, 3), np.float32, order="F"),
        np.full((2, 3), np.nan, np.float32),
        np.ones(6, np.float32),
    ],
)
def test_a_vocabulary_of_another_kind_is_refused(folder, array):
    put_vocabulary(folder, lambda file: np.save(file, array))
    with pytest.raises(BundleInvalid, match="vocabulary"):
        read_bundle(folder)


def test_a_vocabulary_with_pickled_objects_is_refused_unopened(folder):
    array = np.array([[print] * 3] * 2, object)
    put_vocabulary(folder, lambda file: np.save(file, array, allow_pickle=True))
    with pytest.raises(BundleInvalid, match="vocabulary"):
        read_bundle(folder)


def test_a_header_that_claims_terabytes_allocates_nothing(folder):
    header = {"descr": "<f4", "fortran_order": False, "shape": (1 << 40, 3)}
    put_vocabulary(folder, lambda file: np.lib.format.write_array_header_1_0(file, header))
    with pytest.raises(BundleInvalid, match="vocabulary"):
        read_bundle(folder)


@pytest.mark.parametrize("data", [b"", b"not numpy at all", b"\x93NUMPY\x01\x00\xff\xff{"])
def test_a_vocabulary_that_is_no_array_is_refused(folder, data):
    put_vocabulary(folder, lambda file: file.write(data))
    with pytest.raises(BundleInvalid, match="vocabulary"):
        read_bundle(folder)
