"""A bundle of the kind of the published models, with graphs small enough to read.

The image's features are its colours at stride 4, and their mean: C = 4. A learned query is a row of
TABLE; what is said about an object is added to each of its queries, so that everything said changes
the mask; a mask is a query times the features.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
from bundles import edit, relist
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

TABLE = np.array(
    [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0]], np.float32
)
NAMES = ("red", "green", "blue", "background")
WORDS = ("[UNK]", "red", "green", "blue", ".")

_HEAD = '<ir_version: 8, opset_import: ["" : 18]>'
_IMAGE_ENCODER = """
image_encoder (float[B,3,H,W] image) => (float[B,4,h,w] mask_features)
<int64[1] channels = {1}>
{
  colours = AveragePool <kernel_shape = [4, 4], strides = [4, 4]> (image)
  grey = ReduceMean <keepdims = 1> (colours, channels)
  mask_features = Concat <axis = 1> (colours, grey)
}
"""
_SAID = """
  said_of = Constant <value_int = 0> ()
  drawn = Gather <axis = 2> (points, said_of)
  signs = Gather <axis = 2> (labels, said_of)
  positive = Equal (signs, one)
  weight = Cast <to = 1> (positive)
  weight_4 = Unsqueeze (weight, last)
  place = Mul (drawn, weight_4)
  place_sum = ReduceSum <keepdims = 0> (place, axis_2)
  place_pair = Concat <axis = 2> (place_sum, place_sum)
  where = Div (place_pair, hundred)
"""
_PROMPT_DECODER = f"""
prompt_decoder (
  float[B,4,h,w] mask_features, float[B,n,4,P,2] points, float[B,n,4,P] labels,
  float[B,n,T,4] text, float[B,n,T] text_mask, float[B,n,4] sentence,
  float[B,n,3,V,4] examples, float[B,n,V] example_mask, float[B,n,4] example_vector,
  float[B,n,h,w] previous_mask, int64[B,n,q] query_rows, int64[B,n,2,m] memory_owners,
  int64[B,n] selector
) => (
  float[B,n,h,w] mask_logits, int64[B,n] selected, float[B,n,q] match,
  float[B,n,q,4] embeddings, float[B,n,q,4] captions
)
<float[5,4] table = {{{", ".join(str(float(x)) for x in TABLE.ravel())}}},
 float one = {{1.0}}, float hundred = {{100.0}}, int64 zero = {{0}}, int64 marks = {{0}},
 int64 words = {{1}}, int64[1] last = {{-1}}, int64[1] axis_2 = {{2}}, int64[2] axes_23 = {{2, 3}},
 int64[2] shown_axes = {{2, 4}}, float[2] on_off = {{0.0, 1.0}}>
{{
  {_SAID}
  token_weight = Unsqueeze (text_mask, last)
  tokens = Mul (text, token_weight)
  spoken = ReduceSum <keepdims = 0> (tokens, axis_2)
  pixel_weight = Unsqueeze (example_mask, shown_axes)
  pixels = Mul (examples, pixel_weight)
  seen = ReduceSum <keepdims = 0> (pixels, axes_23)
  owner = ReduceMax <keepdims = 0> (memory_owners, axes_23)
  remembers = GreaterOrEqual (owner, zero)
  remembering = Cast <to = 1> (remembers)
  before = ReduceMean <keepdims = 0> (previous_mask, axes_23)
  kept = Mul (before, remembering)
  memory = Unsqueeze (kept, last)
  said_1 = Add (where, spoken)
  said_2 = Add (said_1, seen)
  said_3 = Add (said_2, memory)
  said = Unsqueeze (said_3, axis_2)
  learned = Gather <axis = 0> (table, query_rows)
  embeddings = Add (learned, said)
  spoken_q = Unsqueeze (spoken, axis_2)
  captions = Add (learned, spoken_q)
  where_c = Unsqueeze (where, last)
  sentence_c = Unsqueeze (sentence, last)
  shown_c = Unsqueeze (example_vector, last)
  by_marks_1 = MatMul (embeddings, where_c)
  by_words_1 = MatMul (captions, sentence_c)
  by_shown_1 = MatMul (embeddings, shown_c)
  by_marks = Squeeze (by_marks_1, last)
  by_words = Squeeze (by_words_1, last)
  by_shown = Squeeze (by_shown_1, last)
  chosen_by = Unsqueeze (selector, last)
  is_marks = Equal (chosen_by, marks)
  is_words = Equal (chosen_by, words)
  match_1 = Where (is_words, by_words, by_shown)
  match = Where (is_marks, by_marks, match_1)
  selected = ArgMax <axis = 2, keepdims = 0> (match)
  shape = Shape <start = 2, end = 3> (query_rows)
  picked = OneHot (selected, shape, on_off)
  picked_row = Unsqueeze (picked, axis_2)
  best = MatMul (picked_row, embeddings)
  vector = Squeeze (best, axis_2)
  mask_logits = Einsum <equation = "bnc,bchw->bnhw"> (vector, mask_features)
}}
"""
_MASK_HEAD = """
mask_head (float[B,q,4] embeddings, float[B,4,h,w] mask_features) => (float[B,q,h,w] masks)
{ masks = Einsum <equation = "bqc,bchw->bqhw"> (embeddings, mask_features) }
"""
_EXAMPLE_ENCODER = f"""
example_encoder (
  float[B,4,h,w] mask_features, float[B,n,4,V,2] points, float[B,n,4,V] labels
) => (float[B,n,3,V,4] examples, float[B,n,4] vector)
<float one = {{1.0}}, float hundred = {{100.0}}, int64[1] last = {{-1}}, int64[1] axis_2 = {{2}},
 int64[1] axis_1 = {{1}}, int64[3] levels = {{1, 2, 3}}>
{{
  {_SAID}
  three = Gather <axis = 2> (points, levels)
  four = Concat <axis = 4> (three, three)
  examples = Div (four, hundred)
  features = ReduceMean <keepdims = 0> (mask_features, spatial)
  features_n = Unsqueeze (features, axis_1)
  vector = Add (where, features_n)
}}
""".replace("int64[3] levels", "int64[2] spatial = {2, 3}, int64[3] levels")
_TEXT_ENCODER = f"""
text_encoder (int64[B,T] ids, int64[B,T] mask) => (float[B,T,4] states)
<float[5,4] table = {{{", ".join(str(float(x)) for x in np.roll(TABLE, 1, axis=0).ravel())}}}>
{{ states = Gather <axis = 0> (table, ids) }}
"""
GRAPHS = {
    "image_encoder.onnx": _IMAGE_ENCODER,
    "prompt_decoder.onnx": _PROMPT_DECODER,
    "mask_head.onnx": _MASK_HEAD,
    "example_encoder.onnx": _EXAMPLE_ENCODER,
    "text_encoder.onnx": _TEXT_ENCODER,
}


def queries_manifest():
    """The bundle.json, without its files."""
    return {
        "format": 2,
        "name": "queries",
        "variant": "made_v1",
        "version": "1",
        "image": {
            "resize": {
                "kind": "short_side",
                "short_side": 64,
                "long_side": 96,
                "rounding": "floor",
            },
            "filter": "bicubic",
            "divisor": 32,
            "mean": [127.5] * 3,
            "std": [127.5] * 3,
            "buckets": [[64, 96]],
        },
        "decoder": {
            "kind": "queries",
            "wiring": "v1",
            "query_rows": [0, 2, 4],
            "object_queries": len(TABLE),
            "memory_tokens": 3,
            "layers": 2,
            "max_points": 16,
        },
        "everything": {"threshold": 0.5, "overlap": 0.5, "n_things": 2, "instances": 10},
        "prompts": ["point", "box", "scribble", "mask", "text", "example"],
        "mask_stride": 4,
        "mask_threshold": 0.0,
        "text": {"max_tokens": 6, "width": 4, "clean": False},
        "joint_width": 4,
        "vocabulary": {"names": list(NAMES), "scale": 10.0},
        "features": ["mask_features"],
        "precision": "fp32",
        "licences": [{"covers": "all of it", "licence": "Apache-2.0", "source": ""}],
        "provenance": {},
    }


def write_query_bundle(folder, **graphs):
    """Writes the bundle; `graphs` replace files by other texts of graphs, by their stem."""
    onnx = pytest.importorskip("onnx", reason="made graphs need onnx (the `model` extra)")
    folder.mkdir()
    for name, text in (GRAPHS | {f"{stem}.onnx": one for stem, one in graphs.items()}).items():
        model = onnx.parser.parse_model(_HEAD + text)
        onnx.checker.check_model(model)
        onnx.save(model, folder / name)
    words = WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token=WORDS[0])
    tokenizer = Tokenizer(words)
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    np.save(folder / "vocabulary.npy", np.eye(4, dtype=np.float32))
    relist(folder, **queries_manifest())
    return folder


def change(folder, *path, value):
    """Puts `value` at `path` of the manifest."""

    def put(document):
        for key in path[:-1]:
            document = document[key]
        document[path[-1]] = json.loads(json.dumps(value))

    edit(folder, put)
    return folder
