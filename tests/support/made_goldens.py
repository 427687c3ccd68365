"""Recorded outputs as the reference program's, but of a small variant and made here.

They are written in float32 straight from the model, so that what reads and compares them is tested
without the real ones.
"""

from dataclasses import replace

import numpy as np
import torch
from PIL import Image
from published_models import SIZES, small_variant

from seem_model.clip_tokenizer import ClipTokenizer
from seem_model.decoder import dot_map
from seem_model.published import (
    BY_EXAMPLE,
    BY_MARKS,
    BY_TEXT,
    MAX_LOGIT_SCALE,
    PublishedSeem,
    prompts_of_nothing,
)
from seem_model.rule_weights import fill
from seem_model.variants import MEAN, STD, Wiring
from seem_wire import rle, segments
from seem_wire.resample import bilinear, to_original

ORIGINAL, RESIZED, PADDED = (60, 90), (40, 60), (64, 64)
TEXTS = ["a dog", "the red car"]
SIGNS, DRAWS = ("pos", "neg"), ("mean", "l0", "l1", "l2")
N_CLASSES = 134


def recordable(wiring=Wiring.V1):
    """A small variant that takes the ids of the real tokenizer."""
    return replace(small_variant(wiring), sizes=replace(SIZES, text_ids=49408))


class Recorder:
    """Writes the files of one wiring; `root` holds the shared ones as well."""

    def __init__(self, root, wiring):
        self.root, self.wiring = root, wiring
        self.model = PublishedSeem(recordable(wiring)).eval().requires_grad_(requires_grad=False)
        fill(self.model)
        generator = np.random.default_rng(7)
        self.pictures = [
            generator.integers(0, 256, (*ORIGINAL, 3), dtype=np.uint8) for _ in range(2)
        ]
        height, width = RESIZED
        self.resized = [
            np.asarray(Image.fromarray(one).resize((width, height), Image.Resampling.BICUBIC))
            for one in self.pictures
        ]
        vocabulary = generator.standard_normal((N_CLASSES, SIZES.hidden)).astype(np.float32)
        self.vocabulary = vocabulary / np.linalg.norm(vocabulary, axis=1, keepdims=True)
        self.features = [self.encode(one) for one in self.resized]

    def encode(self, picture):
        image = np.zeros((1, 3, *PADDED), np.float32)
        normal = (picture.astype(np.float32) - np.float32(MEAN)) / np.float32(STD)
        image[0, :, : RESIZED[0], : RESIZED[1]] = normal.transpose(2, 0, 1)
        return self.model.encode(torch.from_numpy(image))

    def save(self, name, *, folder="", **arrays):
        path = self.root / (folder or f"small_{self.wiring}") / f"{name}.npz"
        path.parent.mkdir(exist_ok=True, parents=True)
        np.savez(path, **{key: np.asarray(value) for key, value in arrays.items()})
        return path

    def shared(self):
        pictures = {f"raw{i}": one for i, one in enumerate(self.pictures)}
        pictures |= {f"resized{i}": one for i, one in enumerate(self.resized)}
        self.save("preprocess", folder="focalt_shared", **pictures)
        vocabulary = self.vocabulary
        self.save("text", folder="focalt_shared", default_text_embeddings_centered=vocabulary)

    def nothing(self, objects=1):
        sizes = self.model.variant.sizes
        return prompts_of_nothing(self.features[0], objects=objects, sizes=sizes)

    def encoder(self):
        maps = self.model.backbone(self.network_input())
        features = self.features[0]
        return self.save(
            "encoder",
            res2=maps[0],
            **thinned("mask_features", features.mask_features.numpy(), (1, 3, 2, 2)),
            decoder_src_0=features.levels[0].values.flatten(2).permute(2, 0, 1),
            multi_scale_1=self.model.sem_seg_head.pixel_decoder(maps).scales[1],
        )

    def network_input(self):
        image = torch.zeros(1, 3, *PADDED)
        normal = (torch.from_numpy(self.resized[0].copy()) - torch.tensor(MEAN)) / torch.tensor(STD)
        image[0, :, : RESIZED[0], : RESIZED[1]] = normal.permute(2, 0, 1)
        return image

    def clicks(self, name, *, memory=False):
        """Two objects, the second with a negative dot."""
        batched = self.wiring is Wiring.V0
        positive, negative = (np.zeros((2, *PADDED), bool) for _ in range(2))
        positive[0, 10:13, 20:23] = positive[1, 25:30, 40:50] = True
        negative[1, 5:8, 5:8] = True
        arrays = {"mask_shape": positive.shape}
        for sign, masks in zip(SIGNS, (positive, negative), strict=True):
            arrays[f"{sign}_mask_bits"] = np.packbits(masks, axis=-1)
            arrays |= self.drawn(sign, masks, batched=batched)
        prompts = self.marks(positive, negative)
        if not batched:
            rows = np.array([8, 0, 3, 5, 5, 1])
            arrays["query_idx"] = rows
            prompts = prompts._replace(query_rows=torch.from_numpy(rows).reshape(1, 2, 3))
        if memory:
            prompts, extra = self.remembering(prompts, batched=batched)
            arrays |= extra
        answers, heads = self.model.trace(self.features[0], prompts)
        arrays |= self.said_of_marks(answers, heads, batched=batched)
        return self.save(name, **self.unprompted(2 if batched else 1), **arrays)

    def drawn(self, sign, masks, *, batched):
        arrays = {}
        for draw in DRAWS:
            name = f"pts_{sign}_{draw}"
            if batched:
                for number, mask in enumerate(masks):
                    arrays[name + (f"_b{number}" if number else "")] = np.argwhere(mask)
            else:
                arrays[name] = np.argwhere(masks)
        return {key: value.astype(np.int32) for key, value in arrays.items()}

    def marks(self, positive, negative):
        most = int((positive | negative).sum((1, 2)).max())
        points = np.zeros((1, len(positive), 4, most, 2), np.float32)
        labels = np.full(points.shape[:-1], -1, np.float32)
        for number, pair in enumerate(zip(positive, negative, strict=True)):
            places = [np.argwhere(mask)[:, ::-1] for mask in pair]
            n = sum(map(len, places))
            points[0, number, :, :n] = np.concatenate(places)
            labels[0, number, :, :n] = [1] * len(places[0]) + [0] * len(places[1])
        return self.nothing(len(positive))._replace(
            points=torch.from_numpy(points),
            labels=torch.from_numpy(labels),
            selector=torch.full((1, len(positive)), BY_MARKS),
        )

    def remembering(self, prompts, *, batched):
        previous = np.random.default_rng(3).normal(size=(2, 16, 16)).astype(np.float32)
        owners = np.sort(np.random.default_rng(4).integers(0, 2, (3, 4)), axis=1)
        seen = torch.from_numpy(owners).expand(1, 2, 3, 4)
        arrays = {"prev_mask_in": previous[None], "memory_idx_per_layer": owners}
        if batched:
            seen = torch.arange(2)[None, :, None, None].expand(1, 2, 3, 4)
            arrays = {"prev_mask_in": previous[:, None]}
        previous = torch.from_numpy(previous)[None]
        return prompts._replace(previous_mask=previous, memory_owners=seen), arrays

    def said_of_marks(self, answers, heads, *, batched):
        features = self.features[0].mask_features
        embeddings, captions = answers.embeddings[0], answers.captions[0]  # (n, q, C)
        masks = dot_map(embeddings[None], features)[0]
        early = torch.stack([dot_map(head.embeddings, features)[0] for head in heads[:-1]])
        match = (embeddings * answers.pooled[0, :, None, 0]).sum(2)
        final = to_original(
            answers.mask_logits[0].numpy(),
            padded=PADDED,
            resized=RESIZED,
            size=ORIGINAL,
            last=bilinear,
        )
        bits = np.packbits(final > 0, axis=-1)
        if batched:
            return {
                "pred_pspatials": answers.pooled[0, :, :1],
                "pred_nspatials": answers.pooled[0, :, 1:],
                **thinned("pred_smasks", masks.numpy(), (1, 2, 2, 2)),
                "pred_smaskembs_q10": embeddings[:, ::10],
                "aux_pred_smasks_q10_s4": early[:, 0, ::10, ::4, ::4],
                "prev_mask_out": answers.mask_logits[0, :, None],
                "match_logits": match,
                "final_mask_bits": bits[:, None],
                "final_shape": (2, 1, *ORIGINAL),
            }
        every = embeddings.flatten(0, 1) @ answers.pooled[0, :, 0].T
        return {
            "pred_pspatials": answers.pooled[:, :, 0],
            "pred_nspatials": answers.pooled[:, :, 1],
            "pred_smasks": masks.flatten(0, 1)[None],
            "pred_smaskembs": embeddings.flatten(0, 1)[None],
            "pred_stexts": captions.flatten(0, 1)[None],
            "aux_pred_smasks_s4": early.flatten(1, 2)[..., ::4, ::4],
            "prev_mask_out": answers.mask_logits,
            "match_logits": every[None],
            "final_mask_bits": bits[None],
            "final_shape": (1, 2, *ORIGINAL),
        }

    def unprompted(self, batch=1):
        return self.said_of_objects(*self.model.trace(self.features[0], self.nothing()), batch)

    def said_of_objects(self, answers, heads, batch=1, features=None):
        features = (features or self.features[0]).mask_features
        masks = dot_map(answers.embeddings, features)[0]  # (1, q, h, w)
        early = torch.stack([dot_map(head.embeddings, features)[0, 0] for head in heads[:-1]])
        logits = torch.stack([self.logits(head.captions[0, 0]) for head in heads[:-1]])
        return {
            "pred_logits": self.logits(answers.captions[0]).expand(batch, -1, -1),
            **thinned("pred_masks", masks.expand(batch, -1, -1, -1).numpy(), (1, 4, 2, 2)),
            "aux_pred_masks_s8": early[:, ::4, ::8, ::8],
            "aux_pred_logits_q5": logits[:, :5],
        }

    def logits(self, captions):
        return self.model.class_logits(captions, torch.from_numpy(self.vocabulary))

    def words(self, name, texts=tuple(TEXTS)):
        tokens, sentences, ids = self.encoded(texts)
        prompts = self.nothing()._replace(
            text=tokens[None, None], text_mask=torch.ones(1, 1, len(tokens))
        )
        answers = self.model.decode(self.features[0], prompts)
        unit = (sentences / sentences.norm(dim=1, keepdim=True)).T
        captions = answers.captions[0, 0]
        scale = self.model.language.logit_scale.exp().clamp(max=MAX_LOGIT_SCALE)
        match = scale * (captions / captions.norm(dim=1, keepdim=True)) @ unit
        chosen = match.argmax(0)
        masks = dot_map(answers.embeddings[:, :, chosen], self.features[0].mask_features)[0, 0]
        final = to_original(masks.numpy(), padded=PADDED, resized=RESIZED, size=ORIGINAL)
        return self.save(
            name,
            **self.unprompted(),
            texts=list(texts),
            input_ids=ids,
            grounding_tokens=tokens[:, None],
            class_emb=sentences,
            pred_gtexts=answers.captions[0],
            match_logits=match,
            matched_id=chosen,
            matched_masks=masks,
            grounding_mask_s4=final[:, ::4, ::4],
            final_mask_bits=np.packbits(final > 0, axis=-1),
            final_shape=final.shape,
        )

    def encoded(self, texts):
        rows = ClipTokenizer().encode(texts)
        states = [self.model.language.states(torch.tensor([row]))[0] for row in rows]
        ids = np.full((len(rows), 77), rows[0][-1])
        for number, row in enumerate(rows):
            ids[number, : len(row)] = row
        return torch.cat(states), torch.stack([one[-1] for one in states]), ids

    def everything(self):
        answers, heads = self.model.trace(self.features[0], self.nothing())
        masks = dot_map(answers.embeddings, self.features[0].mask_features)[0, 0].numpy()
        final = to_original(masks, padded=PADDED, resized=RESIZED, size=ORIGINAL)
        chances = self.logits(answers.captions[0, 0]).softmax(1).numpy()
        found = segments.instances(chances, final, range(80))
        scores = segments.semantic_scores(chances, final)
        arrays = {
            "sem_seg_argmax": scores.argmax(0),
            "sem_seg_s16": scores[:, ::16, ::16],
            "inst_scores": [one.score for one in found],
            "inst_classes": [one.label for one in found],
            "inst_area": [one.area for one in found],
            "inst_masks_top5": np.packbits([rle.decode(one.mask) for one in found[:5]], axis=-1),
        }
        for suffix, threshold, overlap in (("", 0.8, 0.8), ("_t0.2_o0.5", 0.2, 0.5)):
            panoptic = segments.panoptic(chances, final, range(80), threshold, overlap)
            rows = [[one.id, one.is_thing, one.label] for one in panoptic.segments]
            arrays[f"panoptic_seg{suffix}"] = panoptic.ids
            arrays[f"panoptic_info{suffix}"] = np.array(rows, np.int64).reshape(-1, 3)
        return self.save("none", **self.said_of_objects(answers, heads), **arrays)

    def example_arrays(self, word):
        """A square on the reference picture: what it looks like, as `word`_query_pos and so on."""
        mask = np.zeros((1, *RESIZED), bool)
        mask[0, 10:20, 10:25] = True
        tall = np.zeros((1, *PADDED), bool)
        tall[:, : RESIZED[0], : RESIZED[1]] = mask
        prompts = self.marks(tall, tall & False)
        tokens = self.model.example(self.features[1], prompts.points, prompts.labels)
        arrays = {"ref_mask_bits": np.packbits(mask, axis=-1)}
        for sign, masks in zip(SIGNS, (tall, tall & False), strict=True):
            arrays |= self.drawn(sign, masks, batched=self.wiring is not Wiring.V1)
        arrays |= {
            f"{word}_query_pos": tokens.vector,
            f"{word}_query_neg": tokens.negative_vector,
        }
        for level in range(3):
            arrays[f"src_{word}_queries_{level}"] = tokens.examples[0, 0, level][:, None]
            arrays[f"src_{word}_maskings_{level}"] = np.zeros((1, int(mask.sum())), bool)
        return tokens, arrays

    def with_example(self, prompts, tokens):
        count = tokens.examples.shape[3]
        return prompts._replace(
            examples=tokens.examples,
            example_mask=torch.ones(1, 1, count),
            example_vector=tokens.vector,
            selector=torch.full((1, 1), BY_EXAMPLE),
        )

    def refimg(self):
        tokens, arrays = self.example_arrays("spatial")
        if self.wiring is Wiring.V1:
            return self.save("refimg", **arrays, target_error="it failed")
        answers = self.model.decode(self.features[0], self.with_example(self.nothing(), tokens))
        masks = dot_map(answers.embeddings, self.features[0].mask_features)[0]
        return self.save(
            "refimg",
            **arrays,
            **self.unprompted(),
            pred_pspatials=tokens.vector,
            pred_nspatials=tokens.negative_vector,
            pred_smasks=masks,
            prev_mask_out=answers.mask_logits,
        )

    def demo(self, name):
        """A stroke, a text and an example at once; or an example on a rolled frame, as video."""
        tokens, arrays = self.example_arrays("visual")
        self.save("example_tokens", **arrays)
        features, prompts, arrays = self.features[0], self.nothing(), {}
        if name.startswith("video_frame"):
            shift = int(name.removeprefix("video_frame"))
            rolled = np.roll(self.resized[0], (5 * shift, 9 * shift), (0, 1))
            features = self.encode(rolled)
        if "text" in name:
            words, sentences, _ = self.encoded([TEXTS[0]])
            arrays |= {"text": [TEXTS[0]], "grounding_tokens": words[:, None]}
            arrays |= {"grounding_class": sentences}
            prompts = prompts._replace(
                text=words[None, None],
                text_mask=torch.ones(1, 1, len(words)),
                sentence=sentences[None],
                selector=torch.full((1, 1), BY_TEXT),
            )
        if "example" in name or "video" in name:
            prompts = self.with_example(prompts, tokens)
            arrays |= {"pred_pvisuals": tokens.vector, "pred_nvisuals": tokens.negative_vector}
        if "stroke" in name:
            stroke = np.zeros((1, *PADDED), bool)
            stroke[0, 7:10, 30:33] = True
            shown = stroke[:, : RESIZED[0], : RESIZED[1]]
            arrays["stroke_bits"] = np.packbits(shown, axis=-1)
            for sign, masks in zip(SIGNS, (stroke, stroke & False), strict=True):
                arrays |= self.drawn(sign, masks, batched=True)
            marks = self.marks(stroke, stroke & False)
            points, labels, by_marks = marks.points, marks.labels, marks.selector
            prompts = prompts._replace(points=points, labels=labels, selector=by_marks)
        answers, heads = self.model.trace(features, prompts)
        if "stroke" in name:
            arrays |= {"pred_pspatials": answers.pooled[:, :, 0]}
            arrays |= {"pred_nspatials": answers.pooled[:, :, 1]}
        logits = answers.mask_logits[0].numpy()
        final = bilinear(logits, PADDED)[:, : RESIZED[0], : RESIZED[1]]
        selected = answers.selected[0, 0]
        return self.save(
            name,
            **self.said_of_objects(answers, heads, features=features),
            **arrays,
            match_logits=answers.match[0, 0],
            matched_query=selected,
            matched_class=self.logits(answers.captions[0, 0]).argmax(1)[selected],
            matched_mask_logits=logits,
            final_mask_bits=np.packbits(final > 0, axis=-1),
            final_shape=final.shape,
        )


def thinned(name, whole, strides):
    """The arrays that stand for one of which only every so many elements are kept."""
    sample = whole[tuple(slice(None, None, step) for step in strides)]
    flat = whole.astype(np.float64)
    stats = [flat.mean(), flat.std(), np.linalg.norm(flat), np.abs(flat).max()]
    return {
        f"{name}__sample": sample,
        f"{name}__strides": strides,
        f"{name}__shape": whole.shape,
        f"{name}__stats": stats,
    }


def rewrite(path, folder, *, without=(), **changed):
    """A copy of a recorded file within `folder`, some arrays replaced, added or left out."""
    arrays = {name: array for name, array in np.load(path).items() if name not in without}
    other = folder / path.parent.name / path.name
    other.parent.mkdir(exist_ok=True)
    np.savez(other, **(arrays | changed))
    return other
