import json

import numpy as np
import pytest
import torch

from seem_model.train.vocabulary import (
    DATA,
    KeptTexts,
    Vocabulary,
    read_imagenet_names,
    read_synonyms,
    sentences,
    unheard_of,
)

SYNONYMS = json.loads((DATA / "synonyms.json").read_text())


@pytest.fixture
def vocabulary(letters):
    return Vocabulary(["cat", "zebra"], letters)


def test_slots_without_a_text_are_masked(vocabulary):
    states, mask = vocabulary.states([["cat", None]], np.random.default_rng(0))
    assert mask[0, 0].sum() > 0
    assert mask[0, 1].sum() == 0
    assert states.shape[:3] == mask.shape


def test_no_text_at_all_still_has_one_padding_token(vocabulary):
    states, mask = vocabulary.states([[None]], np.random.default_rng(0))
    assert states.shape == (1, 1, 1, 32)
    assert mask.sum() == 0


def test_plain_names_have_a_row_each(vocabulary):
    states, mask = vocabulary.plain()
    assert mask.sum(1).tolist() == [3, 5]
    assert states.shape == (2, 5, 32)


def lengths(vocabulary):
    """How many tokens the first name has, over many draws."""
    draws = [vocabulary.drawn(np.random.default_rng(seed)) for seed in range(40)]
    return {int(mask[0].sum()) for _, mask in draws}


def test_names_are_drawn_in_their_phrasings(vocabulary):
    assert lengths(vocabulary) == {len(f"{phrase}cat") for phrase in ("", "a ", "the ")} | {16}


def test_names_are_drawn_by_their_synonyms_too(letters, vocabulary):
    known = Vocabulary(["cat", "zebra"], letters, synonyms={"cat": ["house cat"]})
    assert lengths(known) == lengths(vocabulary) | {len("house cat")}


def test_plain_names_are_never_synonyms(letters):
    known = Vocabulary(["cat"], letters, synonyms={"cat": ["house cat"]})
    torch.testing.assert_close(known.plain()[0], letters.encode(["cat"])[0])


def test_others_can_be_said_but_are_no_names(letters):
    vocabulary = Vocabulary(["cat"], letters, others=["okapi"])
    _, mask = vocabulary.states([["okapi"]], np.random.default_rng(0))
    assert mask.sum() >= 5
    assert vocabulary.names == ["cat"]
    assert len(vocabulary.drawn(np.random.default_rng(0))[0]) == 1


def test_held_out_synonyms_are_never_encoded(letters, monkeypatch):
    heard = []
    encode = letters.encode
    monkeypatch.setattr(letters, "encode", lambda texts: heard.extend(texts) or encode(texts))
    Vocabulary(sorted(SYNONYMS), letters, synonyms=read_synonyms())
    held_out = {text for entry in SYNONYMS.values() for text in entry["held_out"]}
    trained = {text for entry in SYNONYMS.values() for text in entry["train"]}
    assert trained <= set(heard)
    assert not held_out & set(heard)


def test_every_name_has_synonyms_to_train_with_and_some_held_out():
    assert all(entry["train"] and entry["held_out"] for entry in SYNONYMS.values())
    assert list(SYNONYMS) == sorted(SYNONYMS)


def test_no_text_stands_for_two_names():
    kinds = [[name, *entry["train"], *entry["held_out"]] for name, entry in SYNONYMS.items()]
    texts = [text for entry in kinds for text in entry]
    assert len(texts) == len(set(texts))


def test_the_classifier_has_a_thousand_different_names():
    names = read_imagenet_names()
    assert len(set(names)) == len(names) == 1000
    assert all(name == name.strip() != "" for name in names)


def test_sentences_are_unit_vectors_that_tell_texts_apart(letters):
    cat, zebra = rows = sentences(letters, ["cat", "zebra"])
    torch.testing.assert_close(rows.norm(dim=1), torch.ones(2))
    assert cat @ zebra < 0.9


def test_what_may_mean_a_name_or_its_synonym_is_not_unheard_of(letters):
    texts = ["act", "feline", SYNONYMS["cat"]["held_out"][0], "zzyyxx"]  # letters alone count
    assert unheard_of(["cat"], texts, letters)[-1:] == ["zzyyxx"]
    assert not set(texts[::2]) & set(unheard_of(["cat"], texts, letters))


def test_kept_texts_need_the_encoder_once(letters, tmp_path):
    file = tmp_path / "kept" / "texts.pt"
    first = KeptTexts(file, lambda: letters)
    said = first.encode(["cat", "zebra"])
    first.save()
    again = KeptTexts(file, lambda: pytest.fail("the encoder was loaded"))
    for now, before, true in zip(
        again.encode(["cat", "zebra"]), said, letters.encode(["cat", "zebra"]), strict=True
    ):
        torch.testing.assert_close(now, before)
        torch.testing.assert_close(now, true, atol=2e-3, rtol=2e-3)
    again.save()
    with pytest.raises(pytest.fail.Exception):
        again.encode(["horse"])


def test_kept_texts_without_a_file_are_kept_for_the_run(letters, tmp_path):
    kept = KeptTexts(None, lambda: letters)
    kept.encode(["cat"])
    kept.save()
    assert list(tmp_path.iterdir()) == []
