"""The text benchmark: a name goes in, and all that has this name is to come out.

Asked are, of each image: every name that is marked; each of these by the words for it that
training never saw; and, where the image is marked exhaustively, names of its source that are not.
A source's names are those that are marked in any of its images.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from seem_server.commands.clicks import iou
from seem_server.commands.stills import evenly, opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from seem_client import Client, Session
    from seem_server.commands.stills import Still
    from seem_server.commands.synonyms import Synonyms


class Kind(StrEnum):
    """Why something is asked."""

    NAME = "name"
    SYNONYM = "synonym"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Question:
    """A word to say, and the name in the dataset that it stands for."""

    kind: Kind
    name: str
    said: str


@dataclass(frozen=True, slots=True)
class Page:
    """An image with what is to be asked about it."""

    still: Still
    questions: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a question.

    Attributes:
        iou: Of the mask with all that has the name; None where that is nothing.
        score: What the model thought its IoU to be.
        presence: How sure the model was that it is there, 0 to 1; None where it doesn't say.
        is_present: What the server said in the end.
    """

    source: str
    image: str
    question: Question
    iou: float | None
    score: float
    presence: float | None
    is_present: bool


def pages(
    stills: Sequence[Still],
    synonyms: Synonyms,
    *,
    limit: int | None = None,
    absent: int | None = None,
) -> tuple[Page, ...]:
    """What to ask about each image; those with nothing to ask are left out.

    limit: at most so many (image, name), evenly spread. absent: at most so many absent names for
    each image, chosen by its file's name; None for all of them.
    """
    listed = names_of_sources(stills)
    pairs = evenly([(still, name) for still in stills for name in still.names], limit)
    chosen: dict[str, list[str]] = {}
    for still, name in pairs:
        chosen.setdefault(str(still.path), []).append(name)
    found = []
    for still in stills:
        names = chosen.get(str(still.path), [])
        questions = [Question(Kind.NAME, name, name) for name in names]
        questions += [
            Question(Kind.SYNONYM, name, word) for name in names for word in synonyms.get(name, ())
        ]
        if names:
            candidates = absent_names(still, listed[still.source], synonyms)
            questions += [
                Question(Kind.ABSENT, name, name) for name in _sample(candidates, absent, still)
            ]
            found.append(Page(still, tuple(questions)))
    return tuple(found)


def names_of_sources(stills: Iterable[Still]) -> dict[str, tuple[str, ...]]:
    """Each source's names, in the order in which they come."""
    found: dict[str, dict[str, None]] = {}
    for still in stills:
        found.setdefault(still.source, {}).update(dict.fromkeys(still.names))
    return {source: tuple(names) for source, names in found.items()}


def absent_names(still: Still, listed: Iterable[str], synonyms: Synonyms) -> tuple[str, ...]:
    """The names of `listed` that are not in the image; none where it is not exhaustive.

    A name that says the same as one that is there, or more or less than it, is neither there nor
    absent: "tofu" where "fried tofu" is marked, or a word for it that was kept back.
    """
    if not still.exhaustive:
        return ()
    there = [word for name in still.names for word in (name, *synonyms.get(name, ()))]
    return tuple(name for name in listed if not any(_overlap(name, word) for word in there))


def ask(
    client: Client, asked: Iterable[Page], *, done: Callable[[], object] = lambda: None
) -> tuple[Answer, ...]:
    """Asks every question in a session for each image; calls `done` after each.

    Raises:
        SeemError: The server failed, or refused an image, or takes no words.
    """
    answers = []
    for page in asked:
        with opened(client, page.still) as session:
            for question in page.questions:
                answers.append(_answer(session, page.still, question))
                done()
    return tuple(answers)


def _answer(session: Session, still: Still, question: Question) -> Answer:
    prediction = session.text(question.said)
    session.clear()
    achieved = None
    if question.kind is not Kind.ABSENT:
        counted = still.counted(session.size)
        achieved = iou(prediction.mask, still.union(question.name), counted)
    return Answer(
        source=still.source,
        image=still.path.name,
        question=question,
        iou=achieved,
        score=prediction.score,
        presence=prediction.presence,
        is_present=prediction.is_present,
    )


def _overlap(one: str, other: str) -> bool:
    """Whether the words of one name are among those of the other, in this order."""
    return f" {one} " in f" {other} " or f" {other} " in f" {one} "


def _sample(names: Sequence[str], count: int | None, still: Still) -> tuple[str, ...]:
    if count is None or count >= len(names):
        return tuple(names)
    chance = np.random.default_rng(zlib.crc32(still.path.name.encode()))
    return tuple(names[place] for place in sorted(chance.choice(len(names), count, replace=False)))
