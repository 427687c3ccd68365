"""A picture's session: steps, undo and redo, and sessions and servers that are lost."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest
from nuclio_words import picture
from served_process import serving

from seem_client.adapters.napari.marks import Kind, Mark
from seem_client.adapters.napari.pictures import Picture
from seem_client.adapters.napari.sitting import Reach, Sitting
from seem_server.app import local_server
from seem_server.settings import Settings
from seem_wire import errors, rle

CLICK = Mark(Kind.POINT, 1, ((20.0, 20.0),))
SECOND = Mark(Kind.POINT, 1, ((60.0, 40.0),))
AWAY = Mark(Kind.POINT, 1, ((20.0, 20.0),), positive=False)
BOX = Mark(Kind.BOX, 2, ((50.0, 10.0), (80.0, 30.0)))
SQUARE = np.zeros((64, 96), np.bool_)
SQUARE[10:30, 10:30] = True
STACK = np.stack([picture(step) for step in range(5)])


@pytest.fixture(scope="module")
def address():
    with local_server(Settings(bundle="fake")) as one:
        yield one


@pytest.fixture
def sitting(address):
    one = Sitting(Picture(picture(0), is_rgb=True), lambda: Reach(address))
    yield one
    one.close()


@pytest.fixture
def film(address):
    one = Sitting(Picture(STACK, is_rgb=True), lambda: Reach(address))
    yield one
    one.close()


def say(sitting, *marks):
    return [sitting.say(one, marks) for one in sitting.changed(marks)]


def mask(sitting, object_id=1, frame=0):
    return rle.decode(sitting.masks[frame, object_id])


def test_each_object_gets_a_mask_of_its_own(sitting):
    one, two = say(sitting, CLICK, BOX)
    assert mask(sitting)[20, 20]
    assert mask(sitting, 2)[12:28, 52:78].all()
    assert (one.object_id, two.object_id) == (1, 2)


@pytest.mark.parametrize(
    "mark",
    [
        CLICK,
        Mark(Kind.LINE, 1, ((15.0, 20.0), (30.0, 20.0))),
        Mark(Kind.REGION, 1, ((15.0, 15.0), (30.0, 15.0), (20.0, 30.0))),
        Mark(Kind.BOX, 1, ((15.0, 15.0), (30.0, 30.0))),
        Mark(Kind.MASK, 1, painted=rle.encode(SQUARE)),
        Mark(Kind.WORDS, 1, words="thing"),
    ],
    ids=lambda one: one.kind,
)
def test_everything_that_can_be_drawn_can_be_said(sitting, mark):
    say(sitting, mark)
    assert mask(sitting).any()


def test_only_what_is_new_is_said(sitting):
    say(sitting, CLICK, BOX)
    (found,) = say(sitting, CLICK, BOX, SECOND)
    assert (found.object_id, found.round) == (1, 2)
    assert mask(sitting)[[20, 40], [20, 60]].all()
    assert say(sitting, CLICK, BOX, SECOND) == []


def test_what_was_taken_away_does_not_count_any_more(sitting):
    say(sitting, CLICK, SECOND, BOX)
    say(sitting, SECOND)
    assert not mask(sitting)[20, 20]
    assert mask(sitting)[40, 60]
    assert (0, 2) not in sitting.masks


def test_undo_and_redo_go_by_what_was_done_and_not_by_commands(sitting):
    say(sitting, CLICK, SECOND)
    before = dict(sitting.masks)
    say(sitting, SECOND)
    after = dict(sitting.masks)
    sitting.undo()
    assert (set(sitting.said), sitting.masks) == ({CLICK, SECOND}, before)
    sitting.redo()
    assert (sitting.said, sitting.masks) == ((SECOND,), after)
    sitting.undo()
    (found,) = say(sitting, CLICK, SECOND, AWAY)
    assert found.round == 2
    assert not sitting.can_redo


def test_all_is_forgotten_and_comes_back(sitting):
    say(sitting, CLICK, BOX)
    before = sitting.masks
    sitting.clear()
    assert (sitting.said, sitting.masks) == ((), {})
    sitting.undo()
    assert sitting.masks == before


def test_there_is_nothing_to_undo_at_first(sitting):
    assert not (sitting.can_undo)
    assert not (sitting.can_redo)
    with pytest.raises(errors.NothingToUndo):
        sitting.undo()
    with pytest.raises(errors.NothingToRedo):
        sitting.redo()


def test_what_is_refused_changes_nothing(sitting):
    say(sitting, CLICK)
    masks = sitting.masks
    with pytest.raises(errors.PointOutsideImage):
        say(sitting, CLICK, Mark(Kind.POINT, 1, ((900.0, 20.0),)))
    with pytest.raises(errors.OnlyNegativePrompts):
        say(sitting, AWAY)  # the object was forgotten for it, and is back
    assert (sitting.said, sitting.masks) == ((CLICK,), masks)
    (found,) = say(sitting, CLICK, SECOND)
    assert found.round == 2


def test_everything_is_asked_of_images_and_of_frames(sitting, film):
    assert {one.label for one in sitting.everything(("cat",))} == {"cat"}
    assert film.everything((), 2)


def test_a_lost_session_is_told_everything_again_and_gives_the_same_masks(sitting):
    say(sitting, CLICK, BOX)
    say(sitting, CLICK, SECOND, BOX)
    before = sitting.masks
    sitting._session.leave()  # as one that expired: the next command finds it gone
    say(sitting, CLICK, SECOND, BOX, AWAY)
    sitting.undo()
    assert sitting.masks == before
    sitting.undo()
    assert not mask(sitting)[40, 60]


@pytest.mark.slow
def test_a_server_that_comes_back_goes_on_with_it(tmp_path):
    with serving(tmp_path, bundle="fake", flags=("--log-level", "error")) as server:
        sitting = Sitting(Picture(picture(0), is_rgb=True), lambda: Reach(server.address))
        say(sitting, CLICK)
        sitting._client._reconnect_s = sitting._session._reconnect_s = 0.1
        server.kill()
        with pytest.raises(errors.Disconnected):
            say(sitting, CLICK, SECOND)
        assert not sitting.has_session
        server.start()
        while not sitting.has_session:
            with suppress(errors.Disconnected):  # gRPC looks again within a second
                say(sitting, CLICK, SECOND)
        assert mask(sitting)[[20, 40], [20, 60]].all()
        sitting.close()


def test_another_server_is_told_everything(address):
    with local_server(Settings(bundle="fake")) as other:
        at = [Reach(address)]
        sitting = Sitting(Picture(picture(0), is_rgb=True), lambda: at[0])
        say(sitting, CLICK)
        at[0] = Reach(other)
        say(sitting, CLICK, SECOND)
        assert sitting._client._address == other
        assert mask(sitting)[20, 20]
        sitting.close()


def test_what_was_let_go_of_says_so(sitting):
    sitting.close()
    with pytest.raises(errors.UnknownSession, match="let go"):
        say(sitting, CLICK)


def test_a_token_is_read_from_its_file(address, tmp_path):
    file = tmp_path / "token"
    file.write_text("a-token\n")
    Reach(address, token_file=str(file)).connect().close()
    with pytest.raises(FileNotFoundError):
        Reach(address, token_file=str(tmp_path / "none")).connect()


def test_objects_are_followed_through_a_video(film):
    click = Mark(Kind.POINT, 1, ((20.0, 20.0),), frame=1)
    say(film, click)
    assert set(film.masks) == {(1, 1)}
    assert [one.index for one in film.follow(1)] == [1, 2, 3, 4]
    assert set(film.masks) == {(frame, 1) for frame in (1, 2, 3, 4)}
    film.undo()
    assert film.masks == {}


def test_marks_in_several_frames_are_one_step(film):
    say(
        film,
        Mark(Kind.POINT, 1, ((20.0, 20.0),), frame=0),
        Mark(Kind.POINT, 1, ((22.0, 20.0),), frame=2),
    )
    assert set(film.masks) == {(0, 1), (2, 1)}
    film.undo()
    assert (film.said, film.masks) == ((), {})


def test_an_image_has_nothing_to_follow_to(sitting):
    with pytest.raises(errors.NotOffered):
        next(sitting.follow(0))
