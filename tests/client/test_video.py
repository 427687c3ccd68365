"""Videos that are waited for: over a scripted server, and with the whole server."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from io import BytesIO
from itertools import islice

import numpy as np
import pytest
from fake_server import fake_client
from made_videos import made_video
from PIL import Image
from scripted_server import HANG_UP, MODEL, SIZE, masks, obey, scripted_server

import seem_client
from seem_client._following import AHEAD
from seem_client.frames import FrameSource
from seem_wire import errors, types

FRAMES = [np.full((64, 96, 3), 10 * n, np.uint8) for n in range(8)]
TINY = [np.full((*SIZE, 3), 10 * n, np.uint8) for n in range(12)]


@pytest.fixture(scope="module")
def client():
    with fake_client() as connected:
        yield connected


class Script:
    """A good server that tells what was `said` to it; `answers` has what it says to some kinds."""

    def __init__(self, **answers):
        self._answers, self.said = answers, []

    def __call__(self, command):
        self.said.append(command)
        return self._answers.get(type(command).__name__, obey)(command)

    def all(self, kind):
        return [one for one in self.said if isinstance(one, kind)]

    def frames(self):
        return [one.index for one in self.all(types.Frame)]


@contextmanager
def tracked(frames, script, **options):
    with (
        scripted_server(script) as address,
        seem_client.connect(address, timeout_s=20) as client,
        client.track(frames, **options) as video,
    ):
        yield video


def indices(frames):
    return [one.index for one in frames]


def image_file(size=SIZE, kind="PNG"):
    buffer = BytesIO()
    Image.new("RGB", size[::-1], (9, 9, 9)).save(buffer, kind)
    return buffer.getvalue()


class Counted:
    """Images one by one, of which `n_read` were taken."""

    def __init__(self, images):
        self._images, self.n_read = images, 0

    def __iter__(self):
        for image in self._images:
            self.n_read += 1
            yield image


class Held(FrameSource):
    """A source that tells whether it was let go of."""

    n_frames = 2
    is_closed = False

    def frame(self, index):
        return TINY[index] if index < 2 else None

    def close(self):
        self.is_closed = True


# --- with the whole server


def test_an_object_is_said_on_a_frame_and_followed_to_the_end(client):
    with client.track(FRAMES) as video:
        clicked = video.click(40, 30, frame=0)
        followed = list(video.propagate())
        assert (video.n_frames, video.size) == (8, (64, 96))
    assert indices(followed) == list(range(8))
    assert followed[0].predictions[1].rle == clicked.rle
    assert all(one.predictions[1].round == 0 for one in followed[1:])


@pytest.mark.parametrize(
    ("direction", "order"),
    [
        ("forward", [1, 2, 3, 4, 5, 6]),
        ("backward", [6, 5, 4, 3, 2, 1]),
        ("both", [3, 4, 5, 6, 2, 1]),
    ],
)
def test_every_frame_comes_once_and_the_prompted_one_keeps_its_mask(client, direction, order):
    with client.track(FRAMES) as video:
        clicked = video.click(40, 30, frame=3)
        followed = list(video.propagate(1, 6, direction=direction))
    assert indices(followed) == order
    assert {one.index: one for one in followed}[3].predictions[1].rle == clicked.rle


def test_backward_without_a_last_frame_begins_with_the_videos(client):
    with client.track(FRAMES) as video:
        video.click(40, 30, frame=0)
        assert indices(video.propagate(5, direction="backward")) == [7, 6, 5]
    with client.track(iter(FRAMES)) as live:
        live.click(40, 30, frame=0)
        assert indices(live.propagate(5, direction="backward")) == [7, 6, 5]
        assert live.n_frames == 8


def test_a_corrected_frame_keeps_its_mask_and_objects_do_not_disturb_each_other(client):
    with client.track(FRAMES) as video:
        first = video.click(40, 30, frame=0)
        other = video.box(10, 10, 30, 30, frame=2, object_id=7)
        followed = {one.index: one.predictions for one in video.propagate()}
    assert followed[0][1].rle == first.rle
    assert followed[2][7].rle == other.rle
    assert set(followed[2]) == {1, 7}


def test_what_there_is_not_is_refused_and_costs_nothing(client):
    with client.track(FRAMES) as video:
        with pytest.raises(errors.UnknownFrame, match="no frame 8"):
            video.click(40, 30, frame=8)
        with pytest.raises(errors.NothingToFollow):
            list(video.propagate())
        with pytest.raises(errors.CallerError):
            video.click(40, 30)
        video.click(40, 30, frame=0)
        with pytest.raises(errors.UnknownFrame):
            list(video.propagate(8))
        with pytest.raises(errors.UnknownFrame):
            list(video.propagate(0, 8, direction="backward"))
        assert indices(video.propagate(6, 20)) == [6, 7]


def test_whoever_breaks_off_stops_the_server_and_can_go_on(client):
    with client.track(FRAMES) as video:
        video.click(40, 30, frame=0)
        assert indices(islice(video.propagate(), 2)) == [0, 1]
        assert indices(video.propagate(2)) == [2, 3, 4, 5, 6, 7]


def test_a_frame_of_another_size_is_refused_after_those_before_and_can_be_sent_again(client):
    frames = [image_file() for _ in range(6)]
    frames[3] = image_file((8, 8))
    with client.track(frames) as video:
        video.click(1, 1, frame=0)
        came = video.propagate()
        assert [next(came).index for _ in range(3)] == [0, 1, 2]
        with pytest.raises(errors.FrameSizeChanged):
            next(came)
        frames[3] = image_file()
        assert indices(video.propagate(3)) == [3, 4, 5]


def test_so_is_a_file_that_is_no_image(client):
    frames = [image_file(), b"no image", image_file()]
    with client.track(frames) as video:
        video.click(1, 1, frame=0)
        with pytest.raises(errors.ImageUnreadable):
            video.click(1, 1, frame=2)
        frames[1] = image_file()
        assert video.click(1, 1, frame=2).area > 0


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"no image", errors.ImageUnreadable),
        (b"", errors.ImageEmpty),
        (None, FileNotFoundError),
    ],
)
def test_a_file_that_is_no_frame_is_told_with_its_number(client, tmp_path, content, error):
    for number in range(3):
        (tmp_path / f"shot{number + 7}.png").write_bytes(image_file())
    with client.track(tmp_path) as video:
        lost = tmp_path / "shot8.png"
        lost.unlink() if content is None else lost.write_bytes(content)
        video.click(1, 1, frame=0)
        with pytest.raises(error, match=r"Frame 1\b.*shot8\.png"):
            list(video.propagate())


def test_a_prompt_without_a_frame_is_told_what_says_it(client):
    with client.track(TINY[:2]) as video, pytest.raises(errors.InvalidValue, match="frame="):
        video.click(1, 1)


def test_frames_that_the_client_knows_to_be_of_another_size_are_not_sent(client):
    with client.track([TINY[0], FRAMES[0], TINY[1]]) as video:
        video.click(1, 1, frame=0)
        came = video.propagate()
        assert next(came).index == 0
        with pytest.raises(errors.FrameSizeChanged):
            next(came)


def test_a_session_is_resumed_and_its_frames_are_not_sent_again(client):
    with client.track(FRAMES) as video:
        clicked = video.click(40, 30, frame=2)
        video.leave()
    asked = []

    class Asked(list):
        def __getitem__(self, index):
            asked.append(index)
            return super().__getitem__(index)

    with client.track(Asked(FRAMES), session_id=video.id) as again:
        followed = list(again.propagate(2))
    assert followed[0].predictions[1].rle == clicked.rle
    assert indices(followed) == [2, 3, 4, 5, 6, 7]
    assert asked == [3, 4, 5, 6, 7]


def test_attaching_to_a_video_gives_one_that_follows_through_the_frames_that_were_sent(client):
    with client.track(FRAMES) as video:
        clicked = video.click(40, 30, frame=4)
        video.leave()
    with client.attach(video.id) as again:
        assert isinstance(again, seem_client.Video)
        assert again.n_frames == 5
        followed = list(again.propagate(direction="backward"))
        assert indices(followed) == [4, 3, 2, 1, 0]
        assert followed[0].predictions[1].rle == clicked.rle
        again.click(9, 9, frame=1, object_id=2)
        assert indices(again.propagate(3)) == [3, 4]
        with pytest.raises(
            errors.UnknownFrame, match=r"was sent 5.*client\.track\(frames, session"
        ):
            again.click(1, 1, frame=5)


def test_a_video_file_is_followed_and_let_go_of(client, tmp_path):
    path = made_video(tmp_path / "clip.mp4")
    with client.track(path) as video:
        video.click(5, 5, frame=0)
        assert indices(video.propagate(0, 3)) == [0, 1, 2, 3]


def test_two_threads_may_prompt_and_follow_at_once(client):
    with client.track(FRAMES) as video:
        video.click(40, 30, frame=0)
        found = []
        threads = [
            threading.Thread(target=lambda: found.append(indices(video.propagate(0, 7)))),
            threading.Thread(target=lambda: found.append(video.click(9, 9, frame=6, object_id=2))),
        ]
        for one in threads:
            one.start()
        for one in threads:
            one.join(30)
        assert len(found) == 2


# --- over a scripted server


def test_frames_are_sent_in_their_order_and_once():
    script = Script()
    with tracked(TINY, script) as video:
        video.click(1, 1, frame=2)
        list(video.propagate(0, 5))
        list(video.propagate(0, 5, direction="backward"))
    assert script.frames() == [0, 1, 2, 3, 4, 5]
    assert len(script.all(types.Propagate)) == 12


def test_frames_are_asked_for_ahead_but_not_far():
    script = Script()
    with tracked(TINY, script) as video:
        video.click(1, 1, frame=0)
        came = video.propagate()
        next(came)
        video.undo()  # which is answered after all that was said before
        assert len(script.all(types.Propagate)) == AHEAD
        next(came)
        video.undo()
        assert len(script.all(types.Propagate)) == AHEAD + 1


def test_what_comes_live_is_read_one_frame_at_a_time():
    images = Counted(TINY)
    with tracked(images, Script()) as video:
        assert images.n_read == 0
        video.click(1, 1, frame=0)
        assert images.n_read == 1
        for tracked_frame in video.propagate():
            assert images.n_read == tracked_frame.index + 1
    assert images.n_read == len(TINY)


def test_breaking_off_sends_stop_where_something_is_left_to_stop():
    script = Script()
    with tracked(TINY, script) as video:
        video.click(1, 1, frame=0)
        for _ in video.propagate():
            break
        assert len(script.all(types.Stop)) == 1
        list(video.propagate(0, 2))
        assert len(script.all(types.Stop)) == 1


def test_a_frame_that_cannot_be_followed_to_stops_the_others():
    def refuse_third(command):
        if command.frame == 2:
            return types.Failed.of(command.seq, errors.Internal("Broken."))
        return obey(command)

    script = Script(Propagate=refuse_third)
    with tracked(TINY, script) as video:
        video.click(1, 1, frame=0)
        came = video.propagate()
        assert [next(came).index, next(came).index] == [0, 1]
        with pytest.raises(errors.Internal):
            next(came)
    assert len(script.all(types.Stop)) == 1


def test_many_frames_before_a_prompted_one_wait_for_the_server():
    silent = Script(Frame=lambda command: obey(command) if command.index < 1 else None)
    with (
        scripted_server(silent) as address,
        seem_client.connect(address, timeout_s=0.5) as client,
        client.track(TINY) as video,
    ):
        with pytest.raises(errors.DeadlineExceeded):
            video.click(1, 1, frame=11)
        assert len(silent.frames()) == 1 + AHEAD + 1


def test_a_frame_whose_answer_is_late_is_not_sent_again():
    held = []

    def late(command):
        if isinstance(command, types.Frame) and command.index == 1:
            held.append(obey(command))
            return None
        return [*held, obey(command)] if held and isinstance(command, types.Undo) else obey(command)

    script = Script(Frame=late, Undo=late)
    with (
        scripted_server(script) as address,
        seem_client.connect(address, timeout_s=0.5) as client,
        client.track(TINY) as video,
    ):
        with pytest.raises(errors.DeadlineExceeded):
            video.click(1, 1, frame=1)
        video.undo()
        assert video.click(1, 1, frame=1).area == 2
    assert script.frames() == [0, 1]


def goes_on(command, last_seq, *more):
    card = types.SessionCard(
        "session-1", MODEL.model_id, "a" * 64, SIZE, last_seq=last_seq, n_frames=3
    )
    return [types.Attached(command.seq, card, MODEL), *more]


def test_following_goes_on_where_the_connection_was_lost_and_sends_what_was_not_heard():
    lost = []

    def once(command):
        if command.frame == 3 and not lost:
            lost.append(command.seq)
            return HANG_UP
        return obey(command)

    script = Script(Propagate=once, Attach=lambda command: goes_on(command, lost[0] - 1))
    with tracked(TINY, script) as video:
        video.click(1, 1, frame=0)
        assert indices(video.propagate()) == list(range(12))
    (attach,) = script.all(types.Attach)
    assert lost[0] in attach.waiting
    assert sorted(set(script.frames())) == list(range(12))


def test_a_video_that_is_gone_with_its_connection_says_so():
    gone = Script(
        Propagate=lambda _: HANG_UP,
        Attach=lambda command: types.Failed.of(command.seq, errors.UnknownSession("Gone.")),
    )
    with tracked(TINY, gone) as video:
        video.click(1, 1, frame=0)
        with pytest.raises(errors.UnknownSession):
            list(video.propagate())


def test_a_resumed_video_begins_with_the_first_frame_that_the_server_lacks():
    script = Script(Attach=lambda command: goes_on(command, 9))
    with tracked(TINY, script, session_id="session-1") as video:
        video.click(1, 1, frame=4)
    assert script.frames() == [3, 4]


@pytest.mark.parametrize("leave", ["close", "leave"])
def test_files_are_let_go_of_in_the_end(leave):
    source = Held()
    with tracked(source, Script()) as video:
        list(video.propagate())
        assert not source.is_closed
        getattr(video, leave)()
        assert source.is_closed


def test_files_are_let_go_of_where_the_video_is_refused():
    source = Held()
    full = Script(OpenVideo=lambda one: types.Failed.of(one.seq, errors.Overloaded("Full.")))
    with pytest.raises(errors.Overloaded), tracked(source, full):
        pass
    assert source.is_closed


def test_masks_of_frames_do_not_stand_as_the_newest_prompts_do():
    def two(command):
        return masks(command.seq, 1, 2)

    with tracked(TINY, Script(Propagate=two)) as video:
        video.click(1, 1, frame=0)
        assert set(next(video.propagate()).predictions) == {1, 2}
        assert set(video.predictions) == {1}


def test_a_followed_frame_is_drawn_on_its_own_picture(client):
    with client.track(FRAMES) as video:
        said = video.click(40, 30, frame=2)
        followed = list(video.propagate(2, 4))
    assert np.array_equal(said.overlay(), said.overlay(FRAMES[2]))
    assert [one.index for one in followed] == [2, 3, 4]
    for one in followed:
        assert np.array_equal(one.overlay(), one.overlay(FRAMES[one.index]))
        html = one._repr_html_()
        assert f"frame {one.index}" in html
        assert "<img" in html


def test_a_video_files_frames_are_drawn_until_it_is_closed(client, tmp_path):
    with client.track(made_video(tmp_path / "a.mp4", 5)) as video:
        video.click(40, 30, frame=0)
        (frame, *_) = video.propagate(3, 4)
        assert frame.overlay().shape == (*video.size, 3)
    with pytest.raises(errors.InvalidValue, match="give the image"):
        frame.overlay()
    assert "<img" in frame._repr_html_()
