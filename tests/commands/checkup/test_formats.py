from __future__ import annotations

import sys

import numpy as np
import pytest

from seem_server.commands.checkup import formats
from seem_server.commands.checkup.finding import State
from seem_server.service.ingest import FORMATS, read_image
from seem_wire.types import Limits


def read(data):
    return read_image(data, Limits())


def test_every_format_that_is_taken_is_read():
    (found,) = formats.check_images(FORMATS, read)
    assert (found.state, found.told) == (State.OK, f"{', '.join(FORMATS)} are read")


def test_a_format_that_breaks_or_comes_out_wrong_is_a_fault():
    def broken(data):
        if data.startswith(b"GIF"):
            raise OSError("decoder gif not available")
        return read(data) if data.startswith(b"BM") else np.zeros((32, 32, 3), np.uint8)

    well, *ill = formats.check_images(("BMP", "GIF", "PNG"), broken)
    assert well.told == "BMP are read"
    assert [one.told for one in ill] == [
        "GIF is not read: decoder gif not available",
        "PNG is read, and its colours are wrong",
    ]
    assert all(one.blocks for one in ill)


def test_formats_that_are_not_taken_are_told_and_stop_nothing():
    found = formats.check_foreign_images(("JPEG", "AVIF"))
    assert (found.state, found.blocks) == (State.MISSING, False)
    assert "HEIC" in found.told
    assert "AVIF" not in found.told


def test_labels_are_drawn_or_their_fault_is_told():
    def without_freetype():
        raise ImportError("The _imagingft C module is not installed")

    assert formats.check_text().state is State.OK
    assert formats.check_text(lambda: np.zeros((4, 4), np.uint8)).state is State.FAULT
    broken = formats.check_text(without_freetype)
    assert (broken.state, broken.blocks) == (State.FAULT, False)
    assert "_imagingft" in broken.told


def test_a_video_is_written_and_read():
    pytest.importorskip("av")
    found = formats.check_video()
    assert found.state is State.OK
    assert "h264" in found.told


def test_without_what_reads_videos_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    found = formats.check_video()
    assert (found.state, found.blocks) == (State.MISSING, False)
    assert "'seem-server[video]'" in found.mend


def test_a_frame_of_another_colour_is_a_fault(monkeypatch):
    pytest.importorskip("av")
    monkeypatch.setattr(formats, "_is_right", lambda _: False)
    assert formats.check_video().state is State.FAULT
