"""The tokenizer against a second, plain one; and against ids that were recorded."""

import hashlib
import json
import re
from itertools import pairwise

import pytest

from seem_model.clip_tokenizer import (
    BPE_FILE,
    ClipTokenizer,
    build_tokenizer,
    letters_of_bytes,
    read_merges,
)

START, END = 49406, 49407
TEXTS = [
    "The corgi.",
    "person in a blue-ish jacket's hood",
    "they'll say it isn't 2024's 1234567 zebras!!! (really?)",
    "naïve café Ångström ﬁne",
    "ΟΔΥΣΣΕΥΣ Straße İstanbul",
    "一只斑马 シマウマ 얼룩말",
    "🦓🦓 zebra 👩‍👩‍👧 ok",
    "<|endoftext|> <start_of_text>",
    "e\u0301\u0327 \u0301",
    "abababababababab aaaaaaaaaaaaa hahahahaha",
    "~~--~~ ''s 's't 'ſ",
]


@pytest.fixture(scope="module")
def tokenizer():
    return ClipTokenizer()


@pytest.fixture(scope="module")
def ranks():
    return {pair: rank for rank, pair in enumerate(read_merges())}


def merged(word, ranks):
    """Byte-pair encoding as its definition says: merge the best pair everywhere, and again."""
    letters = dict(zip(ordered_bytes(), letters_of_bytes(), strict=True))
    pieces = [letters[byte] for byte in word.encode()]
    pieces[-1] += "</w>"
    while True:
        pairs = [pair for pair in pairwise(pieces) if pair in ranks]
        if not pairs:
            return pieces
        best, i = min(pairs, key=ranks.__getitem__), 0
        while i < len(pieces) - 1:
            if (pieces[i], pieces[i + 1]) == best:
                pieces[i : i + 2] = ["".join(best)]
            i += 1


def ordered_bytes():
    printable = [byte for byte in range(256) if chr(byte).isprintable() and byte != ord(" ")]
    return printable + [byte for byte in range(256) if byte not in printable]


def words(text):
    """Words of a text whose letters are known to Python and whose only digits are decimal."""
    return re.findall(r"'(?:[stmdſ]|re|ve|ll)|[^\W\d_]+|\d|(?:[^\w\s]|_)+", text)


def test_the_merges_are_the_published_ones():
    digest = hashlib.sha256(BPE_FILE.read_bytes()).hexdigest()
    assert digest == "924691ac288e54409236115652ad4aa250f48203de50a9e4722a6ecd48d6804a"


def test_no_two_merges_make_the_same_piece(ranks):
    # So the order in which equal pairs of a word are merged can't matter.
    assert len({"".join(pair) for pair in ranks}) == len(ranks) == 48894


def test_letters_stand_for_bytes_one_to_one():
    letters = letters_of_bytes()
    assert len(set(letters)) == 256
    assert letters[:3] == ["!", '"', "#"]
    assert letters[-1] == chr(0x100 + 67)


@pytest.mark.parametrize("text", TEXTS)
def test_ids_are_those_of_plain_byte_pair_encoding(tokenizer, ranks, text):
    from seem_wire.cleaning import clean

    vocabulary = tokenizer.tokenizer.get_vocab()
    expected = [vocabulary[piece] for word in words(clean(text)) for piece in merged(word, ranks)]
    assert tokenizer.encode([text]) == [[START, *expected, END]]


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("", []),
        ("  \n ", []),
        ("a  Zebra, on the LEFT!", [320, 22548, 267, 525, 518, 1823, 256]),
        ("3 red cars", [274, 736, 3346]),
    ],
)
def test_recorded_ids(tokenizer, text, ids):
    assert tokenizer.encode([text]) == [[START, *ids, END]]


def test_a_long_text_keeps_both_ends(tokenizer):
    (ids,) = tokenizer.encode(["zebra " * 200])
    assert ids == [START, *[22548] * 75, END]


def test_a_text_can_not_spell_the_end(tokenizer):
    (ids,) = tokenizer.encode(["one <|endoftext|> two <|startoftext|> three"])
    assert ids.count(END) == ids.count(START) == 1


def test_a_combining_iota_is_skipped_as_in_the_published_tokenizer(tokenizer):
    assert tokenizer.encode(["a\u0345b!\u0345?"]) == tokenizer.encode(["a b! ?"])
    assert tokenizer.encode(["a\u0344b"]) != tokenizer.encode(["a b"])


def test_the_file_of_a_bundle_gives_the_same(tokenizer, tmp_path):
    from seem_server.runtime.load import open_tokenizer
    from seem_wire.cleaning import clean

    tokenizer.tokenizer.save(str(tmp_path / "tokenizer.json"), pretty=False)
    opened = open_tokenizer(tmp_path / "tokenizer.json", max_tokens=77)
    for text in [*TEXTS, "zebra " * 200, ""]:
        assert [opened.encode(clean(text)).ids] == tokenizer.encode([text])


def test_the_file_has_no_trace_of_words_that_stand_for_themselves(tokenizer):
    document = json.loads(tokenizer.tokenizer.to_str())
    assert document["added_tokens"] == []


def test_other_merges_make_another_tokenizer():
    tiny = build_tokenizer([("a", "b</w>")])
    assert tiny.encode("ab ba").ids[1:-1] == [512, *(tiny.token_to_id(p) for p in ("b", "a</w>"))]
