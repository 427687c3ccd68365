"""The training loop: rounds of prompts on random crops, checkpoints that resume, a log."""

from __future__ import annotations

import copy
import json
import math
import time
import zlib
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Subset
from tqdm import tqdm

from seem_model.seem import sentence
from seem_model.train import losses
from seem_model.train.batch import Batch, Batches, Slot, correct, make_batch, prompt_tensors
from seem_model.train.dataset import NOTHING, CropDataset, SourceImage
from seem_model.train.teacher import Lessons, distillation_loss
from seem_model.train.team import Team

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from seem_model.seem import Answers, ImageFeatures, Seem
    from seem_model.train.recipe import Recipe
    from seem_model.train.vocabulary import Vocabulary

LOG_EVERY = 20
SAVE_EVERY = 250
WATCH_EVERY = 1000
WATCH_ROUNDS = 5
N_WATCHED = 40

SOURCES_OF_PARTS = ("ccp", "carparts")
"""Whose places belong to a whole as well, which other sources name."""

ALIKE = 0.45
"""Cosine of two names from which on they may mean the same thing."""


class Trainer:
    """One run in one folder: `log.jsonl`, `checkpoint.pt`.

    `budget_s` seconds of training end the run, and its cosine, before the recipe's steps do.
    `team`: who trains along; each member takes the recipe's images in every step.
    """

    def __init__(
        self,
        model: Seem,
        vocabulary: Vocabulary,
        images: list[SourceImage],
        recipe: Recipe,
        folder: Path,
        *,
        lessons: Lessons | None = None,
        device: str = "cpu",
        budget_s: float = math.inf,
        team: Team | None = None,
    ) -> None:
        self.budget_s = budget_s
        self.team = team or Team()
        self.progress = 0.0
        self.device = torch.device(device)
        self.model = model.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(model).eval().requires_grad_(requires_grad=False)
        self.vocabulary = vocabulary
        self.recipe = recipe
        self.lessons = lessons
        if lessons is not None:
            sentences = lessons.sentences.to(self.device)
            self.lessons = Lessons(lessons.teacher.to(self.device), sentences)
        self.folder = folder
        self.step = 0
        self.seconds = 0.0
        self._started = time.monotonic()
        training, watched = split(images, recipe.held_out_share)
        together = recipe.images_per_step * self.team.size
        self.data = CropDataset(
            training,
            vocabulary.names,
            sizes=recipe.crop_sizes,
            length=recipe.steps * together,
            together=together,
            seed=recipe.seed,
        )
        self.watched = CropDataset(
            watched,
            vocabulary.names,
            sizes=recipe.crop_sizes[-1:],
            length=N_WATCHED,
            together=1,
            seed=recipe.seed + 1,
        )
        self.stuff = stuff_names(images)
        self.told_from = _told_from(self.data, vocabulary)
        self.learned = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(self._parameter_groups(), weight_decay=0.0)
        self._names = tuple(t.to(self.device) for t in vocabulary.plain())

    def run(self, *, n_workers: int = 1) -> None:
        """Trains from `self.step` to the recipe's end."""
        torch.manual_seed(self.recipe.seed)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._started = time.monotonic() - self.seconds
        quiet = not self.team.leads
        bar = tqdm(
            total=self.recipe.steps, initial=self.step, unit="step", mininterval=5, disable=quiet
        )
        totals: dict[str, list[Tensor]] = {}
        for batch in self._batches(n_workers):
            for name, value in self._train_step(batch).items():
                totals.setdefault(name, []).append(value)
            self.step += 1
            bar.update()
            if self.step % LOG_EVERY == 0:
                means = {name: float(torch.stack(all_).mean()) for name, all_ in totals.items()}
                bar.set_postfix(iou=f"{means['iou_last']:.3f}")
                self._log({"kind": "train", **means})
                totals.clear()
            if self.step % WATCH_EVERY == 0 and self.team.leads:
                self._log({"kind": "watch", "iou": self.watch()})
            if self.step % SAVE_EVERY == 0:
                self.save()
            if self.progress >= 1:
                break
        self.save()
        bar.close()

    def save(self) -> None:
        """Writes the checkpoint; an interrupted write leaves the old one."""
        if not self.team.leads:
            return
        target = self.folder / "checkpoint.pt"
        part = target.with_suffix(".part")
        state = {
            "config": self.model.config.name,
            "recipe": asdict(self.recipe),
            "names": self.vocabulary.names,
            "stuff": self.stuff,
            "step": self.step,
            "seconds": self.seconds,
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        torch.save(state, part)
        part.replace(target)

    def resume(self) -> bool:
        """Continues from the folder's checkpoint; whether there was one."""
        path = self.folder / "checkpoint.pt"
        if not path.exists():
            return False
        state = torch.load(path, map_location=self.device, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds = state["step"], state["seconds"]
        self.progress = self._share_done(self.step)
        return True

    @torch.inference_mode()
    def watch(self) -> list[float]:
        """Mean IoU of the averaged weights after 1, 2, ... rounds on crops kept apart."""
        rng = np.random.default_rng(self.recipe.seed)
        rounds: list[list[float]] = [[] for _ in range(WATCH_ROUNDS)]
        together = self.recipe.images_per_step
        for first in range(0, len(self.watched), together):
            many = range(first, min(first + together, len(self.watched)))
            crops = [self.watched[index] for index in many]
            batch = make_batch(crops, self.recipe.slots_per_image, rng, self.vocabulary.others)
            features = self.average.encode(_network_input(batch.image.to(self.device)))
            previous = None
            target = batch.target.to(self.device).float()
            present = self._present(batch.slots).bool()
            for number in range(WATCH_ROUNDS):
                logits, previous = self._round(self.average, features, batch.slots, previous, rng)
                achieved = losses.iou(logits.flatten(0, 1), target.flatten(0, 1))
                rounds[number] += achieved[present].tolist()
                correct(batch.slots, logits, rng)
        return [round(float(np.mean(values)), 4) for values in rounds]

    def _train_step(self, batch: Batch) -> dict[str, Tensor]:
        recipe, slots = self.recipe, batch.slots
        common = np.random.default_rng([recipe.seed, 1, self.step])
        rng = np.random.default_rng([recipe.seed, 1, self.step, self.team.rank])
        n_rounds = 1 + int(common.choice(len(recipe.rounds), p=recipe.rounds))
        target = batch.target.to(self.device).float()
        self._set_rates()
        self._train_mode()
        image = _network_input(batch.image.to(self.device))
        with self._precision():
            features = self.model.encode(image)
        figures: dict[str, Tensor] = {}
        loss = torch.zeros((), device=self.device)
        previous: Tensor | None = None
        for number in range(n_rounds):
            learning = number in (0, n_rounds - 1)
            with torch.set_grad_enabled(learning):
                meanings = features.maps.embedding
                prompts = prompt_tensors(slots, previous, self.vocabulary, rng, meanings)
                with self._precision():
                    answers = self.model.answer(features, prompts)
                answers = type(answers)(*(answer.float() for answer in answers))
                if learning:
                    loss = loss + self._loss(answers, target, slots, figures)
            previous = answered(answers, slots).detach()
            logits = _to_target_size(previous)
            figures["iou_first" if number == 0 else "iou_last"] = self._mean_iou(
                logits, target, slots
            )
            if number < n_rounds - 1:
                correct(slots, logits, rng)
                if rng.random() < recipe.coarse_memory:
                    previous = _coarsened(previous)
        figures.setdefault("iou_last", figures["iou_first"])
        meant = self._meaning_loss(features, image, batch, rng, figures)
        loss = loss / min(n_rounds, 2) + meant
        self._update(loss)
        return figures | {"loss": loss.detach()}

    def _present(self, slots: list[list[Slot]]) -> Tensor:
        """1 for each slot whose thing is there, (B n,)."""
        told = [float(slot.present) for row in slots for slot in row]
        return torch.tensor(told, device=self.device)

    def _mean_iou(self, logits: Tensor, target: Tensor, slots: list[list[Slot]]) -> Tensor:
        present = self._present(slots)
        achieved = losses.iou(logits.flatten(0, 1), target.flatten(0, 1))
        return (achieved * present).sum() / present.sum().clamp(min=1)

    def _precision(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.bfloat16)

    def _loss(
        self,
        answers: Answers,
        target: Tensor,
        slots: list[list[Slot]],
        figures: dict[str, Tensor],
    ) -> Tensor:
        recipe = self.recipe
        flat = [slot for row in slots for slot in row]
        present = self._present(slots)
        weight = torch.where(present > 0, 1.0, 0.3)
        true = target.flatten(0, 1)
        true_4 = functional.avg_pool2d(true[:, None], 2)[:, 0]
        true_8 = functional.avg_pool2d(true[:, None], 4)[:, 0]
        every = answers.mask_logits.flatten(0, 1)  # (N, 1 + q, h4, w4)
        drawn = _to_target_size(every[:, :1])[:, 0]
        parts = {
            "mask": (losses.mask_loss(drawn, true) * weight).mean(),
            "hypothesis": (losses.hypothesis_loss(every[:, 1:], true_4) * weight).mean(),
            "proposal": (
                losses.proposal_loss(answers.proposals.flatten(0, 1), true_8) * weight
            ).mean(),
            "iou": self._iou_loss(answers.iou.flatten(0, 1), every.detach(), true_4, present),
            "presence": functional.binary_cross_entropy(answers.presence.flatten(), present),
            "semantic": self._semantic_loss(answers.semantic[:, :, 0].flatten(0, 1), flat),
        }
        figures.update({name: part.detach() for name, part in parts.items()})
        return (
            parts["mask"]
            + recipe.hypothesis_weight * parts["hypothesis"]
            + recipe.proposal_weight * parts["proposal"]
            + recipe.iou_weight * parts["iou"]
            + recipe.presence_weight * parts["presence"]
            + recipe.semantic_weight * parts["semantic"]
        )

    def _iou_loss(self, told: Tensor, every: Tensor, true: Tensor, present: Tensor) -> Tensor:
        """Squared error of the predicted IoUs (N, 1 + q) of all masks, where the thing is there."""
        repeated = true[:, None].expand_as(every).flatten(0, 1)
        achieved = losses.iou(every.flatten(0, 1), repeated).reshape(told.shape)
        return (
            ((told - achieved) ** 2 * present[:, None]).sum()
            / present.sum().clamp(min=1)
            / told.shape[1]
        )

    def _meaning_loss(
        self,
        features: ImageFeatures,
        image: Tensor,
        batch: Batch,
        rng: np.random.Generator,
        figures: dict[str, Tensor],
    ) -> Tensor:
        """What places mean: by the names of what is marked there, and by the classifier."""
        recipe, meanings = self.recipe, features.maps.embedding
        scale = self.model.logit_scale.exp().clamp(max=100)
        words = self.model.embed_text(*(t.to(self.device) for t in self.vocabulary.drawn(rng)))
        names = torch.cat([words, self.model.nothing()[None]])
        labels = batch.labels.to(self.device).long()
        labels = torch.where(labels == NOTHING, len(words), labels)
        among = torch.stack([self.told_from[source] for source in batch.sources]).to(self.device)
        seen = torch.where(labels < 0, len(words), labels)  # what was pasted in is known as well
        among = among.scatter(
            1, seen.flatten(1), torch.ones_like(seen.flatten(1), dtype=torch.bool)
        )
        loss = recipe.meaning_weight * losses.meaning_loss(meanings, labels, names, scale, among)
        figures["meaning"] = loss.detach()
        if self.lessons is not None and self.step % recipe.teach_every == 0:
            with self._precision():
                taught = self.lessons.teacher(image)
            classes = self.model.in_joint_space(self.lessons.sentences)
            lesson = distillation_loss(meanings, taught, classes, scale)
            figures["distillation"] = lesson.detach()
            loss = loss + recipe.distillation_weight * recipe.teach_every * lesson
        return loss

    def _semantic_loss(self, semantic: Tensor, slots: list[Slot]) -> Tensor:
        """Cross-entropy over the vocabulary, for slots whose name is known."""
        known = [i for i, slot in enumerate(slots) if slot.name is not None]
        if not known:
            return semantic.sum() * 0
        words = self.model.embed_text(*self._names)
        scale = self.model.logit_scale.exp().clamp(max=100)
        labels = torch.tensor([self.vocabulary.index[str(slots[i].name)] for i in known])
        labels = labels.to(self.device)
        return functional.cross_entropy(scale * semantic[known] @ words.T, labels)

    def _update(self, loss: Tensor) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.seconds = time.monotonic() - self._started
        self.progress = self.team.agree(self.learned, self._share_done(self.step + 1))
        nn.utils.clip_grad_norm_(self.learned, self.recipe.gradient_clip)
        self.optimizer.step()
        decay = min(self.recipe.average_decay, (1 + self.step) / (10 + self.step))
        mine, averaged = self.model.state_dict(), self.average.state_dict()
        pairs = [(averaged[name], mine[name]) for name in averaged]
        floats = [pair for pair in pairs if pair[0].is_floating_point()]
        with torch.no_grad():
            olds, news = (list(tensors) for tensors in zip(*floats, strict=True))
            torch._foreach_lerp_(olds, news, 1 - decay)
            for old, new in pairs:
                if not old.is_floating_point():
                    old.copy_(new)

    def _round(
        self,
        model: Seem,
        features: ImageFeatures,
        slots: list[list[Slot]],
        previous: Tensor | None,
        rng: np.random.Generator,
    ) -> tuple[Tensor, Tensor]:
        meanings = features.maps.embedding
        prompts = prompt_tensors(slots, previous, self.vocabulary, rng, meanings)
        chosen = answered(model.answer(features, prompts), slots)
        return _to_target_size(chosen), chosen

    def _train_mode(self) -> None:
        """Training mode, but the backbone's batch norms keep their ImageNet statistics.

        Late in the run all of them keep the averaged ones.
        """
        if self.progress < self.recipe.freeze_norms_after:
            self.model.train()
            self.model.backbone.eval()
        elif self.model.training:
            averaged = dict(self.average.named_buffers())
            for name, buffer in self.model.named_buffers():
                buffer.copy_(averaged[name])
            self.model.eval()

    def _parameter_groups(self) -> list[dict[str, Any]]:
        groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
        for name, parameter in self.model.named_parameters():
            if parameter.requires_grad:
                key = (name.startswith("backbone."), parameter.ndim > 1)
                groups.setdefault(key, []).append(parameter)
        return [
            {
                "params": parameters,
                "rate": self.recipe.backbone_rate if backbone else 1.0,
                "weight_decay": self.recipe.weight_decay if matrix else 0.0,
            }
            for (backbone, matrix), parameters in groups.items()
        ]

    def _set_rates(self) -> None:
        """Linear warm-up, then a cosine to a hundredth (Loshchilov & Hutter 2017)."""
        warm = min(1.0, (self.step + 1) / self.recipe.warmup_steps)
        cosine = 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * self.progress))
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.learning_rate * warm * cosine * group["rate"]

    def _share_done(self, steps: int) -> float:
        return min(1.0, max(steps / self.recipe.steps, self.seconds / self.budget_s))

    def _batches(self, n_workers: int) -> Iterator[Batch]:
        batches = Batches(self.data, self.recipe, self.vocabulary.others, self.team.rank)
        loader = DataLoader(
            Subset(batches, range(self.step, len(batches))),
            batch_size=None,
            num_workers=n_workers,
            prefetch_factor=4 if n_workers else None,
            worker_init_fn=_alone,
        )
        yield from loader

    def _log(self, entry: dict[str, Any]) -> None:
        if not self.team.leads:
            return
        line = {"step": self.step, "seconds": round(self.seconds, 1), **entry}
        with (self.folder / "log.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")


def split(
    images: list[SourceImage], held_out_share: float
) -> tuple[list[SourceImage], list[SourceImage]]:
    """Training images and those kept apart, by a hash of the file's name."""
    apart = [is_held_out(image.path, held_out_share) for image in images]
    pairs = list(zip(images, apart, strict=True))
    return [i for i, kept in pairs if not kept], [i for i, kept in pairs if kept]


def stuff_names(images: list[SourceImage]) -> list[str]:
    """Names that are never marked thing by thing, sorted."""
    kinds: dict[str, set[str]] = {}
    for image in images:
        for annotation in image.annotations:
            kinds.setdefault(annotation["name"], set()).add(annotation["kind"])
    return sorted(name for name, found in kinds.items() if found == {"stuff"})


def is_held_out(path: Path, share: float) -> bool:
    """Whether an image is kept apart from training, by a hash of its file's name."""
    return zlib.crc32(path.name.encode()) % 1000 < share * 1000


def answered(answers: Answers, slots: list[list[Slot]]) -> Tensor:
    """The mask that a person gets, (B, n, h4, w4): of an ambiguous prompt the likeliest reading."""
    told = [[slot.is_ambiguous for slot in row] for row in slots]
    ambiguous = torch.tensor(told, device=answers.iou.device)
    best = torch.where(ambiguous, answers.iou.argmax(2), 0)
    rows = answers.mask_logits.shape[-2:]
    index = best[:, :, None, None, None].expand(-1, -1, 1, *rows)
    return answers.mask_logits.gather(2, index)[:, :, 0]


def _coarsened(logits: Tensor) -> Tensor:
    """(B, n, h, w) as a look from three times as far would have given it."""
    small = functional.interpolate(logits, scale_factor=1 / 3, mode="bilinear", antialias=True)
    return functional.interpolate(small, logits.shape[-2:], mode="bilinear")


def _told_from(data: CropDataset, vocabulary: Vocabulary) -> dict[str, Tensor]:
    """For each source the names, and nothing last, that its places are told from: (V + 1,) bool.

    A source's own; and for sources of whole things those of COCO, but for such as a person could
    also use for something of the source's own.
    """
    sentences = functional.normalize(_mean_states(vocabulary), dim=1)
    common = [
        vocabulary.index[name] for name in data.by_name.get("coco", {}) if name in vocabulary.index
    ]
    told = {}
    for source, by_name in data.by_name.items():
        own = [vocabulary.index[name] for name in by_name if name in vocabulary.index]
        among = torch.zeros(len(vocabulary.names) + 1, dtype=torch.bool)
        if source not in SOURCES_OF_PARTS and own and common:
            alike = (sentences[common] @ sentences[own].T).amax(1)
            among[torch.tensor(common)[alike < ALIKE]] = True
        among[own] = True
        among[-1] = True
        told[source] = among
    return told


def _mean_states(vocabulary: Vocabulary) -> Tensor:
    states, mask = vocabulary.plain()
    return sentence(states, mask)


def _alone(_worker: int) -> None:
    """A loading process has one core: OpenCV would take all of them."""
    cv2.setNumThreads(0)


def _network_input(image: Tensor) -> Tensor:
    """(B, S, S, 3) uint8 to (B, 3, S, S) float, (x - 127.5) / 127.5, channels last."""
    normal = (image.permute(0, 3, 1, 2).float() - 127.5) / 127.5
    return normal.contiguous(memory_format=torch.channels_last)


def _to_target_size(mask_logits: Tensor) -> Tensor:
    """Stride 4 to stride 2, bilinear."""
    return functional.interpolate(mask_logits, scale_factor=2, mode="bilinear")
