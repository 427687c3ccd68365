"""The tokenizer of the published models, CLIP's, built from its list of merges alone.

Text is cleaned (`seem_wire.cleaning`), cut into words, and each word's UTF-8 bytes are merged by
rank (byte-pair encoding, Sennrich et al. 2016). Ids are the place in this order: 256 bytes, 256
bytes that end a word, the merges, a start, an end.

Start and end stand around every text; no text can spell them: `<|endoftext|>` typed by a person is
so many letters and signs.
"""

from __future__ import annotations

import gzip
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors

from seem_wire.cleaning import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

BPE_FILE = Path(__file__).parent / "clip" / "bpe_simple_vocab_16e6.txt.gz"
N_MERGES = 48894
"""The file lists more; CLIP takes so many that there are 49408 ids."""

MAX_TOKENS = 77
START, END = "<|startoftext|>", "<|endoftext|>"
END_OF_WORD = "</w>"
WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|\p{L}+|\p{N}|[^\s\p{L}\p{N}\x{345}]+"
"""Contractions, runs of letters, single digits, runs of anything else but space.

U+0345, a combining iota, is skipped: CLIP ignores case, and the iota's capital is a letter."""


class ClipTokenizer:
    """Texts to ids, as the published models were trained with.

    `tokenizer` is the same without the cleaning: what a bundle carries as `tokenizer.json`.
    """

    def __init__(self) -> None:
        self.tokenizer = build_tokenizer(read_merges())

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of each text from start to end, at most MAX_TOKENS with both ends kept."""
        encodings = self.tokenizer.encode_batch([clean(text) for text in texts])
        return [encoding.ids for encoding in encodings]


def read_merges(file: Path = BPE_FILE) -> list[tuple[str, str]]:
    """The pairs that are merged, the most frequent first."""
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        pairs = (line.split() for line in islice(lines, 1, 1 + N_MERGES))
        return [(first, second) for first, second in pairs]


def build_tokenizer(merges: Sequence[tuple[str, str]]) -> Tokenizer:
    """The tokenizer with these merges; it expects texts that were cleaned."""
    letters = letters_of_bytes()
    pieces = [
        *letters,
        *(letter + END_OF_WORD for letter in letters),
        *(first + second for first, second in merges),
        START,
        END,
    ]
    ids = {piece: number for number, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.BPE(ids, list(merges), end_of_word_suffix=END_OF_WORD))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORDS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{START} $A {END}", special_tokens=[(START, ids[START]), (END, ids[END])]
    )
    tokenizer.enable_truncation(MAX_TOKENS)
    return tokenizer


def letters_of_bytes() -> list[str]:
    """A printable letter for each byte, in the order of the ids.

    Bytes that are printable in Latin-1 stand for themselves and come first; the others follow, each
    as the next letter from U+0100 on.
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    return [chr(byte) for byte in printable] + [chr(0x100 + n) for n in range(256 - len(printable))]
