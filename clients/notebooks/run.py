"""Runs the example notebook anew, and keeps what it shows: `make notebook`."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).with_name("quick_start.ipynb")


def main() -> None:
    """Raises CellExecutionError where a cell fails; the file is then as it was."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    where = {"metadata": {"path": str(NOTEBOOK.parent)}}
    # Without times, so that only what is shown differs.
    NotebookClient(notebook, resources=where, record_timing=False).execute()
    nbformat.write(notebook, NOTEBOOK)


if __name__ == "__main__":
    main()
