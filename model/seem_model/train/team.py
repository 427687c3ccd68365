"""Several processes that train one model together, each on crops of its own.

Started with `torchrun --nproc-per-node N -m seem_model.train …`; alone, a process is a team of one.
Also on a single accelerator this pays: prompts are simulated on CPU cores, and one process after
the other leaves the accelerator idle meanwhile.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, distributed, nn

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Team:
    """This process's place among `size`."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this one writes the log and the checkpoints."""
        return self.rank == 0

    def agree(self, parameters: Sequence[nn.Parameter], told: float) -> float:
        """Gives all members the mean of their gradients; returns the mean of what each `told`.

        Where a member's loss did not reach a parameter, its gradient counts as zero.
        """
        if self.size == 1:
            return told
        device = parameters[0].device
        grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        flat = torch.cat([*(grad.flatten() for grad in grads), torch.tensor([told], device=device)])
        meant = flat.cpu()
        distributed.all_reduce(meant)
        meant = (meant / self.size).to(device)
        sizes = [parameter.numel() for parameter in parameters]
        for parameter, part in zip(parameters, _split(meant, sizes), strict=True):
            parameter.grad = part.view_as(parameter)
        return float(meant[-1])


def join() -> Team:
    """The team that the environment tells of (torchrun's RANK, WORLD_SIZE)."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return Team()
    distributed.init_process_group("gloo")
    return Team(distributed.get_rank(), size)


def _split(flat: Tensor, sizes: Sequence[int]) -> Sequence[Tensor]:
    return flat[: sum(sizes)].split(list(sizes))
