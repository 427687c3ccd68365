"""The example notebook: what is committed of it, and that it runs."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seem_server.app import local_server

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "clients" / "notebooks" / "quick_start.ipynb"
MAX_BYTES = 300_000
SHOWN = re.compile(r'src="data:image/jpeg;base64,([^"]+)"')

WHY = "nbclient and ipykernel are not installed: they are in the extra `test`"
nbformat = pytest.importorskip("nbformat", reason=WHY)
nbclient = pytest.importorskip("nbclient", reason=WHY)
pytest.importorskip("ipykernel", reason=WHY)


def read():
    return nbformat.read(NOTEBOOK, as_version=4)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def pictures(notebook):
    """What each cell that shows masks says of them, and the picture it drew."""
    for cell in code(notebook):
        for output in cell.outputs:
            shown = output.get("data", {}).get("text/html")
            if shown is not None:
                data = base64.b64decode(SHOWN.search(shown).group(1))
                with Image.open(io.BytesIO(data)) as image:
                    yield output["data"]["text/plain"], np.asarray(image).astype(int)


def check(notebook):
    """No cell failed, and what is shown as a mask is one, drawn on its photo."""
    kinds = {output.output_type for cell in code(notebook) for output in cell.outputs}
    assert kinds == {"execute_result"}, "a cell failed, or printed a warning"
    shown = list(pictures(notebook))
    assert len(shown) == 5
    for said, _ in shown:
        areas = [int(area) for area in re.findall(r"(\d+) pixels", said)]
        assert areas
        assert min(areas) > 0
    said, picture = shown[0]
    with Image.open(ROOT / "clients/demo/photos/cat.jpg") as photo:
        bluer = (picture - np.asarray(photo).astype(int))[:, :, 2] > 10
    assert bluer.sum() == pytest.approx(int(re.search(r"(\d+) pixels", said)[1]), rel=0.1)


def test_what_is_committed_was_run_from_top_to_bottom_without_a_fault():
    notebook = read()
    check(notebook)
    assert [cell.execution_count for cell in code(notebook)] == list(
        range(1, len(code(notebook)) + 1)
    )


def test_what_is_committed_has_no_times():
    assert not any("execution" in cell.metadata for cell in code(read()))


def test_what_is_committed_is_small_and_names_no_machine():
    text = NOTEBOOK.read_text("utf-8")
    assert len(text) < MAX_BYTES
    assert "site-packages" not in text


@pytest.mark.slow
def test_it_runs_against_a_server(monkeypatch):
    notebook = read()
    for cell in code(notebook):
        cell.outputs = []
    with local_server() as address:
        monkeypatch.setenv("SEEM_SERVER", address)
        runner = nbclient.NotebookClient(
            notebook, timeout=100, resources={"metadata": {"path": str(NOTEBOOK.parent)}}
        )
        runner.execute()
    check(notebook)
