import json
from dataclasses import replace

import pytest
import torch

from seem_model.config import TINY
from seem_model.seem import Seem
from seem_model.train.dataset import read_folder
from seem_model.train.loop import Trainer, split
from seem_model.train.recipe import RECIPES
from seem_model.train.vocabulary import Vocabulary


@pytest.fixture
def make_trainer(dataset, tmp_path, letters):
    def make(**changes):
        torch.manual_seed(0)
        recipe = replace(RECIPES["tiny"], held_out_share=0.3, **changes)
        vocabulary = Vocabulary(["square"], letters)
        return Trainer(Seem(TINY), vocabulary, read_folder(dataset), recipe, tmp_path / "run")

    return make


def weights(trainer):
    return torch.cat([p.detach().flatten() for p in trainer.model.parameters()])


def test_training_lowers_the_loss(make_trainer):
    trainer = make_trainer(steps=40, crop_sizes=(64,), learning_rate=3e-3, rounds=(1.0,))
    trainer.run(n_workers=0)
    lines = (trainer.folder / "log.jsonl").read_text().splitlines()
    losses = [json.loads(line)["loss"] for line in lines]
    assert losses[-1] < losses[0]


def test_a_resumed_run_ends_where_an_unbroken_one_does(make_trainer):
    unbroken = make_trainer(steps=4)
    unbroken.run(n_workers=0)
    broken = make_trainer(steps=4)
    broken.data.length = 2 * broken.recipe.images_per_step
    broken.run(n_workers=0)
    resumed = make_trainer(steps=4)
    assert resumed.resume()
    assert resumed.step == 2
    resumed.run(n_workers=0)
    torch.testing.assert_close(weights(resumed), weights(unbroken))


def test_the_budget_ends_a_run_and_saves_it(make_trainer):
    trainer = make_trainer(steps=4)
    trainer.budget_s = 1e-6
    trainer.run(n_workers=0)
    assert trainer.step == 1
    assert (trainer.folder / "checkpoint.pt").exists()


def test_without_a_checkpoint_there_is_nothing_to_resume(make_trainer):
    assert not make_trainer().resume()


def test_weights_after_equal_runs_are_equal(make_trainer):
    first, second = make_trainer(steps=2), make_trainer(steps=2)
    first.run(n_workers=0)
    second.run(n_workers=0)
    torch.testing.assert_close(weights(first), weights(second))


def test_images_kept_apart_are_chosen_by_their_name(dataset):
    images = read_folder(dataset)
    training, watched = split(images, 0.3)
    assert len(training) + len(watched) == len(images)
    assert split(images, 0.3) == (training, watched)
