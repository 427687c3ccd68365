"""CVAT's own agent runs our functions, before a stand-in of CVAT's server.

Needs `cvat-cli`, which has an environment of its own: `make test-tools`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import numpy as np
import pytest
from nuclio_words import picture, png
from served_process import Served
from stand_in_cvat import stand_in

from seem_client.adapters.cvat_shapes import mask_points
from seem_server.app import local_server
from seem_server.settings import Settings
from seem_wire import errors

pytest.importorskip("cvat_cli", reason="CVAT's agent is not installed: make test-tools")
import cvat_sdk.auto_annotation as cvataa
from cvat_sdk.masks import decode_mask, encode_mask

from seem_client.adapters import cvat_functions

FRAMES = [png(picture(step)) for step in range(4)]
LABELS = [
    {"id": number, "name": name, "type": "any", "sublabels": [], "attributes": []}
    for number, name in ((70, "thing"), (71, "named thing"))
]
SQUARE = np.zeros((64, 96), np.bool_)
SQUARE[10:30, 10:30] = True


@pytest.fixture(scope="module")
def address():
    with local_server(Settings(bundle="fake")) as one:
        yield one


@pytest.fixture
def cvat():
    with stand_in(FRAMES, LABELS) as one:
        yield one


def command(cvat, *words, **parameters):
    module = ["--function-module", "seem_client.adapters.cvat_functions"]
    given = [f"-p{name}=str:{value}" for name, value in parameters.items()]
    return [
        sys.executable,
        "-m",
        "cvat_cli",
        f"--server-host={cvat.address}",
        *words,
        *module,
        *given,
    ]


def cvat_cli(cvat, *words, **parameters):
    """Runs `cvat-cli`; gives what it printed and what it logged."""
    environment = os.environ | {"CVAT_ACCESS_TOKEN": "x"}
    done = subprocess.run(
        command(cvat, *words, **parameters),
        env=environment, capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done


def served_by_agent(cvat, requests, **parameters):
    """What became of the requests that CVAT's agent was given, in their order."""
    number = cvat_cli(cvat, "function", "create-native", "Seem", **parameters).stdout.strip()
    cvat.requests = list(requests)
    cvat_cli(cvat, "function", "run-agent", number, "--burst", **parameters)
    return cvat.results()


def interact(*pos, neg=(), box=(), frame=0):
    return {
        "type": "interact", "task": 1, "frame": frame,
        "pos_points": list(pos), "neg_points": list(neg), "obj_bbox": list(box),
    }  # fmt: skip


def mask_of(result):
    (shape,) = result["shapes"]
    assert shape["type"] == "mask"
    return decode_mask(shape["points"], image_width=96, image_height=64)


def test_clicks_and_boxes_give_masks_and_what_is_wrong_gives_a_sentence(cvat, address):
    one, two, boxed, both, outside = served_by_agent(
        cvat,
        [
            interact([20, 20]),
            interact([20, 20], [60, 40]),
            interact(box=([10, 10], [40, 30])),
            interact([20, 20], [60, 40], neg=([20, 20],)),
            interact([900, 20]),
        ],
        kind="interaction",
        server=address,
    )
    assert mask_of(one)[20, 20]
    assert not mask_of(one)[40, 60]
    assert mask_of(two)[20, 20]
    assert mask_of(two)[40, 60]
    assert mask_of(boxed)[12:28, 12:38].all()
    assert not mask_of(both)[20, 20]
    (confidence,) = one["shapes"][0]["attributes"]
    assert confidence["spec_id"] == cvataa.InteractionResultAttributes.CONFIDENCE
    assert 0 <= float(confidence["value"]) <= 1
    assert "outside" in outside["exc_info"]
    about = cvat.functions[1]
    assert (about["kind"], about["min_pos_points"], about["min_neg_points"]) == ("interactor", 0, 0)
    assert about["startswith_box_optional"]


def test_shapes_are_followed_from_frame_to_frame(cvat, address):
    shapes = [
        {"type": "mask", "points": encode_mask(SQUARE)},
        {"type": "rectangle", "points": [10.0, 10.0, 30.0, 30.0]},
    ]
    begin = {"type": "init_tracking", "task": 1, "frame": 0, "shapes": shapes}

    def track(frame):
        return lambda: {
            "type": "track", "task": 1, "frame": frame, "states": cvat.results()[0]["states"]
        }  # fmt: skip

    begun, *followed = served_by_agent(
        cvat, [begin, track(1), track(2), track(3)], kind="tracking", server=address
    )
    assert len(set(begun["states"])) == 2
    lefts = [[one["shapes"][0]["points"][-4], one["shapes"][1]["points"][0]] for one in followed]
    assert lefts == sorted(lefts)
    assert [one["type"] for one in followed[-1]["shapes"]] == ["mask", "rectangle"]
    assert cvat.functions[1]["supported_shape_types"] == ["mask", "polygon", "rectangle"]


def test_what_is_found_in_a_frame_is_told_by_cvats_labels(cvat, address):
    mapping = {one["name"]: {"name": one["name"]} for one in LABELS}
    ask = {
        "type": "annotate_frame", "task": 1, "frame": 2, "mapping": mapping,
        "threshold": 0.3, "conv_mask_to_poly": False,
    }  # fmt: skip
    masks, polygons = served_by_agent(
        cvat, [ask, ask | {"conv_mask_to_poly": True}], kind="detection", server=address
    )
    assert [one["name"] for one in cvat.functions[1]["labels_v2"]] == ["thing", "named thing"]
    for result, kind in ((masks, "mask"), (polygons, "polygon")):
        shapes = result["annotations"]["shapes"]
        assert {(one["label_id"], one["type"], one["frame"]) for one in shapes} == {
            (70, kind, 2), (71, kind, 2)
        }  # fmt: skip


def test_a_whole_task_is_annotated_by_cvats_own_command(cvat, address):
    cvat_cli(cvat, "task", "auto-annotate", "1", kind="detection", server=address)
    (uploaded,) = (fields for path, fields in cvat.posted if "/annotations" in path)
    assert {one["frame"] for one in uploaded["shapes"]} == set(range(len(FRAMES)))
    assert {one["type"] for one in uploaded["shapes"]} == {"mask"}


@contextmanager
def agent(cvat, number, **parameters):
    process = subprocess.Popen(
        command(cvat, "function", "run-agent", number, **parameters),
        env=os.environ | {"CVAT_ACCESS_TOKEN": "x"}, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def test_an_agent_that_waits_is_woken_and_outlives_a_server_that_is_down(cvat, tmp_path):
    server = Served(tmp_path, bundle="fake")
    given = {"kind": "interaction", "server": server.address}
    number = cvat_cli(cvat, "function", "create-native", "Seem", **given).stdout.strip()
    with agent(cvat, number, **given):
        down = cvat.ask(interact([20, 20]))
        server.start()
        try:
            tries = (cvat.ask(interact([20, 20])) for _ in range(20))
            up = next(result for result in tries if "shapes" in result)
        finally:
            server.kill()
    assert "cannot be reached" in down["exc_info"]
    assert mask_of(up)[20, 20]


# --- the functions themselves


@pytest.mark.parametrize("mask", [SQUARE, ~SQUARE, np.eye(9, 12, dtype=np.bool_)])
def test_masks_are_written_as_cvats_sdk_writes_them(mask):
    assert mask_points(mask) == encode_mask(mask)


def test_a_kind_that_is_not_there_is_refused():
    with pytest.raises(cvataa.BadFunctionError, match="interaction, tracking or detection"):
        cvat_functions.create("painting")


def test_a_vocabulary_of_ones_own_needs_no_server_to_be_told():
    made = cvat_functions.create("detection", "localhost:1", vocabulary="cat, dog")
    assert [(one.id, one.name) for one in made.spec.labels] == [(0, "cat"), (1, "dog")]


def test_a_detector_without_a_server_says_so():
    with pytest.raises(cvataa.BadFunctionError, match="cannot be reached"):
        cvat_functions.create("detection", "localhost:1")


def test_what_the_agent_passes_on_is_the_servers_sentence():
    with (
        pytest.raises(cvataa.BadFunctionError, match="Send a whole") as caught,
        cvat_functions._in_a_sentence(),
    ):
        raise errors.ImageUnreadable("It is no image.")
    assert caught.value.__suppress_context__
