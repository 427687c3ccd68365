"""`python -m seem_model.train.start`: a run's averaged weights, as a small file to begin with.

Half the size of the checkpoint's, and without what only resuming needs: fine-tune on data of your
own with `python -m seem_model.train lite --start model/weights/lite.pt --data FOLDER --out RUN`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import nn


def save_weights(checkpoint: Path, out: Path) -> None:
    """Writes the averaged weights of a training checkpoint in 16 bits."""
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    halved = {
        name: value.half() if value.is_floating_point() else value
        for name, value in state["average"].items()
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    torch.save(halved, out)


def load_weights(model: nn.Module, file: Path) -> None:
    """Begins `model` with the weights of `file`.

    Raises:
        FileNotFoundError: There is no such file.
        RuntimeError: They are another model's; the message lists the differences.
    """
    state = torch.load(file, map_location="cpu", weights_only=True)
    model.load_state_dict({name: value.to(torch.float32) for name, value in state.items()})


def main() -> None:
    """Reads the arguments and writes."""
    parser = argparse.ArgumentParser(prog="python -m seem_model.train.start", description=__doc__)
    parser.add_argument("checkpoint", type=Path, help="of a training run")
    parser.add_argument("--out", type=Path, required=True, help="the file to write")
    arguments = parser.parse_args()
    save_weights(arguments.checkpoint, arguments.out)
    sys.stdout.write(f"{arguments.out}: {arguments.out.stat().st_size / 1e6:.1f} MB\n")


if __name__ == "__main__":
    main()
