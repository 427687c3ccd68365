import numpy as np
import pytest
from made_goldens import thinned

from seem_model.evaluate.parity.golden import Figures, Golden, GoldenUnusable


@pytest.fixture
def golden(tmp_path):
    whole = np.arange(24.0).reshape(4, 6)
    path = tmp_path / "focal" / "point.npz"
    path.parent.mkdir()
    bits = np.packbits(np.eye(3, 11, dtype=bool), axis=-1)
    np.savez(path, **thinned("map", whole, (2, 3)), whole=whole, mask_bits=bits, words=["a", "b"])
    return Golden(path)


def test_a_file_is_named_by_folder_and_case(golden):
    assert golden.label == "focal/point"


def test_the_parts_of_a_thinned_array_are_one_array(golden):
    assert golden.names == ("map", "whole", "mask_bits", "words")
    assert "map" in golden
    assert "map__sample" not in golden


def test_a_thinned_array_knows_which_elements_of_the_whole_it_has(golden):
    recorded = golden.recorded("map")
    assert recorded.shape == (4, 6)
    np.testing.assert_array_equal(recorded.thin(golden["whole"]), recorded.values)
    assert recorded.figures == Figures.of(golden["whole"])


def test_a_whole_array_is_all_of_itself(golden):
    recorded = golden.recorded("whole")
    assert recorded.strides == (1, 1)
    assert recorded.figures.largest == 23.0


def test_words_have_no_figures(golden):
    assert golden.recorded("words").figures == Figures(0.0, 0.0, 0.0, 0.0)


def test_bits_are_cut_to_the_true_width(golden):
    np.testing.assert_array_equal(golden.bits("mask_bits", 11), np.eye(3, 11, dtype=bool))


def test_an_empty_array_has_figures_of_zero():
    assert Figures.of(np.zeros((0, 3))).norm == 0.0


def test_a_file_with_objects_in_it_is_refused(tmp_path):
    path = tmp_path / "bad.npz"
    np.savez(path, thing=np.array([{"code": 1}], dtype=object))
    with pytest.raises(GoldenUnusable, match="allow_pickle"):
        Golden(path)


def test_what_is_no_such_file_is_refused(tmp_path):
    path = tmp_path / "bad.npz"
    for content in (b"", b"PK\x03\x04 and then nothing", b"words"):
        path.write_bytes(content)
        with pytest.raises(GoldenUnusable, match="can't be read"):
            Golden(path)


def test_an_array_that_is_not_there_is_named(golden):
    for ask in (golden.recorded, golden.__getitem__, lambda name: golden.bits(name, 3)):
        with pytest.raises(GoldenUnusable, match="nowhere"):
            ask("nowhere")
