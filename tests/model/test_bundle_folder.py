from __future__ import annotations

import errno
import hashlib
import json
import shutil
from types import SimpleNamespace

import pytest

from seem_model import bundle_folder
from seem_model.bundle_folder import new_bundle, remake_bundle
from seem_wire.errors import DiskFull, OutputTaken


@pytest.fixture
def out(tmp_path):
    return tmp_path / "models" / "mine"


def write(out, text="new", *, n_bytes=0, force=False):
    with new_bundle(out, n_bytes=n_bytes, force=force) as part:
        (part / "bundle.json").write_text(text)


def left(out):
    """All names beside the bundle's and below it."""
    return sorted(str(path.relative_to(out.parent)) for path in out.parent.rglob("*"))


def test_the_folder_appears_whole(out):
    with new_bundle(out, n_bytes=0, force=False) as part:
        (part / "bundle.json").write_text("{}")
        assert not out.exists()
        assert part.parent == out.parent
    assert left(out) == ["mine", "mine/bundle.json"]


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt, SystemExit, MemoryError])
def test_nothing_is_left_however_the_work_ends(out, failure):
    def break_off():
        with new_bundle(out, n_bytes=0, force=False) as part:
            (part / "bundle.json").write_text("{}")
            raise failure

    with pytest.raises(failure):
        break_off()
    assert left(out) == []


def test_a_bundle_is_replaced_only_if_that_was_said(out):
    write(out, "old")
    (out / "more.onnx").touch()
    with pytest.raises(OutputTaken, match="holds a bundle already"):
        write(out)
    write(out, force=True)
    assert left(out) == ["mine", "mine/bundle.json"]
    assert (out / "bundle.json").read_text() == "new"


def test_an_old_bundle_stays_when_the_new_one_fails(out):
    write(out, "old")

    def break_off():
        with new_bundle(out, n_bytes=0, force=True):
            raise ArithmeticError

    with pytest.raises(ArithmeticError):
        break_off()
    assert (out / "bundle.json").read_text() == "old"


def test_an_old_bundle_comes_back_when_the_new_one_cannot_take_its_place(out):
    write(out, "old")

    def lose_the_new_one():
        with new_bundle(out, n_bytes=0, force=True) as part:
            shutil.rmtree(part)

    with pytest.raises(FileNotFoundError):
        lose_the_new_one()
    assert (out / "bundle.json").read_text() == "old"
    assert left(out) == ["mine", "mine/bundle.json"]


@pytest.mark.parametrize("force", [False, True])
def test_nothing_but_a_bundle_is_ever_replaced(out, force):
    out.mkdir(parents=True)
    (out / "thesis.tex").write_text("three years")
    with pytest.raises(OutputTaken, match="something that is not a bundle"):
        write(out, force=force)
    assert left(out) == ["mine", "mine/thesis.tex"]


@pytest.mark.parametrize("force", [False, True])
def test_a_file_is_no_folder(out, force):
    out.parent.mkdir()
    out.write_text("three years")
    with pytest.raises(OutputTaken, match="not a folder"):
        write(out, force=force)
    assert out.read_text() == "three years"


def test_an_empty_folder_is_as_good_as_none(out):
    out.mkdir(parents=True)
    write(out)
    assert left(out) == ["mine", "mine/bundle.json"]


def test_what_came_while_the_work_was_done_is_not_overwritten(out):
    def work():
        with new_bundle(out, n_bytes=0, force=False) as part:
            (part / "bundle.json").write_text("mine")
            out.mkdir()
            (out / "bundle.json").write_text("the other's")

    with pytest.raises(OutputTaken):
        work()
    assert (out / "bundle.json").read_text() == "the other's"
    assert left(out) == ["mine", "mine/bundle.json"]


def test_a_link_is_followed_and_stays(out, tmp_path):
    (tmp_path / "disk").mkdir()
    out.parent.mkdir()
    out.symlink_to(tmp_path / "disk" / "bundle")
    write(out)
    assert out.is_symlink()
    assert (tmp_path / "disk" / "bundle" / "bundle.json").read_text() == "new"


def test_too_small_a_disk_is_told_before_the_work(out):
    with pytest.raises(DiskFull, match=r"free; this takes 1000000\.00 GB"):
        write(out, n_bytes=10**15)
    assert left(out) == []


@pytest.mark.parametrize("wrap", [False, True])
def test_a_disk_that_fills_up_is_told_as_that(out, wrap):
    def fill():
        full = OSError(errno.ENOSPC, "No space left on device")
        with new_bundle(out, n_bytes=0, force=False) as part:
            (part / "half.onnx").write_bytes(bytes(1000))
            if wrap:
                raise RuntimeError("the exporter broke") from full
            raise full

    with pytest.raises(DiskFull, match="is full; nothing of the bundle was kept"):
        fill()
    assert left(out) == []


def test_whatever_breaks_on_a_full_disk_is_the_disks_fault(out, monkeypatch):
    def fill():
        with new_bundle(out, n_bytes=0, force=False):
            nothing = SimpleNamespace(free=0)
            monkeypatch.setattr(bundle_folder.shutil, "disk_usage", lambda _: nothing)
            raise RuntimeError("protobuf could not write")

    with pytest.raises(DiskFull):
        fill()


def made(folder):
    """A bundle of one file, whose manifest doesn't know its hash."""
    folder.mkdir(parents=True)
    (folder / "a.bin").write_bytes(b"old")
    told = {"name": "a", "files": {"a.bin": {"sha256": "", "bytes": 3}}}
    (folder / "bundle.json").write_text(json.dumps(told))
    return folder


def test_a_remade_bundle_has_what_was_changed_with_its_hash(out, tmp_path):
    def change(part, manifest):
        assert (part / "a.bin").read_bytes() == b"old"
        (part / "a.bin").write_bytes(b"newer")
        manifest["name"] = "b"

    remake_bundle(made(tmp_path / "old"), out, change, force=False)
    digest = hashlib.sha256(b"newer").hexdigest()
    told = json.loads((out / "bundle.json").read_text())
    assert told == {"name": "b", "files": {"a.bin": {"sha256": digest, "bytes": 5}}}
    assert (tmp_path / "old" / "a.bin").read_bytes() == b"old"


def test_a_change_that_fails_leaves_nothing(out, tmp_path):
    def change(_part, _manifest):
        raise RuntimeError

    with pytest.raises(RuntimeError):
        remake_bundle(made(tmp_path / "old"), out, change, force=False)
    assert left(out) == []
