from __future__ import annotations

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from fake_server import fake_client
from PIL import Image
from stand_in import Said, StandIn

from seem_server.cli import build_parser, main
from seem_server.commands import bench
from seem_server.runtime.fake_backend import FakeBackend
from seem_server.runtime.specs import RefinedSpec
from seem_wire.types import Timings


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


def clicked(first_ms, first_encode_ms, later_ms):
    first = Timings(encode_ms=first_encode_ms, total_ms=first_ms)
    return bench.ClickedTwice(first, Timings(total_ms=later_ms))


def test_a_first_click_that_spends_much_on_encoding_has_encoded_a_window():
    found = bench.SmallThings.of([clicked(60, 50, 10), clicked(12, 0.1, 20)], image_encode_ms=80)
    assert (found.count, found.window_share) == (2, 0.5)
    assert (found.first_click_ms.p50, found.later_click_ms.p50) == (36, 15)


def test_each_small_thing_is_an_object_of_its_own_clicked_in_its_middle_and_beside():
    server = StandIn(lambda *_: Said(None))
    server.open = lambda _: server
    objects = []
    click = server.click

    def noting(x, y, *, object_id=1):
        objects.append(object_id)
        return click(x, y)

    server.click = noting
    assert len(list(bench.clicked_twice(server))) == len(bench.disc_places())
    (_, x, y, _), (_, again_x, again_y, _) = server.said[1:3]
    assert ((x, y), (again_x, again_y)) == ((96, 108.5), (102, 108.5))
    assert objects[1:] == [1 + n // 2 for n in range(2 * len(bench.disc_places()))]


@pytest.mark.parametrize("zooms", [True, False])
def test_a_bundle_that_looks_closer_encodes_a_window_for_each_first_click(monkeypatch, zooms):
    backends = []

    class Counting(FakeBackend):
        manifest = replace(FakeBackend.manifest, decoder=RefinedSpec(zoom=zooms))

        def __init__(self, **options):
            super().__init__(**options)
            backends.append(self)

    monkeypatch.setattr("seem_server.engines.FakeBackend", Counting)
    with fake_client() as client:
        before = sum(one.n_encoded for one in backends)
        things = iter(bench.clicked_twice(client))
        next(things)
        opened = sum(one.n_encoded for one in backends)
        rest = len(list(things))
        after = sum(one.n_encoded for one in backends)
    assert opened > before
    assert after - opened == rest * zooms


def test_discs_stand_out_and_are_forty_pixels_wide():
    photo = np.asarray(Image.open(io.BytesIO(bench.made_discs())).convert("L")).astype(int)
    assert photo.shape == bench.IMAGE_SIZE
    for x, y in bench.disc_places():
        row = photo[int(y), int(x) - 40 : int(x) + 40]
        stands_out = np.abs(row - photo[int(y) - 60, int(x)]) > 60
        assert 36 <= stands_out.sum() <= 44


def test_discs_are_the_same_each_time():
    assert bench.made_discs() == bench.made_discs()


def test_json_is_one_document(capsys):
    words = ["bench", "click", "--bundle", "fake", "--clicks", "5", "--images", "1", "--json"]
    assert main(words) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["overhead_ratio"] > 0
    assert set(told["click_ms"]) == {"p50", "p95"}
    small = told["small_things"]
    assert set(small) == {"count", "first_click_ms", "later_click_ms", "window_share"}
    assert set(small["first_click_ms"]) == set(small["later_click_ms"]) == {"p50", "p95"}
    assert small["count"] == len(bench.disc_places())


def test_the_table_names_every_time_and_its_goal():
    text = bench.as_text(measured(5)[0])
    assert "bare gRPC echo" in text
    assert "≤ 2" in text.splitlines()[-2]


def test_the_table_says_how_many_first_clicks_encoded_a_window():
    small = bench.SmallThings.of([clicked(60, 50, 10), clicked(12, 0.1, 20)], image_encode_ms=80)
    times = [bench.Spread(1, 2)] * 5
    result = bench.ClickBench("m@1", "cpu", 5, 1, *times, 1.0, *times[:2], small)
    lines = bench.as_text(result).splitlines()
    (window,) = [line for line in lines if "the first includes encoding a window" in line]
    assert window.split()[-5:] == ["50", "%", "of", "2", "times"]
    assert any(line.startswith("later click on it") and " 15.00 " in line for line in lines)


@pytest.mark.parametrize("name", bench.LEGENDS)
def test_what_needs_a_word_more_has_it_under_its_help(name, capsys):
    assert main(["bench", name, "--help"]) == 0
    assert bench.LEGENDS[name] in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("name", bench.BENCHES)
def test_each_benchmark_has_a_page_of_its_own(name, capsys):
    assert main(["bench", name, "--help"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert f"usage: seem bench {name}" in told
    assert bench.BENCHES[name] in told
    for count in bench.COUNTS:
        assert (f"--{count} N" in told) is (count in bench.COUNTS_OF[name])


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("bench", ("click", 300, False, None)),
        ("bench --clicks 5 --json", ("click", 5, True, None)),
        ("bench soak", ("soak", 300, False, None)),
        ("bench soak --clicks 7", ("soak", 7, False, None)),
        ("bench --clicks 5 --server a:1 soak", ("soak", 5, False, "a:1")),
    ],
)
def test_options_may_stand_before_the_name_and_after_it(words, expected):
    found = build_parser(("bench",)).parse_args(words.split())
    assert (found.what, found.clicks, found.json, found.server) == expected
