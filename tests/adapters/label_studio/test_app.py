"""The ML back end over HTTP, as Label Studio asks it, with a real server on the fake backend."""

from __future__ import annotations

import base64

import numpy as np
import pytest
from label_studio_words import (
    BITMASK,
    HEIGHT,
    PICTURE,
    WIDTH,
    adapter,
    asking,
    brushed,
    config,
    key_point,
    mask_of,
    rectangle,
    studio,
    words,
)
from served_process import serving

from seem_server.app import local_server
from seem_server.settings import Settings

ROUGH = np.zeros((HEIGHT, WIDTH), np.bool_)
ROUGH[20:40, 20:60] = True


@pytest.fixture(scope="module")
def server():
    with local_server(Settings(bundle="fake")) as address:
        yield address


@pytest.fixture
async def fake():
    async with studio() as one:
        yield one


@pytest.fixture
async def client(server, fake):
    async with adapter(server, fake) as one:
        yield one


async def predicted(client, *regions, **asked):
    answer = await client.post("/predict", json=asking(*regions, **asked))
    assert answer.status == 200, await answer.text()
    (result,) = (await answer.json())["results"]
    return result


@pytest.mark.parametrize("path", ["/", "/health"])
async def test_it_is_up_while_the_server_answers(client, path):
    answer = await client.get(path)
    assert (answer.status, (await answer.json())["status"]) == (200, "UP")


async def test_setup_and_versions_name_the_model(client):
    body = {"project": "1.17", "schema": config(), "hostname": "http://x", "access_token": "t"}
    version = (await (await client.post("/setup", json=body)).json())["model_version"]
    assert (await (await client.get("/versions")).json())["versions"] == [version]


@pytest.mark.parametrize("spelling", ["is_positive", "positive"])
async def test_clicks_of_both_signs_and_spellings_draw_the_mask(client, spelling):
    on, off = ((x, 50) for x in (25, 75))
    first = mask_of((await predicted(client, key_point(*on, spelling=spelling)))["result"][0])
    assert first[32, 24]
    both = key_point(*on, spelling=spelling), key_point(*off, positive=False, spelling=spelling)
    second = mask_of((await predicted(client, *both))["result"][0])
    assert second[32, 24]
    assert not second[32, 72]


@pytest.mark.parametrize(
    "regions",
    [
        [rectangle(20, 20, 60, 60)],
        [brushed(ROUGH)],
        [words("zebra")],
        [rectangle(20, 20, 60, 60), key_point(50, 50), words("zebra")],
    ],
)
async def test_every_smart_tool_draws_a_mask_of_the_images_size(client, regions):
    (region,) = (await predicted(client, *regions))["result"]
    assert mask_of(region).shape == (HEIGHT, WIDTH)
    assert mask_of(region).any()


async def test_bitmask_projects_get_bitmasks(client):
    (region,) = (await predicted(client, key_point(50, 50), controls=BITMASK))["result"]
    assert region["type"] == "bitmasklabels"
    assert region["value"]["imageDataURL"].startswith("data:image/png;base64,")


async def test_webhooks_are_taken(client):
    assert (await client.post("/webhook", json={"action": "ANNOTATION_CREATED"})).status == 200


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (asking(key_point(50, 50), picture="/gone.png"), "has no picture /gone.png (404)"),
        (asking(key_point(50, 50), picture="file:///etc/passwd"), "over HTTP alone"),
        (asking(), "Nothing was said"),
        (asking(key_point(50, 50, positive=False)), "negative"),
        (asking(key_point(50, 50)) | {"label_config": "<View/>"}, "BrushLabels"),
        ([], "no JSON object"),
    ],
)
async def test_what_cannot_be_answered_is_a_sentence_in_body_and_status_line(
    client, body, sentence
):
    answer = await client.post("/predict", json=body)
    told = (await answer.json())["error"]
    assert answer.status == 400
    assert sentence in answer.reason
    assert answer.reason == f"{told['message']} {told['hint']}"


async def test_an_unreadable_image_is_told_and_the_next_one_is_served(client, fake):
    fake.files["/bad.png"] = b"no picture at all"
    answer = await client.post("/predict", json=asking(key_point(5, 5), picture="/bad.png"))
    assert (answer.status, (await answer.json())["error"]["code"]) == (400, "IMAGE_UNREADABLE")
    assert (await predicted(client, key_point(5, 5)))["result"]


async def test_a_body_that_is_no_json_is_told(client):
    answer = await client.post("/setup", data=b"{")
    assert (answer.status, "no JSON object" in answer.reason) == (400, True)


async def test_what_breaks_is_no_stack_trace(client, monkeypatch):
    monkeypatch.setattr("seem_client.adapters.label_studio.backend.label_config.read", len)
    answer = await client.post("/predict", json=asking(key_point(5, 5)))
    assert (answer.status, (await answer.json())["error"]["code"]) == (500, "INTERNAL")
    assert "Traceback" not in await answer.text()


async def test_who_does_not_know_the_password_is_not_let_in(server, fake):
    async with adapter(server, fake, login=("user", "word")) as client:
        assert (await client.get("/health")).status == 401
        for shown, status in ((b"user:other", 401), (b"user:word", 200)):
            headers = {"Authorization": "Basic " + base64.b64encode(shown).decode()}
            assert (await client.get("/health", headers=headers)).status == status


@pytest.mark.slow
async def test_a_server_that_dies_is_told_and_used_again_when_it_is_back(tmp_path, fake):
    with serving(tmp_path, bundle="fake") as served:
        async with adapter(served.address, fake) as client:
            assert (await predicted(client, key_point(50, 50)))["result"]
            served.kill()
            assert (await client.get("/health")).status == 503
            answer = await client.post("/predict", json=asking(key_point(50, 50), task=2))
            assert (answer.status, (await answer.json())["error"]["code"]) == (503, "DISCONNECTED")
            served.start()
            assert (await predicted(client, key_point(50, 50), key_point(20, 20)))["result"]
            assert (await predicted(client, key_point(50, 50), task=2))["result"]
            assert (await client.get("/health")).status == 200
            assert [path for path, _ in fake.asked].count(PICTURE) >= 2
