"""What tests of training look at."""

from __future__ import annotations

import torch


def weights_of(trainer):
    return torch.cat([p.detach().flatten() for p in trainer.model.parameters()])
