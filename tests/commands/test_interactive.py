from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_dataset import SIZE, annotation, block, made_dataset
from stand_in import Said, StandIn

from seem_client.prediction import Prediction
from seem_server.commands.annotators import Task, Way
from seem_server.commands.interactive import MAX_CORRECTED, evaluate, play
from seem_server.commands.stills import read_stills
from seem_wire import rle, types
from seem_wire.types import Timings

WANTED = block(10, 10, 30, 50)
ALL = np.ones(SIZE, np.bool_)


class Annotated:
    """A session that answers each click by the next of some masks, and notes what was clicked."""

    def __init__(self, *masks, size=SIZE):
        self.size, self.clicks, self.n_clears = size, [], 0
        self._masks = list(masks)

    def click(self, x, y, *, positive):
        self.clicks.append((x, y, positive))
        mask = self._masks.pop(0) if len(self._masks) > 1 else self._masks[0]
        timings = Timings(total_ms=float(len(self.clicks)))
        cached = len(self.clicks) > 1
        return Prediction(
            1, rle.encode(mask), 0.5, None, None, None, int(mask.sum()), 1, timings, cached, "m"
        )

    def clear(self):
        self.n_clears += 1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


class Client:
    """Opens the session it was given."""

    def __init__(self, session):
        self.session, self.opened = session, []

    def open(self, path):
        self.opened.append(path.name)
        return self.session

    def model(self):
        return types.ModelCard("m@1", "m", "m", types.Capabilities(frozenset(), frozenset()))


def test_it_clicks_until_the_mask_is_right():
    half = block(10, 10, 30, 30)
    session = Annotated(half, WANTED)
    assert play(session, Task(WANTED, ALL, 1), 20).ious == (0.5, 1.0)
    assert session.clicks == [(19.5, 19.5, True), (39.5, 19.5, True)]


def test_what_was_marked_too_much_is_clicked_away():
    session = Annotated(WANTED | block(40, 60, 60, 90), WANTED)
    play(session, Task(WANTED, ALL, 1), 20)
    assert session.clicks[1][2] is False


def test_a_mask_that_is_good_enough_ends_the_course():
    nearly = block(10, 10, 30, 49)
    assert play(Annotated(nearly), Task(WANTED, ALL, 1), 20).ious == (39 / 40,)


def test_an_object_is_given_up_after_so_many_clicks():
    assert play(Annotated(block(10, 10, 11, 11)), Task(WANTED, ALL, 1), 5).ious == (1 / 800,) * 5


def test_only_clicks_on_the_cached_image_are_timed():
    assert play(Annotated(block(10, 10, 11, 11)), Task(WANTED, ALL, 1), 3).cached_click_ms == (
        2.0,
        3.0,
    )


def test_the_ignored_band_counts_neither_for_nor_against():
    session = Annotated(WANTED | block(40, 0, 64, 96))
    assert play(session, Task(WANTED, ~block(40, 0, 64, 96), 1), 20).ious == (1.0,)


def test_objects_of_an_image_share_a_session_and_start_anew(tmp_path):
    listed = [annotation(n, WANTED) for n in (1, 2)]
    client = Client(session := Annotated(WANTED))
    report = evaluate(client, read_stills(made_dataset(tmp_path, listed)))
    assert (client.opened, session.n_clears) == (["made-1.png"], 2)
    assert (report.images, report.overall.objects, report.model_id) == (1, 2, "m@1")


def test_a_target_wholly_in_the_ignored_band_is_left_out(tmp_path):
    listed = [annotation(1, WANTED), annotation(2, block(40, 40, 50, 50))]
    folder = made_dataset(tmp_path, listed, ignore=block(40, 40, 50, 50))
    done = []
    report = evaluate(Client(Annotated(WANTED)), read_stills(folder), done=lambda: done.append(1))
    assert (report.overall.objects, len(done)) == (1, 2)


def test_each_source_is_reported(tmp_path):
    listed = [annotation(n, WANTED, image=n) for n in (1, 2)]
    stills = read_stills(made_dataset(tmp_path, listed, sources=("a", "b")))
    report = evaluate(Client(Annotated(WANTED)), stills)
    assert {name: one.objects for name, one in report.sources.items()} == {"a": 1, "b": 1}
    assert report.overall.noc[90].mean == 1.0


def test_nothing_to_play_is_an_error():
    with pytest.raises(ValueError, match="no object"):
        evaluate(Client(Annotated(WANTED)), [])


def test_the_real_server_plays_along(tmp_path):
    from fake_server import fake_client

    still = read_stills(made_dataset(tmp_path, [annotation(1, WANTED)]))[0]
    with fake_client() as client:
        report = evaluate(client, [replace(still)], max_clicks=4)
    assert 0 < report.overall.iou[1].mean <= 1
    assert report.provider == "fake"


def test_every_way_is_played_in_the_session_of_its_image(tmp_path):
    listed = [annotation(n, WANTED) for n in (1, 2)]
    half = block(10, 10, 30, 30)
    server = StandIn(lambda *_: Said(half, 0.7))
    stills = read_stills(made_dataset(tmp_path, listed))
    report = evaluate(server, stills, ways=tuple(Way), max_clicks=7)
    assert server.opened == ["made-1.png"]
    lengths = {way: {len(one.ious) for one in played} for way, played in report.courses.items()}
    assert lengths == {way: {7 if way is Way.CLICKS else MAX_CORRECTED} for way in Way}
    assert report.courses[Way.BOX][0].scores == (0.7,) * MAX_CORRECTED
    assert [one.annotation_id for one in report.courses[Way.BOX]] == [1, 2]


def test_other_prompts_come_first_and_clicks_after():
    server = StandIn(lambda *_: Said(block(10, 10, 30, 30)))
    played = play(server, Task(WANTED, ALL, 1), 3, way=Way.LASSO)
    assert [kind for kind, *_ in server.said] == ["lasso", "click", "click"]
    assert len(played.gestures) == 3
    assert played.last.mask is not None


def test_a_box_that_is_enough_needs_no_click():
    server = StandIn(lambda *_: Said(WANTED))
    assert play(server, Task(WANTED, ALL, 1), 5, way=Way.BOX).ious == (1.0,)


def test_an_object_that_does_not_count_is_not_drawn_around():
    server = StandIn(lambda *_: Said(WANTED))
    played = play(server, Task(WANTED, ~WANTED, 1), 5, way=Way.SCRIBBLE)
    assert (played.ious, played.last, server.said, server.n_clears) == ((), None, [], 0)
