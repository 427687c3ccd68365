"""The adapter behind a real Label Studio: what its editor would get, asked through its own API."""

from __future__ import annotations

import io
import urllib.error
from pathlib import Path

import numpy as np
import pytest
from label_studio_process import adapter_process, is_installed, run_python, running
from label_studio_words import BITMASK, BRUSH, config, key_point, mask_of, rectangle, words
from made_videos import made_video
from PIL import Image
from served_process import serving

import seem_client
from seem_client.adapters.label_studio import brush

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        not is_installed(), reason="Label Studio is not installed: `make test-tools` does it"
    ),
]
CAT = (Path(__file__).parents[3] / "clients/demo/photos/cat.jpg").read_bytes()


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    with running(tmp_path_factory.mktemp("label-studio")) as one:
        yield one


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("seem"), bundle="lite") as one:
        yield one


@pytest.fixture(scope="module", params=["given by Label Studio", "personal"])
def adapter(request, studio, served, tmp_path_factory):
    flags = ()
    if request.param == "personal":
        file = tmp_path_factory.mktemp("token") / "token"
        file.write_text(studio.ask("/api/token/", method="POST")["token"])
        flags = ("--label-studio-token-file", str(file))
    with adapter_process(served.address, studio.url, *flags) as url:
        yield url


@pytest.fixture(scope="module")
def project(studio, adapter):
    """A project with a photo, and the back end attached: (back end, task)."""
    made = studio.project(config(BRUSH))
    task = studio.upload(made, "cat.jpg", CAT)
    return studio.attach(made, adapter)["id"], task


def moving_square(number):
    """A red square on grey that goes to the right, uint8 (240, 320, 3)."""
    pixels = np.full((240, 320, 3), 110, np.uint8)
    left = 50 + 8 * number
    pixels[80:160, left : left + 80] = (220, 30, 30)
    return pixels


def region_of(answer):
    (region,) = answer["data"]["result"]
    return region


def test_the_back_end_is_connected_and_its_model_known(studio, project):
    backend = studio.ask(f"/api/ml/{project[0]}")
    assert (backend["readable_state"], bool(backend["model_version"])) == ("Connected", True)


def test_a_click_gives_the_very_mask_of_the_server(studio, served, project):
    mask = mask_of(region_of(studio.interact(*project, key_point(50, 50))))
    height, width = mask.shape
    assert mask[height // 2, width // 2]
    with seem_client.connect(served.address, token="") as client:
        direct = client.segment(CAT, points=[(width / 2, height / 2)])
    assert np.array_equal(mask, direct.mask)


def test_further_clicks_refine(studio, project):
    on, off = key_point(50, 50), key_point(5, 5, positive=False)
    mask = mask_of(region_of(studio.interact(*project, on, off)))
    height, width = mask.shape
    assert mask[height // 2, width // 2]
    assert not mask[int(height * 0.05), int(width * 0.05)]


def test_rectangles_and_texts_give_masks(studio, project):
    box = mask_of(region_of(studio.interact(*project, rectangle(20, 10, 60, 80))))
    named = mask_of(region_of(studio.interact(*project, words("cat"))))
    assert (box & named).sum() / (box | named).sum() > 0.5


def test_a_task_that_nobody_pointed_at_gets_no_prediction(studio, adapter):
    made = studio.project(config(BRUSH))
    task = studio.upload(made, "cat.jpg", CAT)
    studio.attach(made, adapter)
    action = f"/api/dm/actions?id=retrieve_tasks_predictions&project={made}"
    done = studio.ask(action, {"selectedItems": {"all": True, "excluded": []}})
    assert done["processed_items"] == 1
    assert studio.ask(f"/api/tasks/{task}")["predictions"] == []


def test_what_is_saved_is_exported_by_label_studio_as_the_same_mask(studio, adapter):
    made = studio.project(config(BRUSH))
    task = studio.upload(made, "cat.jpg", CAT)
    backend = studio.attach(made, adapter)["id"]
    region = region_of(studio.interact(backend, task, key_point(50, 50)))
    studio.ask(f"/api/tasks/{task}/annotations/", {"result": [region]})
    held = studio.ask(f"/api/projects/{made}/export?exportType=BRUSH_TO_PNG", raw=True)
    exported = np.asarray(Image.open(io.BytesIO(held)))
    assert np.array_equal(exported > 0, mask_of(region))


def test_bitmask_projects_get_bitmasks(studio, adapter):
    made = studio.project(config(BITMASK))
    task = studio.upload(made, "cat.jpg", CAT)
    answer = studio.interact(studio.attach(made, adapter)["id"], task, key_point(50, 50))
    assert region_of(answer)["value"]["imageDataURL"].startswith("data:image/png;base64,")


def test_an_object_is_followed_through_a_video(studio, adapter, tmp_path):
    made = studio.project(
        '<View><Video name="video" value="$film"/>'
        '<VideoRectangle name="box" toName="video"/></View>'
    )
    film = made_video(tmp_path / "film.mp4", 12, draw=moving_square)
    task = studio.upload(made, "film.mp4", film.read_bytes())
    backend = studio.attach(made, adapter)["id"]

    def told(*regions, **context):
        return region_of(studio.interact(backend, task, *regions, **context))["value"]

    click = key_point(25, 50, spelling="positive")
    assert told(event="prewarm", frame=1)["frame_count"] == 12
    assert told(click, frame=1)["imageDataURL"].startswith("data:image/png;base64,")
    session = told(click, event="track", frame=1, direction="forward")["session_id"]
    frames, done = [], False
    while not done:
        value = told(event="track_progress", session_id=session)
        assert value["error"] is None
        frames, done = frames + value["frames"], value["done"]
    assert [one["frame"] for one in frames][:6] == list(range(6))
    assert told(event="release") == {"status": "released"}


def test_an_unreadable_image_is_a_sentence(studio, adapter):
    made = studio.project(config(BRUSH))
    task = studio.upload(made, "bad.jpg", b"no image at all")
    answer = studio.interact(studio.attach(made, adapter)["id"], task, key_point(50, 50))
    (told,) = answer["errors"]
    assert "image" in told
    assert "Traceback" not in told


def test_a_project_that_cannot_be_served_is_told_when_the_back_end_is_attached(studio, adapter):
    made = studio.project('<View><Image name="i" value="$photo"/></View>')
    with pytest.raises(urllib.error.HTTPError) as refused:
        studio.attach(made, adapter)
    assert "BrushLabels" in refused.value.read().decode()


def test_a_server_that_dies_is_told_and_used_again_when_it_is_back(studio, served, project):
    first = region_of(studio.interact(*project, key_point(50, 50)))
    served.kill()
    try:
        (told,) = studio.interact(*project, key_point(50, 50), key_point(40, 40))["errors"]
        assert "cannot be reached" in told
    finally:
        served.start()
    again = region_of(studio.interact(*project, key_point(50, 50)))
    assert np.array_equal(mask_of(again), mask_of(first))


def test_its_own_code_reads_and_writes_the_same_brushes():
    mask = np.random.default_rng(3).random((37, 53)) < 0.3
    mask[5:30, 10:40] = True
    program = """
import json, sys
import numpy as np
from label_studio_sdk.converter.brush import decode_rle, mask2rle
packed, mask = json.load(sys.stdin)
read = decode_rle(packed).reshape(*np.shape(mask), 4)[..., 3]
print(json.dumps([(read > 0).tolist(), mask2rle(np.array(mask, dtype=np.uint8) * 255)]))
"""
    read, written = run_python(program, [brush.encode(mask), mask.tolist()])
    assert np.array_equal(read, mask)
    assert np.array_equal(brush.decode(written, mask.shape), mask)
