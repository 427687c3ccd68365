"""`python -m seem_model.train.plot RUN`: the run's log as a picture beside it."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure


def read_log(folder: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The training entries and the watch entries of a run's log, in order.

    Raises:
        FileNotFoundError: the folder holds no log.
    """
    lines = (folder / "log.jsonl").read_text().splitlines()
    entries = [json.loads(line) for line in lines]
    train = [entry for entry in entries if entry["kind"] == "train"]
    return train, [entry for entry in entries if entry["kind"] == "watch"]


def plot(folder: Path) -> Path:
    """Draws losses and IoUs over steps to `log.png` in the run's folder; returns its path."""
    train, watch = read_log(folder)
    figure = Figure(figsize=(10, 4), layout="constrained")
    losses, ious = figure.subplots(1, 2)
    steps = [entry["step"] for entry in train]
    for name in ("loss", "mask", "proposal", "semantic"):
        losses.plot(steps, [entry[name] for entry in train], label=name, linewidth=1)
    for name, label in (("iou_first", "first prompt"), ("iou_last", "last round")):
        ious.plot(steps, [entry[name] for entry in train], label=label, linewidth=1)
    watched = [entry["step"] for entry in watch]
    for number in (0, 2, 4):
        values = [entry["iou"][number] for entry in watch]
        ious.plot(watched, values, marker="o", label=f"kept apart, round {number + 1}")
    for axes, title in ((losses, "losses"), (ious, "IoU")):
        axes.set_title(title)
        axes.set_xlabel("step")
        axes.legend()
        axes.grid(alpha=0.3)
    out = folder / "log.png"
    figure.savefig(out, dpi=110)
    return out


def main() -> None:
    """Reads the arguments and draws."""
    parser = argparse.ArgumentParser(prog="python -m seem_model.train.plot", description=__doc__)
    parser.add_argument("run", type=Path, help="folder of the run")
    sys.stdout.write(f"{plot(parser.parse_args().run)}\n")


if __name__ == "__main__":
    main()
