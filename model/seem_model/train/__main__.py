"""`python -m seem_model.train CONFIG`: trains a configuration; run again, it resumes."""

from __future__ import annotations

import argparse
import math
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from seem_model.config import CONFIGS
from seem_model.seem import Seem
from seem_model.text import load_text_encoder
from seem_model.train.dataset import CLASS_AGNOSTIC, read_folder
from seem_model.train.loop import Trainer
from seem_model.train.recipe import RECIPES
from seem_model.train.start import load_weights
from seem_model.train.teacher import Lessons, Teacher
from seem_model.train.team import join
from seem_model.train.vocabulary import (
    KeptTexts,
    Vocabulary,
    read_imagenet_names,
    read_synonyms,
    sentences,
    unheard_of,
)


def main() -> None:
    """Reads the arguments and trains."""
    parser = argparse.ArgumentParser(prog="python -m seem_model.train", description=__doc__)
    parser.add_argument("config", choices=sorted(CONFIGS))
    parser.add_argument("--recipe", choices=sorted(RECIPES), help="default: the configuration's")
    parser.add_argument("--data", type=Path, required=True, help="COCO-style folder")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--steps", type=int, help="instead of the recipe's")
    parser.add_argument("--minutes", type=float, default=math.inf, help="end the run after these")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads for the arithmetic")
    parser.add_argument(
        "--start", type=Path, help="begin with these weights (model/weights) in place of ImageNet's"
    )
    parser.add_argument("--device", default="cpu", help="cpu, or cuda where there is one")
    parser.add_argument("--workers", type=int, default=1, help="processes that read images")
    parser.add_argument(
        "--texts", type=Path, help="file that keeps the encoded names, made where it is missing"
    )
    parser.add_argument("--sources", nargs="*", help="only these sources")
    parser.add_argument(
        "--free-licences", action="store_true", help="only images that anybody may use and adapt"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    config, recipe = CONFIGS[arguments.config], RECIPES[arguments.recipe or arguments.config]
    team = join()
    if arguments.device.startswith("cuda"):
        torch.set_float32_matmul_precision("high")
    if arguments.steps:
        recipe = replace(recipe, steps=arguments.steps)
    sources = frozenset(arguments.sources) if arguments.sources else None
    images = read_folder(arguments.data, sources=sources, only_free=arguments.free_licences)
    names = sorted({a["name"] for i in images for a in i.annotations} - {CLASS_AGNOSTIC})
    torch.manual_seed(recipe.seed)
    model = Seem(config)
    if config.backbone.imagenet_weights:
        model.backbone.load_imagenet(config.backbone.imagenet_weights)
    if arguments.start:
        load_weights(model, arguments.start)
        recipe = replace(recipe, freeze_norms_after=0.0)  # they have settled
    model.backbone.freeze(config.backbone.frozen_stages)
    encoder = KeptTexts(arguments.texts, partial(load_text_encoder, config))
    classes = read_imagenet_names()
    others = unheard_of(names, classes, encoder)
    vocabulary = Vocabulary(names, encoder, synonyms=read_synonyms(), others=others)
    lessons = None
    if recipe.distillation_weight and config.backbone.imagenet_weights:
        lessons = Lessons(Teacher(config.backbone), sentences(encoder, classes))
    if team.leads:
        encoder.save()
    trainer = Trainer(
        model,
        vocabulary,
        images,
        recipe,
        arguments.out,
        lessons=lessons,
        device=arguments.device,
        budget_s=arguments.minutes * 60,
        team=team,
    )
    if trainer.resume():
        print(f"resuming at step {trainer.step} of {recipe.steps}")
    trainer.run(n_workers=arguments.workers)


if __name__ == "__main__":
    main()
