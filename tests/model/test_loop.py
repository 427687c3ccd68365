import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from trainers import weights_of

from seem_model.config import TINY
from seem_model.seem import Answers
from seem_model.train.batch import Batches, Slot
from seem_model.train.dataset import read_folder
from seem_model.train.loop import _told_from, answered, is_held_out, split, stuff_names
from seem_model.train.teacher import Lessons
from seem_model.train.vocabulary import Vocabulary
from seem_wire.prompts import Box, ObjectPrompt, Point


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
    torch.testing.assert_close(weights_of(resumed), weights_of(unbroken))


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
    torch.testing.assert_close(weights_of(first), weights_of(second))


def test_images_kept_apart_are_chosen_by_their_name(dataset):
    images = read_folder(dataset)
    training, watched = split(images, 0.3)
    assert len(training) + len(watched) == len(images)
    assert split(images, 0.3) == (training, watched)
    assert all(is_held_out(image.path, 0.3) for image in watched)


def test_an_image_is_kept_apart_wherever_its_folder_lies():
    names = [f"{number}.jpg" for number in range(200)]
    apart = [is_held_out(Path("here") / name, 0.3) for name in names]
    assert apart == [is_held_out(Path("/there") / name, 0.3) for name in names]
    assert 30 < sum(apart) < 90


def test_of_an_ambiguous_prompt_the_likeliest_reading_is_the_answer():
    click = ObjectPrompt((Point(1.0, 1.0),))
    boxed = replace(click, box=Box(0.0, 0.0, 2.0, 2.0))
    slots = [[Slot(np.ones((8, 8), bool), prompt, None) for prompt in (click, boxed)]]
    masks = torch.arange(4.0)[None, None, :, None, None].expand(1, 2, 4, 4, 4)
    iou = torch.tensor([[[0.1, 0.2, 0.9, 0.3]] * 2])
    answers = Answers(masks, iou, torch.ones(1, 2), torch.ones(1, 2, 4, 3), masks)
    chosen = answered(answers, slots)
    assert chosen.shape == (1, 2, 4, 4)
    assert chosen[0, :, 0, 0].tolist() == [2, 0]


def names_told_from(letters, source):
    """By source, what places are told from; `letters` gives "cat" and "act" the same meaning."""
    names = ["act", "cat", "dog", "hat"]
    by_name = {"coco": {"cat": [], "dog": []}, "stage": {"act": []}, "ccp": {"hat": []}}
    told = _told_from(SimpleNamespace(by_name=by_name), Vocabulary(names, letters))
    return {
        name for name, known in zip([*names, None], told[source].tolist(), strict=True) if known
    }


def test_places_are_told_from_the_sources_own_names_and_from_nothing(letters):
    assert names_told_from(letters, "coco") == {"cat", "dog", None}


def test_places_are_told_from_names_of_coco_that_mean_something_else(letters):
    assert names_told_from(letters, "stage") == {"act", "dog", None}


def test_places_of_parts_are_told_from_parts_alone(letters):
    assert names_told_from(letters, "ccp") == {"hat", None}


class Sure(torch.nn.Module):
    """A teacher that sees the same in every cell."""

    def forward(self, _image):
        return torch.tensor([0.9, 0.1]).expand(2, 2, 2, 2)


def test_lessons_are_given_every_few_steps(make_trainer):
    words = torch.nn.functional.normalize(torch.randn(2, TINY.text_width), dim=1)
    lessons = Lessons(Sure(), words)
    trainer = make_trainer(lessons, crop_sizes=(64,), teach_every=2, distillation_weight=0.1)
    batch = Batches(trainer.data, trainer.recipe, ["zebra"])[0]
    taught = trainer._train_step(batch)
    trainer.step = 1
    assert taught["distillation"] > 0
    assert "distillation" not in trainer._train_step(batch)


def test_an_unbroken_run_watches_images_kept_apart(make_trainer):
    watched = make_trainer(crop_sizes=(64,)).watch()
    assert len(watched) == 5
    assert all(0 <= iou <= 1 for iou in watched)


def test_stuff_is_what_is_never_marked_thing_by_thing():
    kinds = [("sky", "stuff"), ("road", "stuff"), ("road", "instance"), ("cat", "instance")]
    marked = [{"name": name, "kind": kind} for name, kind in kinds]
    images = [SimpleNamespace(annotations=marked[:2]), SimpleNamespace(annotations=marked[2:])]
    assert stuff_names(images) == ["sky"]
