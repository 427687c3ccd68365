"""The pictures of the terminal's page are what its commands draw.

SEEM_SCREENSHOTS=docs/images makes them anew.
"""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seem_server import cli

DOCS = Path(__file__).parents[2] / "docs"
COMMANDS = re.findall(
    r"^(?:\$ )?seem (segment clients/demo/photos/(\w+)\.jpg [^\n]* --out) out/\n[^!]*"
    r"!\[[^\]]*\]\(images/terminal-\2\.jpg\)",
    (DOCS / "terminal.md").read_text("utf-8"),
    re.MULTILINE,
)
MOST_BYTES = 250_000


@pytest.mark.slow
@pytest.mark.parametrize(("command", "photo"), COMMANDS, ids=lambda text: text.split()[-1])
def test_a_picture_shows_what_its_command_draws(command, photo, tmp_path, monkeypatch):
    monkeypatch.chdir(DOCS.parent)
    assert cli.main([*shlex.split(command), str(tmp_path)]) == 0
    drawn = Image.open(tmp_path / f"{photo}.overlay.png").convert("RGB")
    kept = Path(os.environ.get("SEEM_SCREENSHOTS", DOCS / "images"), f"terminal-{photo}.jpg")
    if "SEEM_SCREENSHOTS" in os.environ:
        drawn.save(kept, quality=85)
    shown = Image.open(kept)
    assert shown.size == drawn.size
    # Another machine's arithmetic may move an edge; JPEG blurs the rest.
    assert np.abs(np.asarray(shown, float) - np.asarray(drawn, float)).mean() < 8


@pytest.mark.parametrize("picture", sorted((DOCS / "images").iterdir()), ids=lambda path: path.name)
def test_a_picture_is_quickly_loaded(picture):
    assert picture.stat().st_size < MOST_BYTES
