from __future__ import annotations

import io
import json

import numpy as np
from fake_server import fake_client
from PIL import Image

from seem_server.cli import main
from seem_server.commands import bench


class Echo:
    """An echo that always takes 1 ms, and notes what it was to carry."""

    def __init__(self):
        self.sizes = []

    def round_trip_ms(self, request_bytes, reply_bytes):
        self.sizes.append((request_bytes, reply_bytes))
        return 1.0


def measured(n_clicks=12):
    echo = Echo()
    with fake_client() as client:
        return bench.bench_click(client, echo, n_clicks=n_clicks, n_images=2), echo


def test_it_times_clicks_and_first_masks():
    result, _ = measured()
    assert (result.clicks, result.images, result.provider) == (12, 2, "fake")
    assert result.round_trip_ms.p50 > result.click_ms.p50 > result.model_ms.p50 > 0
    assert result.first_mask_ms.p50 > result.encode_ms.p50 > 0


def test_the_ratio_is_the_median_overhead_for_each_median_echo():
    result, _ = measured()
    assert np.isclose(result.overhead_ratio, result.overhead_ms.p50 / 1.0)


def test_the_echo_carries_messages_of_the_same_sizes():
    _, echo = measured()
    assert len(echo.sizes) == 12 + bench.WARM_UP_CLICKS
    assert all(20 < request < 60 < reply < 4000 for request, reply in echo.sizes)


def test_made_photos_are_one_megapixel_and_each_another():
    photos = list(bench.made_photos(2))
    width, height = Image.open(io.BytesIO(photos[0])).size
    assert (height, width) == bench.IMAGE_SIZE
    assert photos[0] != photos[1]


def test_json_is_one_document(capsys):
    words = ["bench", "click", "--bundle", "fake", "--clicks", "5", "--images", "1", "--json"]
    assert main(words) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["overhead_ratio"] > 0
    assert set(told["click_ms"]) == {"p50", "p95"}


def test_the_table_names_every_time_and_its_goal():
    text = bench.as_text(measured(5)[0])
    assert "bare gRPC echo" in text
    assert "≤ 2" in text.splitlines()[-2]
