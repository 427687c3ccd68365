"""What each method says, whoever carries it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scripted_server import MODEL, SIZE

from seem_client._core import SessionCore
from seem_client._methods import ClientMethods, PromptMethods
from seem_wire import errors
from seem_wire.prompts import Box, Lasso, Point, Scribble
from seem_wire.types import Capabilities, Question, SegmentKind


class Said(PromptMethods):
    """Gives back what would be sent."""

    def __init__(self, model=MODEL):
        self._core = SessionCore(model)
        self.hypotheses, self.frames = [], []

    def _ask(self, object_id, prompt, example=None, *, frame=None, hypotheses=False):
        self.hypotheses.append(hypotheses)
        self.frames.append(frame)
        return object_id, prompt, example

    def _submit(self, object_id, prompt, example=None, *, frame=None, hypotheses=False):
        self.hypotheses.append(hypotheses)
        self.frames.append(frame)
        return "submitted", object_id, prompt, example

    def _question(self, question):
        return question


class Asked(ClientMethods):
    """Gives back what would be asked."""

    def __init__(self, model=MODEL):
        self._model = model

    def _open(self, image):
        return image

    def _attach(self, session_id):
        return session_id

    def _track(self, source, session_id):
        return source, session_id

    def _segment(self, image, object_id, prompt, example):
        return image, object_id, prompt, example

    def _question(self, image, question):
        return image, question


MASK = np.ones(SIZE, np.bool_)
CORNERS = ((1.0, 2.0), (3.0, 4.0), (1.0, 4.0))


@pytest.mark.parametrize(
    ("say", "field", "value"),
    [
        (lambda s: s.click(1, 2), "points", (Point(1.0, 2.0),)),
        (lambda s: s.click(1, 2, positive=False), "points", (Point(1.0, 2.0, positive=False),)),
        (lambda s: s.box(1, 2, 3, 4), "box", Box(1.0, 2.0, 3.0, 4.0)),
        (lambda s: s.scribble([(1, 2)]), "scribbles", (Scribble(((1.0, 2.0),)),)),
        (
            lambda s: s.scribble([(1, 2)], positive=False),
            "scribbles",
            (Scribble(((1, 2),), False),),
        ),
        (lambda s: s.box(1, 2, 3, 4, positive=False), "negative_boxes", (Box(1, 2, 3, 4),)),
        (lambda s: s.lasso(CORNERS), "lassos", (Lasso(CORNERS),)),
        (lambda s: s.lasso(CORNERS, positive=False), "lassos", (Lasso(CORNERS, False),)),
        (lambda s: s.text("zebra"), "text", "zebra"),
    ],
)
def test_a_method_says_one_thing_about_object_1(say, field, value):
    object_id, prompt, _ = say(Said())
    assert object_id == 1
    assert getattr(prompt, field) == value


def test_a_mask_is_said_as_it_is():
    _, prompt, _ = Said().mask(MASK)
    assert np.array_equal(prompt.mask.mask, MASK)


def test_several_things_are_said_at_once():
    object_id, prompt, _ = Said().prompt(object_id=2, points=[(1, 2, True)], text="zebra")
    assert (object_id, prompt.points, prompt.text) == (2, (Point(1.0, 2.0),), "zebra")


@pytest.mark.parametrize(
    "say",
    [
        lambda **said: Said().prompt(**said)[1],
        lambda **said: Said().submit_prompt(**said)[2],
        lambda **said: Asked().segment("photo.jpg", **said)[2],
    ],
)
def test_regions_go_along_with_the_rest(say):
    prompt = say(points=[(1, 2)], negative_boxes=[(1, 2, 3, 4)], lassos=[CORNERS])
    assert prompt.points == (Point(1, 2),)
    assert prompt.negative_boxes == (Box(1, 2, 3, 4),)
    assert prompt.lassos == (Lasso(CORNERS),)


def test_nobody_gets_hypotheses_without_asking():
    said = Said()
    for asks in (False, True):
        said.click(1, 2, hypotheses=asks)
        said.submit_click(1, 2, hypotheses=asks)
        said.prompt(text="zebra", hypotheses=asks)
        said.submit_prompt(text="zebra", hypotheses=asks)
    said.text("zebra")
    assert said.hypotheses == [False] * 4 + [True] * 4 + [False]


@pytest.mark.parametrize(
    "submit",
    [lambda s: s.submit_click(1, 2, object_id=2), lambda s: s.submit_prompt(object_id=2, text="x")],
)
def test_what_is_submitted_is_not_waited_for(submit):
    assert submit(Said())[:2] == ("submitted", 2)


@pytest.mark.parametrize(
    "show",
    [
        lambda s: s.example("other.jpg", MASK),
        lambda s: s.prompt(example=("other.jpg", MASK)),
        lambda s: s.submit_prompt(example=("other.jpg", MASK)),
    ],
)
def test_an_example_goes_along_unread(show):
    example = show(Said())[-1]
    assert example.image == "other.jpg"
    assert np.array_equal(example.mask.mask, MASK)


@pytest.mark.parametrize(
    "ask", [Said().everything, lambda *a, **k: Asked().everything("", *a, **k)]
)
def test_a_question_is_asked_as_it_is_and_by_default_with_the_models_own_names(ask):
    plain, fancy = ask(), ask(["cat", "dog"], kind="instance", threshold=0.5)
    questions = [one[-1] if isinstance(one, tuple) else one for one in (plain, fancy)]
    assert questions == [Question(), Question(SegmentKind.INSTANCE, ("cat", "dog"), 0.5)]


POOR = replace(MODEL, capabilities=Capabilities(frozenset(), frozenset()))


@pytest.mark.parametrize(
    "missing",
    [
        lambda: Said(POOR).example("missing.jpg", MASK),
        lambda: Said(POOR).prompt(points=[(1, 2)], example=("missing.jpg", MASK)),
        lambda: Asked(POOR).segment("missing.jpg", example=("missing.jpg", MASK)),
        lambda: Asked(POOR).everything("missing.jpg"),
    ],
)
def test_what_a_server_does_not_offer_is_refused_before_any_file_is_read(missing):
    with pytest.raises(errors.NotOffered):
        missing()


def test_a_video_is_opened_where_videos_are_offered_and_before_that_no_file_is():
    source, session_id = Asked().track([MASK], session_id="session-1")
    assert (source.n_frames, session_id) == (1, "session-1")
    with pytest.raises(errors.NotOffered, match="does not offer 'propagate'"):
        Asked(POOR).track("missing.mp4")


@pytest.mark.parametrize(
    "say",
    [
        lambda s: s.click(1, 2, frame=7),
        lambda s: s.box(1, 2, 3, 4, frame=7),
        lambda s: s.box(1, 2, 3, 4, positive=False, frame=7),
        lambda s: s.lasso(CORNERS, frame=7),
        lambda s: s.scribble([(1, 2)], frame=7),
        lambda s: s.mask(MASK, frame=7),
        lambda s: s.text("zebra", frame=7),
        lambda s: s.example("other.jpg", MASK, frame=7),
        lambda s: s.prompt(box=(1, 2, 3, 4), frame=7),
        lambda s: s.submit_click(1, 2, frame=7),
        lambda s: s.submit_prompt(box=(1, 2, 3, 4), frame=7),
    ],
)
def test_every_prompt_may_be_about_a_frame(say):
    said = Said()
    say(said)
    assert said.frames == [7]


def test_a_session_is_attached_to_where_that_is_offered():
    assert Asked().attach("session-1") == "session-1"
    with pytest.raises(errors.NotOffered, match="does not offer 'attach'"):
        Asked(POOR).attach("session-1")


def test_a_session_shows_what_its_core_knows():
    said = Said()
    assert (said.id, said.size, said.predictions) == ("", (0, 0), {})


def test_one_image_and_one_object_need_no_session():
    image, object_id, prompt, example = Asked().segment(
        "photo.jpg", box=(1, 2, 3, 4), object_id=3, example=("other.jpg", MASK)
    )
    assert (image, object_id, prompt.box) == ("photo.jpg", 3, Box(1.0, 2.0, 3.0, 4.0))
    assert example.image == "other.jpg"


def test_opening_takes_anything_that_is_an_image():
    assert Asked().open("photo.jpg") == "photo.jpg"
