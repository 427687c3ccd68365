from __future__ import annotations

import json
import sys
from contextlib import nullcontext

import numpy as np
import pytest
from fake_video import SIZE, FakeTracker, FakeVideo, made_frames, picture, square
from made_videos import made_video, noise
from PIL import Image

from seem_client.frames import open_frames
from seem_server.cli import main
from seem_server.commands import track
from seem_server.commands.indexed_png import IndexedFrame, read_frame, stack, write_frame
from seem_wire.errors import Disconnected, PointOutsideImage

CLICK = ("--point", "3,6")


@pytest.fixture(autouse=True)
def client(monkeypatch):
    client = FakeTracker()
    monkeypatch.setattr(track, "reach", lambda _: nullcontext(client))
    return client


@pytest.fixture
def frames(tmp_path):
    return str(made_frames(tmp_path / "frames", 6))


@pytest.fixture
def masks(tmp_path):
    indices = stack({1: square(2, 1), 2: square(2, 2)}, SIZE)
    write_frame(tmp_path / "first.png", IndexedFrame(indices))
    return str(tmp_path / "first.png")


def run_json(capsys, *words):
    assert main(["track", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_click_is_followed_to_the_end(frames, tmp_path, capsys):
    told = run_json(capsys, frames, *CLICK, "--out", str(tmp_path / "out"))
    assert (told["n_frames"], told["n_before"], told["objects"]) == (6, 0, [1])
    assert told["image"] == {"width": 48, "height": 32}
    assert told["frames"][3] == {
        "frame": 3, "name": "00003", "presence": {"1": 0.75}, "areas": {"1": 100},
    }  # fmt: skip
    assert told["timings_ms"]["frame"]["count"] == 6
    assert told["timings_ms"]["frame"]["p50"] > 0
    assert told["model"] == "fake"
    for number in range(6):
        found = read_frame(tmp_path / "out" / f"{number:05}.png")
        assert np.array_equal(found.indices == 1, square(number, 1))


def test_masks_are_followed_both_ways_with_their_ids(client, frames, masks, tmp_path, capsys):
    words = ("--masks", masks, "--frame", "2", "--direction", "both")
    told = run_json(capsys, frames, *words, "--out", str(tmp_path / "out"))
    assert (told["prompted_frame"], told["n_frames"], told["objects"]) == (2, 6, [1, 2])
    assert ("propagate", 0, 2, "backward") in client.calls


@pytest.mark.parametrize(("direction", "first", "count"), [("forward", 2, 4), ("backward", 0, 3)])
def test_a_direction_goes_one_way(frames, tmp_path, capsys, direction, first, count):
    words = ("--point", "5,6", "--frame", "2", "--direction", direction)
    told = run_json(capsys, frames, *words, "--out", str(tmp_path / "out"))
    assert [one["frame"] for one in told["frames"]] == list(range(first, first + count))


def test_a_person_is_told_in_short(frames, tmp_path, capsys):
    assert main(["track", frames, *CLICK, "--out", str(tmp_path / "out")]) == 0
    shown = capsys.readouterr()
    lines = shown.out.splitlines()
    assert lines[0].startswith("6 frames, ")
    assert lines[1:] == ["object 1: seen in 6 of 6 frames", str(tmp_path / "out")]
    assert shown.err == ""  # no terminal: no bar


def test_the_same_again_computes_nothing(client, frames, tmp_path, capsys):
    words = (frames, *CLICK, "--out", str(tmp_path / "out"))
    first = run_json(capsys, *words)
    client.calls.clear()
    again = run_json(capsys, *words)
    assert not client.calls
    assert again == {**first, "n_before": 6}


def test_coco_and_overlay_are_the_same_after_an_interruption(client, frames, tmp_path, capsys):
    def words(name):
        out = tmp_path / name
        others = ("--coco", f"{out}.json", "--overlay", f"{out}.mp4")
        return ["track", frames, *CLICK, "--out", str(out), *others]

    assert main(words("whole")) == 0
    client.breaks_at, client.error = 3, Disconnected("Gone.")
    assert main(words("broken")) == 1
    assert not (tmp_path / "broken.json").exists()
    assert "Gone." in capsys.readouterr().err
    assert main(words("broken")) == 0
    assert "6 frames (3 of them before)" in capsys.readouterr().out
    whole = json.loads((tmp_path / "whole.json").read_text())
    assert json.loads((tmp_path / "broken.json").read_text()) == whole
    assert whole["annotations"][0]["areas"] == [100] * 6
    assert (tmp_path / "broken.mp4").read_bytes() == (tmp_path / "whole.mp4").read_bytes()


def test_an_interruption_by_the_user_keeps_what_is_done(client, frames, tmp_path, capsys):
    client.breaks_at, client.error = 3, KeyboardInterrupt()
    assert main(["track", frames, *CLICK, "--out", str(tmp_path / "out")]) == 1
    assert len(list((tmp_path / "out").glob("*.png"))) == 3
    assert "the same command goes on" in capsys.readouterr().err


def test_a_video_file_is_followed_and_drawn_with_its_times(tmp_path, capsys):
    times_ms = [0, 100, 150, 400]
    path = made_video(tmp_path / "a.mp4", 4, draw=picture, times_ms=times_ms)
    overlay = tmp_path / "over.mp4"
    words = (str(path), *CLICK, "--out", str(tmp_path / "out"), "--overlay", str(overlay))
    told = run_json(capsys, *words)
    assert [one["name"] for one in told["frames"]] == ["00000", "00001", "00002", "00003"]
    with open_frames(overlay) as shown:
        assert len(list(shown)) == 4
        assert [round(shown.time_s(n) * 1000) for n in range(4)] == times_ms


def test_a_damaged_video_is_followed_up_to_the_damage(tmp_path, capsys):
    def draw(number):
        pixels = noise(number, SIZE)
        pixels[square(number, 1)] = (220, 40, 40)
        return pixels

    path = made_video(tmp_path / "a.mkv", 60, draw=draw)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    words = ["track", str(path), *CLICK, "--out", str(tmp_path / "out")]
    assert main([*words, "--coco", str(tmp_path / "a.json")]) == 1
    n_done = len(list((tmp_path / "out").glob("*.png")))
    assert 15 < n_done < 45
    assert f"from frame {n_done} on" in capsys.readouterr().err
    (video,) = json.loads((tmp_path / "a.json").read_text())["videos"]
    assert video["length"] == n_done


def test_another_request_in_the_same_folder_is_refused(frames, tmp_path, capsys):
    out = ("--out", str(tmp_path / "out"))
    assert main(["track", frames, *CLICK, *out]) == 0
    assert main(["track", frames, "--point", "4,6", *out]) == 1
    assert "another request: objects differs. Name another folder" in capsys.readouterr().err


def test_after_a_prompt_that_was_refused_the_corrected_one_is_followed(
    frames, tmp_path, monkeypatch
):
    def refuse(*_, **__):
        raise PointOutsideImage("The point (500, 6) is outside.")

    out = ("--out", str(tmp_path / "out"))
    with monkeypatch.context() as refusing:
        refusing.setattr(FakeVideo, "prompt", refuse)
        assert main(["track", frames, "--point", "500,6", *out]) == 1
    assert main(["track", frames, *CLICK, *out]) == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "Nothing says"),
        (("--negative", "1,1"), "only where the object is not"),
        (("--masks", "{masks}", *CLICK), "takes no other prompts"),
        ((*CLICK, "--frame", "6"), "There is no frame 6: 6 lie"),
        ((*CLICK, "--frame", "-1"), "no number of a frame"),
        ((*CLICK, "--overlay", "a.txt"), "--overlay ends in"),
        ((*CLICK, "--direction", "sideways"), "invalid choice"),
        ((*CLICK, "--everything"), "unrecognized"),
        ((*CLICK, "--out", "{frames}"), "--out would write over the video"),
        ((*CLICK, "--overlay", "{frames}/../a.txt"), "--overlay ends in"),
    ],
)
def test_arguments_that_mean_nothing_end_with_exit_code_2(
    client, frames, masks, tmp_path, capsys, words, says
):
    filled = [word.format(masks=masks, frames=frames) for word in words]
    assert main(["track", frames, "--out", str(tmp_path / "out"), *filled]) == 2
    assert says in capsys.readouterr().err
    assert not client.calls


@pytest.mark.parametrize("option", ["--overlay", "--coco"])
def test_the_video_itself_is_never_written_over(tmp_path, capsys, option):
    path = made_video(tmp_path / "a.mp4", 3, draw=picture)
    before = path.read_bytes()
    words = ["track", str(path), *CLICK, "--out", str(tmp_path / "out"), option, str(path)]
    assert main(words) == 2
    assert f"{option} would write over the video" in capsys.readouterr().err
    assert path.read_bytes() == before


@pytest.mark.parametrize(("name", "what"), [("frames", "frames are"), ("out", "masks are")])
def test_without_pyav_no_overlay_lies_among_frames_or_masks(
    client, frames, tmp_path, capsys, monkeypatch, name, what
):
    monkeypatch.setitem(sys.modules, "av", None)
    overlay = str(tmp_path / "frames" / ".." / f"{name}.mp4")
    words = ["track", frames, *CLICK, "--out", str(tmp_path / "out"), "--overlay", overlay]
    assert main(words) == 2
    told = capsys.readouterr().err
    assert what in told
    assert "name another file" in told
    assert not client.calls
    assert not (tmp_path / "out").exists()
    assert all(path.suffix == ".png" for path in (tmp_path / "frames").iterdir())


def test_without_pyav_it_is_told_where_the_overlay_is(frames, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    words = ["track", frames, *CLICK, "--out", str(tmp_path / "out")]
    assert main([*words, "--overlay", str(tmp_path / "over.mp4")]) == 0
    shown = capsys.readouterr()
    assert shown.out.splitlines()[-1] == str(tmp_path / "over")
    assert f"the overlay is images in {tmp_path / 'over'}" in shown.err
    assert len(list((tmp_path / "over").glob("*.jpg"))) == 6


def test_an_overlay_without_an_ending_is_a_folder_of_images(frames, tmp_path, capsys):
    words = ["track", frames, *CLICK, "--out", str(tmp_path / "out")]
    assert main([*words, "--overlay", str(tmp_path / "over")]) == 0
    assert len(list((tmp_path / "over").glob("*.jpg"))) == 6
    assert "PyAV" not in capsys.readouterr().err
    assert main([*words, "--overlay", frames]) == 2
    assert main([*words, "--overlay", str(tmp_path / "out")]) == 2


def test_with_pyav_a_video_may_be_called_as_the_folder(frames, tmp_path):
    words = ["track", frames, *CLICK, "--out", str(tmp_path / "out"), "--overlay", f"{frames}.mp4"]
    assert main(words) == 0
    assert (tmp_path / "frames.mp4").is_file()


@pytest.mark.parametrize("option", ["--out", "--coco", "--overlay"])
def test_a_place_that_cannot_be_written_is_told_before_anything_runs(
    client, frames, tmp_path, capsys, option
):
    (tmp_path / "file").write_text("in the way")
    words = ["track", frames, *CLICK, "--out", str(tmp_path / "out")]
    assert main([*words, option, str(tmp_path / "file" / "a.mp4")]) == 1
    assert str(tmp_path / "file") in capsys.readouterr().err
    assert not client.calls


@pytest.mark.parametrize(
    ("source", "says"),
    [("missing.mp4", "missing.mp4"), ("empty", "no image file"), ("text.mp4", "is no video")],
)
def test_what_is_no_video_ends_with_exit_code_1(tmp_path, capsys, source, says):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.mp4").write_text("no video")
    words = ["track", str(tmp_path / source), *CLICK, "--out", str(tmp_path / "out")]
    assert main(words) == 1
    assert says in capsys.readouterr().err


def test_a_file_of_masks_that_marks_nothing_is_told(frames, tmp_path, capsys):
    Image.new("L", (48, 32)).save(tmp_path / "none.png")
    words = ["track", frames, "--masks", str(tmp_path / "none.png"), "--out", str(tmp_path / "o")]
    assert main(words) == 1
    assert "marks no object" in capsys.readouterr().err
