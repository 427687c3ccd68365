from __future__ import annotations

import contextlib
import os
import pickle
import zipfile
from collections import OrderedDict

import pytest
import torch

from seem_model.tensor_file import MAX_TENSORS, read_checkpoint
from seem_wire.errors import (
    CheckpointNotFlat,
    CheckpointNotFound,
    CheckpointUnreadable,
    CheckpointUnsafe,
    SeemError,
)


class Opener:
    """Pickled, it leaves a mark on whoever opens it."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return (os.mkdir, (str(self.mark),))


@pytest.fixture
def saved(tmp_path):
    def save(content, **options):
        path = tmp_path / "weights.pt"
        torch.save(content, path, **options)
        return path

    return save


@pytest.fixture
def table():
    torch.manual_seed(0)
    return {"a.weight": torch.randn(300, 7), "a.scale": torch.tensor(2.0)}


@pytest.mark.parametrize("zipped", [True, False])
def test_a_table_of_tensors_comes_back_as_it_was_saved(saved, table, zipped):
    path = saved(table, _use_new_zipfile_serialization=zipped)
    found = read_checkpoint(path)
    assert list(found) == list(table)
    assert all(torch.equal(found[name], table[name]) for name in table)


def test_an_ordered_dict_of_parameters_is_a_table_too(saved, table):
    parameters = OrderedDict((name, torch.nn.Parameter(value)) for name, value in table.items())
    found = read_checkpoint(saved(parameters))
    assert {type(value) for value in found.values()} == {torch.Tensor}
    assert not any(value.requires_grad for value in found.values())


@pytest.mark.parametrize("nest", ["model", "state_dict", "module"])
def test_one_well_known_nesting_is_opened(saved, table, nest):
    optimizer = {"state": {0: {"step": torch.ones(1)}}, "param_groups": []}
    found = read_checkpoint(saved({nest: table, "epoch": 3, "optimizer": optimizer}))
    assert list(found) == list(table)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(lambda t: {"model": t, "average": t}, id="two tables"),
        pytest.param(lambda t: {"model": t, "extra": t["a.scale"]}, id="table and tensor"),
        pytest.param(lambda t: {"weights": t}, id="a nesting nobody knows"),
        pytest.param(lambda t: {"model": {"model": t}}, id="nested twice"),
        pytest.param(lambda t: {**t, "epoch": 3}, id="tensors and a number"),
        pytest.param(lambda t: dict(enumerate(t.values())), id="numbers for names"),
        pytest.param(lambda t: list(t.values()), id="a list"),
        pytest.param(lambda t: t["a.weight"], id="one tensor"),
        pytest.param(lambda _: {}, id="nothing"),
        pytest.param(lambda _: {"a": torch.ones(2).to_sparse()}, id="sparse"),
        pytest.param(lambda _: {"a": torch.ones(2, device="meta")}, id="no data"),
        pytest.param(lambda _: {"a\n\x1b[31m": torch.ones(2)}, id="a name for terminals"),
        pytest.param(lambda _: {"a" * 301: torch.ones(2)}, id="an endless name"),
        pytest.param(
            lambda _: dict.fromkeys(map(str, range(MAX_TENSORS + 1)), torch.ones(())),
            id="too many",
        ),
    ],
)
def test_anything_but_one_table_of_ordinary_tensors_is_refused(saved, table, content):
    with pytest.raises(CheckpointNotFlat):
        read_checkpoint(saved(content(table)))


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("protocol", [2, 4])
def test_code_in_a_pickle_is_named_and_never_run(saved, table, tmp_path, zipped, protocol):
    mark = tmp_path / "opened"
    options = {"_use_new_zipfile_serialization": zipped, "pickle_protocol": protocol}
    path = saved({**table, "b": Opener(mark)}, **options)
    with pytest.raises(CheckpointUnsafe, match=r"mkdir"):
        read_checkpoint(path)
    assert not mark.exists()


def test_a_bare_pickle_with_code_is_named_too(tmp_path):
    path = tmp_path / "weights.pkl"
    path.write_bytes(pickle.dumps({"b": Opener(tmp_path / "opened")}))
    with pytest.raises(CheckpointUnsafe, match=r"mkdir"):
        read_checkpoint(path)
    assert not (tmp_path / "opened").exists()


def test_a_whole_pickled_model_is_code(saved):
    with pytest.raises(CheckpointUnsafe, match=r"torch\.nn\.modules\.linear\.Linear"):
        read_checkpoint(saved(torch.nn.Linear(2, 2)))


def test_a_file_that_is_not_there_is_told_so(tmp_path):
    with pytest.raises(CheckpointNotFound, match=r"There is no file .*nope\.pt"):
        read_checkpoint(tmp_path / "nope.pt")


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(CheckpointUnreadable, match="is not a file"):
        read_checkpoint(tmp_path)


@pytest.mark.parametrize("content", [b"", b"hello", b"PK", b"PK\x05\x06" + bytes(18), b"\x80\x02."])
def test_what_is_no_checkpoint_is_told_so(tmp_path, content):
    path = tmp_path / "weights.pt"
    path.write_bytes(content)
    with pytest.raises(CheckpointUnreadable, match=r"weights\.pt") as refused:
        read_checkpoint(path)
    assert "weights_only" not in str(refused.value)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_told_so(saved, table, zipped, share):
    path = saved(table, _use_new_zipfile_serialization=zipped)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(CheckpointUnreadable):
        read_checkpoint(path)


def test_a_changed_byte_of_a_tensor_is_noticed(saved, table):
    path = saved(table)
    content = bytearray(path.read_bytes())
    place = content.index(table["a.weight"].numpy().tobytes()[:16])
    content[place + 100] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointUnreadable, match="damaged"):
        read_checkpoint(path)


def rewritten(path, change=lambda _, content: content, **options):
    """The archive with each entry's content changed, checksums and all."""
    with zipfile.ZipFile(path) as archive:
        entries = [(info.filename, archive.read(info)) for info in archive.infolist()]
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, content in entries:
            archive.writestr(name, change(name, content))
    return path


def test_a_compressed_archive_is_refused_before_it_can_grow(saved, table):
    path = rewritten(saved(table), compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(CheckpointUnreadable, match="compressed"):
        read_checkpoint(path)


def test_an_archive_of_something_else_is_told_so(tmp_path):
    path = tmp_path / "weights.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("letter.txt", "Dear reader")
    with pytest.raises(CheckpointUnreadable, match="not one of PyTorch's"):
        read_checkpoint(path)


def test_a_program_is_no_checkpoint(tmp_path):
    path = tmp_path / "weights.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("weights/data.pkl", b"")
        archive.writestr("weights/constants.pkl", b"")
    with pytest.raises(CheckpointUnreadable, match="TorchScript program"):
        read_checkpoint(path)


def test_a_tensor_that_claims_more_than_the_file_has_is_refused(saved, table):
    def shorten(name, content):
        return content[:64] if "/data/" in name else content

    with pytest.raises(CheckpointUnreadable):
        read_checkpoint(rewritten(saved(table), shorten))


def test_whatever_happens_to_the_names_a_typed_error_or_a_table_comes_out(saved, table):
    pristine = saved(table).read_bytes()
    path = saved(table)
    with zipfile.ZipFile(path) as archive:
        names = next(info for info in archive.infolist() if info.filename.endswith("data.pkl"))
    generator = torch.Generator().manual_seed(1)
    for _ in range(150):
        place = int(torch.randint(names.file_size, (), generator=generator))
        value = int(torch.randint(256, (), generator=generator))

        def spoil(name, content, place=place, value=value):
            if name.endswith("data.pkl"):
                content = bytearray(content)
                content[place] = value
            return bytes(content)

        path.write_bytes(pristine)
        with contextlib.suppress(SeemError):
            assert read_checkpoint(rewritten(path, spoil))


@pytest.mark.parametrize(
    ("content", "told"), [(b"", "is empty"), (b"hello world\n", "no pickle of tensors")]
)
def test_what_is_no_pickle_is_told_in_words(tmp_path, content, told):
    (tmp_path / "weights.pt").write_bytes(content)
    with pytest.raises(CheckpointUnreadable, match=told):
        read_checkpoint(tmp_path / "weights.pt")
