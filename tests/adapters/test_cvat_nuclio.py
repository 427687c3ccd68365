"""An adapter that CVAT takes for nuclio, called with the requests of CVAT's server."""

from __future__ import annotations

import base64
import json
import signal
import socket
from contextlib import contextmanager

import numpy as np
import pytest
from nuclio_words import base64_of, nuclio, png
from served_process import Served, serving

from seem_client.adapters.cvat_shapes import mask_points, read_mask
from seem_server.app import local_server
from seem_server.settings import Settings

INTERACTOR, TRACKER, DETECTOR = "seem-interactor", "seem-tracker", "seem-detector"
SQUARE = np.zeros((64, 96), np.bool_)
SQUARE[10:30, 10:30] = True
SHAPES = {
    "mask": [float(one) for one in mask_points(SQUARE)],
    "polygon": [10.0, 10.0, 30.0, 10.0, 30.0, 30.0, 10.0, 30.0],
    "rectangle": [10.0, 10.0, 30.0, 30.0],
}


@pytest.fixture(scope="module")
def cvat():
    with local_server(Settings(bundle="fake")) as address, nuclio(address) as one:
        yield one


def clicks(step=0, pos=((20, 20),), neg=(), box=None):
    """An interactor's request: all that was clicked so far, and the frame."""
    points = {"pos_points": [list(one) for one in pos], "neg_points": [list(one) for one in neg]}
    return {"image": base64_of(step)} | points | {"obj_bbox": box}


def begin(*shapes, step=0):
    return {"image": base64_of(step), "shapes": list(shapes), "states": []}


def go_on(step, states):
    return {"image": base64_of(step), "shapes": [None] * len(states), "states": states}


def mask_of(answer):
    assert answer.status == 200, answer
    return np.array(answer.body["mask"])


# --- the list


def test_cvat_finds_what_it_reads_of_each_function(cvat):
    functions = cvat.functions()
    assert set(functions) == {INTERACTOR, TRACKER, DETECTOR}
    port = int(cvat.url.rsplit(":", 1)[1])
    for name, function in functions.items():
        assert function["metadata"]["name"] == name
        assert function["spec"]["description"]
        assert function["status"] == {"state": "ready", "httpPort": port}
        assert all(isinstance(one, str) for one in function["metadata"]["annotations"].values())
        assert cvat.call("GET", f"/api/functions/{name}").body == function


def test_the_interactor_takes_points_of_both_signs_and_an_optional_box(cvat):
    about = cvat.functions()[INTERACTOR]["metadata"]["annotations"]
    assert about["type"] == "interactor"
    assert int(about["version"]) >= 2
    assert (int(about["min_pos_points"]), int(about["min_neg_points"])) == (1, 0)
    assert about["startswith_box_optional"]
    assert not about.get("startswith_box")  # any text would count as true


def test_the_tracker_names_its_shapes_and_the_detector_its_labels(cvat):
    functions = cvat.functions()
    about = functions[TRACKER]["metadata"]["annotations"]
    assert about["supported_shape_types"].split(",") == list(SHAPES)
    labels = json.loads(functions[DETECTOR]["metadata"]["annotations"]["spec"])
    assert [one["name"] for one in labels] == ["thing", "named thing"]
    assert {one["type"] for one in labels} == {"mask"}


def test_a_port_and_a_vocabulary_of_ones_own_are_told():
    with (
        local_server(Settings(bundle="fake")) as address,
        nuclio(address, public_port=9, vocabulary=("named thing",)) as one,
    ):
        functions = one.functions()
        found = one.invoke(DETECTOR, {"image": base64_of()}).body
    assert functions[TRACKER]["status"]["httpPort"] == 9
    labels = json.loads(functions[DETECTOR]["metadata"]["annotations"]["spec"])
    assert [one["name"] for one in labels] == ["named thing"]
    assert {one["label"] for one in found} == {"named thing"}


# --- the interactor


def test_clicks_that_are_sent_again_and_again_refine_one_object(cvat):
    first = mask_of(cvat.invoke(INTERACTOR, clicks()))
    second = mask_of(cvat.invoke(INTERACTOR, clicks(pos=((20, 20), (60, 40)))))
    third = mask_of(cvat.invoke(INTERACTOR, clicks(pos=((20, 20), (60, 40)), neg=((20, 20),))))
    assert first.shape == (64, 96)
    assert set(np.unique(second)) == {0, 1}
    assert (first[20, 20], first[40, 60]) == (1, 0)
    assert (second[20, 20], second[40, 60]) == (1, 1)
    assert (third[20, 20], third[40, 60]) == (0, 1)


@pytest.mark.parametrize("box", [[[10, 10], [40, 30]], [10, 10, 40, 30], [[40, 30], [10, 10]]])
def test_a_box_comes_as_two_corners_or_as_four_numbers(cvat, box):
    mask = mask_of(cvat.invoke(INTERACTOR, clicks(pos=(), box=box)))
    assert mask[12:28, 12:38].all()
    assert not mask[40:].any()


@pytest.mark.parametrize("box", [None, []])
def test_no_box_is_nothing_or_an_empty_list(cvat, box):
    assert mask_of(cvat.invoke(INTERACTOR, clicks(box=box))).any()


def test_a_threshold_may_come_along(cvat):
    assert mask_of(cvat.invoke(INTERACTOR, clicks() | {"threshold": 0.5})).any()


# --- the tracker


@pytest.mark.parametrize("kind", SHAPES)
def test_a_shape_is_followed_and_stays_what_it_was(cvat, kind):
    answer = cvat.invoke(TRACKER, begin({"type": kind, "points": SHAPES[kind]}))
    (state,) = states = answer.body["states"]
    assert len(json.dumps(state)) < 100  # CVAT keeps it in the browser
    assert len(answer.body["shapes"]) == 1
    for step in (1, 2):
        answer = cvat.invoke(TRACKER, go_on(step, states))
        assert answer.status == 200
        assert answer.body["states"] == states
    (shape,) = answer.body["shapes"]
    assert shape["type"] == kind
    if kind == "mask":
        assert read_mask(shape["points"], (64, 96))[20, 20]
    else:
        assert 10 < min(shape["points"][::2]) < 30


def test_older_cvat_tracks_four_numbers(cvat):
    states = cvat.invoke(TRACKER, begin(SHAPES["rectangle"])).body["states"]
    (box,) = cvat.invoke(TRACKER, go_on(1, states)).body["shapes"]
    assert len(box) == 4
    assert box[0] > 10


def test_an_object_that_is_not_to_be_seen_has_no_shape(cvat):
    states = cvat.invoke(TRACKER, begin({"type": "mask", "points": SHAPES["mask"]})).body["states"]
    grey = base64.b64encode(png(np.full((64, 96, 3), 128, np.uint8))).decode()
    answer = cvat.invoke(TRACKER, {"image": grey, "shapes": [None], "states": states})
    assert answer.body == {"shapes": [None], "states": states}


# --- the detector


def test_what_is_found_has_its_name_its_mask_and_its_polygon(cvat):
    found = cvat.invoke(DETECTOR, {"image": base64_of()}).body
    assert {one["label"] for one in found} == {"thing", "named thing"}
    for one in found:
        left, top, right, bottom = one["mask"][-4:]
        flat = one["mask"][:-4]
        assert one["type"] == "mask"
        assert len(flat) == (right - left + 1) * (bottom - top + 1)
        assert set(flat) <= {0, 1}
        assert len(one["points"]) >= 6
        assert 0 <= float(one["confidence"]) <= 1


def test_a_threshold_leaves_out_what_is_less_sure(cvat):
    assert cvat.invoke(DETECTOR, {"image": base64_of(), "threshold": 1.0}).body == []


# --- without nuclio's dashboard: each function has a port, ours have one


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        (clicks(), "mask"),
        (begin({"type": "mask", "points": SHAPES["mask"]}), "states"),
    ],
)
def test_a_direct_call_is_known_by_what_it_says(cvat, fields, key):
    assert key in cvat.call("POST", "/", fields).body


def test_a_direct_call_with_an_image_alone_is_for_the_detector(cvat):
    assert {one["type"] for one in cvat.call("POST", "/", {"image": base64_of()}).body} == {"mask"}


# --- what goes wrong


NO_IMAGE = base64.b64encode(b"no image at all").decode()


@pytest.mark.parametrize(
    ("name", "fields", "status", "sentence"),
    [
        (INTERACTOR, clicks() | {"image": NO_IMAGE}, 400, "no image that can be read"),
        (INTERACTOR, clicks() | {"image": "?"}, 400, "not in base64"),
        (INTERACTOR, clicks() | {"image": None}, 400, "has no image"),
        (INTERACTOR, clicks(pos=()), 400, "neither a point nor a box"),
        (INTERACTOR, clicks(pos=(), neg=((5, 5),)), 400, "only negative prompts"),
        (INTERACTOR, clicks(pos=((5, 5, 5),)), 400, "two numbers"),
        (INTERACTOR, clicks(box=[[1, 2]]), 400, "two corners"),
        (INTERACTOR, clicks(pos=((500, 5),)), 400, "outside"),
        (TRACKER, begin(), 400, "no shape"),
        (TRACKER, begin({"type": "ellipse", "points": [1, 2, 3, 4]}), 400, "mask, polygon"),
        (TRACKER, begin({"type": "mask", "points": [1, 2, 3, 4, 5]}), 400, "do not fill its box"),
        (TRACKER, begin({"type": "mask", "points": [None] * 5}), 400, "numbers"),
        (TRACKER, go_on(1, ["unknown.1.mask"]), 410, "Begin to track the object again"),
        (TRACKER, go_on(1, [{"state": 1}]), 410, "Begin to track the object again"),
        (TRACKER, {"image": base64_of(), "shapes": 1, "states": []}, 400, "lists"),
        (DETECTOR, {"image": base64_of(), "threshold": "x"}, 400, "threshold"),
        ("something", {"image": base64_of()}, 400, "seem-interactor, seem-tracker"),
    ],
)
def test_a_person_reads_a_sentence(cvat, name, fields, status, sentence):
    answer = cvat.invoke(name, fields)
    assert (answer.status, sentence in answer.reason) == (status, True), answer
    assert answer.body["error"]["message"] in answer.reason
    assert "Traceback" not in json.dumps(answer.body)


@pytest.mark.parametrize("body", ["", "[]", "{", b"\xff\xfe"])
def test_a_body_that_is_no_object_is_refused(cvat, body):
    answer = cvat.call("POST", "/", body=body)
    assert (answer.status, "no JSON object" in answer.reason) == (400, True)


def test_a_function_that_is_not_there_cannot_be_looked_at(cvat):
    assert cvat.call("GET", "/api/functions/other").status == 400


@contextmanager
def never_there():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with nuclio(f"127.0.0.1:{taken.getsockname()[1]}") as one:
            yield one


def test_without_a_server_the_list_stands_and_calls_say_why_not():
    with never_there() as cvat:
        functions = cvat.functions()
        answer = cvat.invoke(INTERACTOR, clicks())
    assert {one["status"]["state"] for one in functions.values()} == {"unhealthy"}
    assert set(functions) == {INTERACTOR, TRACKER}
    assert answer.status == 503
    assert "cannot be reached" in answer.reason


def test_a_server_that_comes_later_is_used(tmp_path):
    server = Served(tmp_path, bundle="fake")
    with nuclio(server.address) as cvat:
        assert cvat.invoke(INTERACTOR, clicks()).status == 503
        server.start()
        try:
            answer = until_ok(lambda: cvat.invoke(INTERACTOR, clicks()))
            assert DETECTOR in cvat.functions()
        finally:
            server.kill()
    assert mask_of(answer).any()


def until_ok(ask):
    """The first answer that is none of a server which is not there."""
    for _ in range(5000):  # gRPC pauses between its attempts to connect
        answer = ask()
        if answer.status != 503:
            return answer
    return answer


def test_a_server_that_is_killed_and_comes_back_goes_on_with_everything(tmp_path):
    with serving(tmp_path, bundle="fake") as server, nuclio(server.address) as cvat:
        before = mask_of(cvat.invoke(INTERACTOR, clicks()))
        shape = {"type": "mask", "points": SHAPES["mask"]}
        states = cvat.invoke(TRACKER, begin(shape)).body["states"]
        cvat.invoke(TRACKER, go_on(1, states))
        server.kill(signal.SIGKILL)
        assert cvat.invoke(INTERACTOR, clicks(pos=((20, 20), (60, 40)))).status == 503
        assert cvat.invoke(TRACKER, go_on(2, states)).status == 503
        assert {one["status"]["state"] for one in cvat.functions().values()} == {"unhealthy"}
        server.start()
        two = until_ok(lambda: cvat.invoke(INTERACTOR, clicks(pos=((20, 20), (60, 40)))))
        frame_3 = until_ok(lambda: cvat.invoke(TRACKER, go_on(3, states)))
    assert (mask_of(two) >= before).all()
    assert frame_3.status == 200, frame_3
    assert min(frame_3.body["shapes"][0]["points"][-4:-3]) > 10
