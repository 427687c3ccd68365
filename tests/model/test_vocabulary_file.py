import numpy as np
import pytest

from seem_model.vocabulary_file import read_vocabulary
from seem_wire.errors import InvalidValue


def unit(*rows):
    array = np.array(rows, np.float64)
    return array / np.linalg.norm(array, axis=1, keepdims=True)


def test_coco_and_none_are_words_of_their_own():
    assert read_vocabulary("coco") is None
    assert read_vocabulary("none").names == ()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "cat\ncat\n",
        "background\n",
        "x" * 201,
        "c\0t",
        "\x1b[31mdog",
        "\n".join(map(str, range(10_001))),
    ],
)
def test_a_text_that_is_no_list_of_names_is_refused(tmp_path, content):
    (tmp_path / "names.txt").write_text(content, encoding="utf-8")
    with pytest.raises(InvalidValue):
        read_vocabulary(str(tmp_path / "names.txt"))


def test_names_stand_one_a_line(tmp_path):
    (tmp_path / "names.txt").write_text("cat\n\n  red car \n", encoding="utf-8")
    words = read_vocabulary(str(tmp_path / "names.txt"))
    assert words.names == ("cat", "red car")
    assert words.embeddings is None


def test_embeddings_come_with_their_names_and_the_background(tmp_path):
    file = tmp_path / "words.npz"
    rows = unit([1, 2], [3, -1], [0, 1])
    np.savez(file, names=np.array(["cat", "dog", "background"]), embeddings=rows)
    words = read_vocabulary(str(file))
    assert words.names == ("cat", "dog")
    np.testing.assert_allclose(words.embeddings, rows.astype(np.float32))
    assert words.embeddings.dtype == np.float32


@pytest.mark.parametrize(
    "arrays",
    [
        {"names": np.array(["cat", "background"])},
        {"names": np.array(["cat", "dog"]), "embeddings": unit([1, 2], [3, 4])},
        {"names": np.array(["cat", "background"]), "embeddings": np.ones((2, 2))},
        {"names": np.array(["cat", "background"]), "embeddings": np.full((2, 2), np.nan)},
        {"names": np.array(["cat", "background"]), "embeddings": unit([1, 2])},
        {"names": np.array([1, 2]), "embeddings": unit([1, 2], [3, 4])},
        {"names": np.array(["cat", {}], dtype=object), "embeddings": unit([1, 2], [3, 4])},
        {"names": np.array([" ", "background"]), "embeddings": unit([1, 2], [3, 4])},
        {"names": np.array(["a\nb", "background"]), "embeddings": unit([1, 2], [3, 4])},
    ],
)
def test_arrays_that_are_no_vocabulary_are_refused(tmp_path, arrays):
    np.savez(tmp_path / "words.npz", **arrays)
    with pytest.raises(InvalidValue):
        read_vocabulary(str(tmp_path / "words.npz"))


def test_what_is_no_archive_is_refused(tmp_path):
    (tmp_path / "words.npz").write_bytes(b"PK but no archive")
    with pytest.raises(InvalidValue):
        read_vocabulary(str(tmp_path / "words.npz"))
    with pytest.raises(InvalidValue):
        read_vocabulary(str(tmp_path / "missing.txt"))


def test_a_file_that_is_only_called_npz_is_refused(tmp_path):
    file = tmp_path / "words.npz"
    with file.open("wb") as stream:
        np.save(stream, np.eye(2))
    alone = file.read_bytes()
    for content in (b"", b"cat\n", alone):
        file.write_bytes(content)
        with pytest.raises(InvalidValue):
            read_vocabulary(str(file))
