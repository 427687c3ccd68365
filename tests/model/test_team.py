"""Processes that train one model together."""

from __future__ import annotations

import multiprocessing
import os
import socket
from functools import partial

import torch
from trainers import weights_of

from seem_model.train.batch import Batches
from seem_model.train.team import Team, join


def team_of_two(rank, port, made, ended):
    """One of two processes that train together; puts what it ends with into `ended`."""
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": "2"}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    torch.set_num_threads(1)
    trainer = made(join())
    trainer.run(n_workers=0)
    ended.put((rank, trainer.step, weights_of(trainer).tolist()))


def test_a_team_ends_with_the_same_weights_after_different_crops(make_trainer):
    context = multiprocessing.get_context("fork")
    ended = context.Queue()
    made = partial(make_trainer, steps=2)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    members = [
        context.Process(target=team_of_two, args=(rank, port, lambda t: made(team=t), ended))
        for rank in (0, 1)
    ]
    for member in members:
        member.start()
    told = {rank: (step, values) for rank, step, values in (ended.get(timeout=120) for _ in "ab")}
    for member in members:
        member.join()
    assert told[0] == told[1]
    assert told[0][0] == 2
    alone = make_trainer(steps=2)
    alone.run(n_workers=0)
    assert weights_of(alone).tolist() != told[0][1]


def test_members_of_a_team_take_different_crops(make_trainer):
    trainer = make_trainer(team=Team(1, 2))
    first, second = (Batches(trainer.data, trainer.recipe, [], rank)[0] for rank in (0, 1))
    assert not torch.equal(first.image, second.image)
    assert len(Batches(trainer.data, trainer.recipe, [])) == trainer.recipe.steps


def test_alone_a_process_is_a_team_of_one(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    team = join()
    assert (team.rank, team.size, team.leads) == (0, 1, True)
    parameter = torch.nn.Parameter(torch.ones(2))
    assert team.agree([parameter], 0.25) == 0.25
    assert parameter.grad is None
