"""A published model as the protocols use it: in PyTorch, on its own device, in its own precision.

n objects · T tokens · P clicked pixels · C joint space · h4, w4 decoder's map
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from seem_model.evaluate.framing import for_clicks, for_everything, for_texts, frame
from seem_model.evaluate.predictor import Answer, Findings
from seem_model.published import BY_MARKS, BY_TEXT, N_DRAWS, prompts_of_nothing
from seem_wire.pixels import MAX_PIXELS, spread
from seem_wire.resample import bilinear, to_original
from seem_wire.segments import Enlarged

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from seem_model.evaluate.framing import Framed, Framing
    from seem_model.published import PublishedSeem, QueryFeatures, QueryPrompts
    from seem_model.vocabularies import Encodes
    from seem_wire.pixels import Frame

    Rgb = npt.NDArray[np.uint8]
    Mask = npt.NDArray[np.bool_]
    Float32 = npt.NDArray[np.float32]

OBJECTS_AT_ONCE = 8
"""Objects never see each other, so this bounds memory and changes nothing else."""


class PublishedPredictor:
    """Answers with `model`, on the device that it is on.

    `vocabulary` (K + 1, C): unit rows, "background" last. `query_rows`: the learned queries that
    answer clicks; words are answered by all of them. All of them where None.
    """

    def __init__(
        self,
        model: PublishedSeem,
        tokenizer: Encodes,
        vocabulary: Float32 | None = None,
        query_rows: Sequence[int] | None = None,
    ) -> None:
        self._model = model.eval()
        self._tokenizer = tokenizer
        first = next(model.parameters())
        self._device, self._dtype = first.device, first.dtype
        self._vocabulary = None if vocabulary is None else self._tensor(vocabulary)
        self._rows = None if query_rows is None else self._tensor(np.array(query_rows))

    @torch.inference_mode()
    def everything(self, image: Rgb) -> Findings:
        """All that is in a picture.

        Raises:
            ValueError: There is no vocabulary.
        """
        if self._vocabulary is None:
            raise ValueError("Without a vocabulary nothing has a name.")
        framed, features = self._encode(image, for_everything(self._model.variant))
        answers = self._model.decode(features, self._nothing(features, 1))
        logits = self._model.class_logits(answers.captions[0, 0], self._vocabulary)
        masks = torch.einsum("qc,chw->qhw", answers.embeddings[0, 0], features.mask_features[0])
        enlarged = Enlarged(_array(masks), framed.padded, framed.resized, framed.size)
        return Findings(_array(logits.softmax(-1)), enlarged)

    @torch.inference_mode()
    def refer(self, image: Rgb, sentences: Sequence[str]) -> list[Mask]:
        """The mask (H, W) that each sentence speaks of.

        As published, the queries see the words of all sentences at once, and each sentence chooses
        among them: sentences that are given together influence each other.
        """
        framed, features = self._encode(image, for_texts(self._model.variant))
        texts = [self._read(sentence) for sentence in sentences]
        words = torch.cat([states for states, _ in texts])  # (T, C)
        n = len(texts)
        prompts = self._nothing(features, n)._replace(
            text=words.expand(1, n, -1, -1),
            text_mask=words.new_ones(1, n, len(words)),
            sentence=torch.stack([sentence for _, sentence in texts])[None],
            selector=torch.full((1, n), BY_TEXT, device=self._device),
        )
        logits = self._masks(features, prompts)
        masks = to_original(logits, padded=framed.padded, resized=framed.resized, size=framed.size)
        return list(masks > 0)

    @torch.inference_mode()
    def clicking(self, image: Rgb) -> ClickedPicture:
        """The picture, ready to be clicked on."""
        framed, features = self._encode(image, for_clicks(self._model.variant))
        return ClickedPicture(self, framed, features)

    @torch.inference_mode()
    def answer_clicks(
        self, features: QueryFeatures, positive: Mask, negative: Mask, before: Float32 | None
    ) -> Float32:
        """Logits (n, h4, w4) for the pixels clicked in n maps of each sign.

        `before`: the logits of the last round, which models with a memory look at.
        """
        logits = []
        for start in range(0, len(positive), OBJECTS_AT_ONCE):
            some = slice(start, start + OBJECTS_AT_ONCE)
            n = len(positive[some])
            points, labels = _listed(positive[some], negative[some])
            prompts = self._nothing(features, n, self._rows)._replace(
                points=self._tensor(points)[None],
                labels=self._tensor(labels)[None],
                selector=torch.full((1, n), BY_MARKS, device=self._device),
            )
            if before is not None and self._model.variant.has_memory:
                prompts = self._remembering(prompts, before[some])
            logits.append(self._masks(features, prompts))
        return np.concatenate(logits)

    def _nothing(
        self, features: QueryFeatures, n_objects: int, rows: Tensor | None = None
    ) -> QueryPrompts:
        sizes = self._model.variant.sizes
        return prompts_of_nothing(features, objects=n_objects, rows=rows, sizes=sizes)

    def _remembering(self, prompts: QueryPrompts, before: Float32) -> QueryPrompts:
        """All memory tokens of an object look at its own last mask."""
        own = torch.arange(len(before), device=self._device)
        sizes = self._model.variant.sizes
        return prompts._replace(
            previous_mask=self._tensor(before)[None],
            memory_owners=own[None, :, None, None].expand(
                1, -1, sizes.decoder_layers, sizes.memory_tokens
            ),
        )

    def _masks(self, features: QueryFeatures, prompts: QueryPrompts) -> Float32:
        return _array(self._model.decode(features, prompts).mask_logits[0])

    def _encode(self, image: Rgb, framing: Framing) -> tuple[Framed, QueryFeatures]:
        framed = frame(image, framing)
        return framed, self._model.encode(self._tensor(framed.values)[None])

    def _read(self, sentence: str) -> tuple[Tensor, Tensor]:
        """Token states (T, C) from start to end, and the sentence (C,)."""
        (ids,) = self._tokenizer.encode([sentence])
        tokens = torch.tensor([ids], device=self._device)
        states = self._model.language.states(tokens)[0]
        return states, self._model.language.sentence(tokens)[0]

    def _tensor(self, array: npt.NDArray[np.generic]) -> Tensor:
        tensor = torch.from_numpy(np.ascontiguousarray(array)).to(self._device)
        return tensor.to(self._dtype) if tensor.is_floating_point() else tensor


class ClickedPicture:
    """A picture's features, and the masks of the last round."""

    def __init__(
        self, predictor: PublishedPredictor, framed: Framed, features: QueryFeatures
    ) -> None:
        self._predictor = predictor
        self._framed = framed
        self._features = features
        self._before: Float32 | None = None

    @property
    def frame(self) -> Frame:
        """How the picture lies in the network's input."""
        return self._framed.frame

    def answer(self, positive: Mask, negative: Mask) -> Answer:
        """The masks for all that was clicked until now, n maps of each sign."""
        logits = self._predictor.answer_clicks(self._features, positive, negative, self._before)
        self._before = logits
        framed = self._framed
        original = to_original(
            logits,
            padded=framed.padded,
            resized=framed.resized,
            size=framed.size,
            last=bilinear,
        )
        return Answer(bilinear(logits, framed.padded) > 0, original > 0)


def _array(tensor: Tensor) -> Float32:
    array: Float32 = tensor.float().cpu().numpy()
    return array


def _listed(positive: Mask, negative: Mask) -> tuple[Float32, Float32]:
    """Clicked pixels (n, 4, P, 2) as (x, y), and their labels (n, 4, P), -1 where there is none."""
    listed = [
        [_pixels(of_sign) for of_sign in signs] for signs in zip(positive, negative, strict=True)
    ]
    most = max(1, *(sum(map(len, signs)) for signs in listed))
    points = np.zeros((len(listed), most, 2), np.float32)
    labels = np.full((len(listed), most), -1, np.float32)
    for i, (marked, unmarked) in enumerate(listed):
        n_marked, n_both = len(marked), len(marked) + len(unmarked)
        points[i, :n_both] = np.concatenate([marked, unmarked])
        labels[i, :n_marked], labels[i, n_marked:n_both] = 1, 0
    return np.stack([points] * N_DRAWS, axis=1), np.stack([labels] * N_DRAWS, axis=1)


def _pixels(mask: Mask) -> Float32:
    rows, columns = np.nonzero(mask)
    taken = spread(len(rows), MAX_PIXELS)
    return np.stack([columns[taken], rows[taken]], axis=1).astype(np.float32)
