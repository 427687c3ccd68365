import numpy as np
import pytest
import torch
from made_goldens import TEXTS

from seem_model.evaluate.parity.golden import Golden
from seem_model.evaluate.parity.sheet import Sheet
from seem_model.evaluate.parity.texts import check_texts, encode_words, meanings, tokenize
from seem_model.variants import Wiring
from seem_model.vocabularies import BACKGROUND, COCO_PANOPTIC, TEMPLATES

END = 49407


def test_texts_are_padded_with_the_id_that_ends_them():
    tokens = tokenize(["dog", ""])
    assert tokens.ids.shape == (2, 77)
    assert tokens.ids[0, :4].tolist() == [49406, 1929, END, END]
    assert tokens.mask.sum(1).tolist() == [3, 2]
    assert tokens.last.tolist() == [2, 1]


def test_words_are_the_real_tokens_of_all_texts(subjects):
    subject = subjects[Wiring.V1]
    words = encode_words(subject, TEXTS)
    alone = encode_words(subject, TEXTS[1:])
    count = alone.tokens.shape[2]
    torch.testing.assert_close(words.tokens[:, :, -count:], alone.tokens)
    torch.testing.assert_close(words.sentences[1], alone.tokens[0, 0, -1])


def test_a_meaning_is_the_unit_mean_of_unit_sentences(subjects):
    subject = subjects[Wiring.V1]
    ways = [["a dog", "the dog"], ["a cat", "the cat"]]
    sentences = encode_words(subject, ["a cat", "the cat"]).sentences
    mean = (sentences / sentences.norm(dim=1, keepdim=True)).mean(0)
    torch.testing.assert_close(meanings(subject, ways)[1], mean / mean.norm(), atol=1e-6, rtol=0)


@pytest.mark.slow
def test_all_that_was_recorded_of_texts_is_compared(tmp_path, setting_of):
    setting = setting_of(Wiring.V1)
    subject = setting.subject
    texts, long = [*TEXTS, ""], ["zebra " * 90]
    tokens = tokenize(texts)
    hidden = subject.model.language.lang_encoder(tokens.ids).detach()
    states = hidden @ subject.model.language.lang_proj.detach()
    names = [*COCO_PANOPTIC, BACKGROUND]
    bare = meanings(subject, [[name] for name in names]).numpy()
    centred = bare - bare.mean(0)
    said = [["wall-other-merged", "wall"], ["zebra", "zebra"]]
    templated = meanings(subject, [[one.format(name) for one in TEMPLATES] for _, name in said])
    path = tmp_path / "text.npz"
    np.savez(
        path,
        texts=texts,
        long_text=long,
        templated_names=[name for name, _ in said],
        input_ids=tokens.ids,
        attention_mask=tokens.mask,
        long_ids=tokenize(long).ids,
        token_emb_first12=states[:, :12],
        class_emb=states[torch.arange(3), tokens.last],
        last_hidden_state=hidden,
        class_names=names,
        default_text_embeddings_noprompt=bare,
        default_text_embeddings_centered=centred / np.linalg.norm(centred, axis=1, keepdims=True),
        templated_text_embeddings=templated,
    )
    sheet = Sheet(Golden(path))
    check_texts(sheet, setting)
    assert [row.array for row in sheet.close() if not row.ok] == []
