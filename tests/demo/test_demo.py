from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from PIL import Image

DEMO = Path(__file__).parents[2] / "clients" / "demo"


@pytest.fixture
def demo(monkeypatch):
    spec = spec_from_file_location("demo", DEMO / "demo.py")
    module = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "demo", module)  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_it_makes_a_picture_of_each_shot_and_tells_of_it(demo, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(demo, "SHOTS", demo.SHOTS[1:4:2])
    monkeypatch.setattr(sys, "argv", ["demo.py", "--bundle", "fake", "--out", str(tmp_path)])
    assert demo.main() == 0
    made = {path.stem for path in tmp_path.glob("*.png")}
    assert made == {"coffee-click", "coffee-objects", "coffee-everything"}
    told = capsys.readouterr().out
    assert all(name in told for name in ("coffee-click", "coffee-objects"))
    assert "everything in coffee.jpg" in told


def test_every_prompt_lies_in_its_photo(demo):
    for shot in demo.SHOTS:
        with Image.open(DEMO / "photos" / shot.photo) as photo:
            for _, prompt in shot.said:
                assert all(point.x < photo.width for point in prompt.points)
                assert all(point.y < photo.height for point in prompt.points)


def test_every_photo_is_small_and_its_licence_is_named():
    licences = (DEMO / "photos" / "LICENCES.md").read_text("utf-8")
    for photo in (DEMO / "photos").glob("*.jpg"):
        assert photo.stat().st_size <= 150_000
        assert photo.name in licences
