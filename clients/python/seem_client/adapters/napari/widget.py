"""The dock widget: what is drawn is said to a server in another thread, and the masks are shown.

One job runs at a time. What is drawn while it runs is said by the next one, together; so a person
never waits, and quick clicks need not queue up. Where no server answers, the same is tried again
every few seconds, until it does.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari.layers import Image, Labels
from napari.qt.threading import create_worker
from qtpy.QtCore import QTimer

from seem_client.adapters.link import is_session_gone
from seem_client.adapters.napari.board import MOST_OBJECTS, Board
from seem_client.adapters.napari.marks import Kind, Mark
from seem_client.adapters.napari.panel import NOT_THIS_KEY, Panel
from seem_client.adapters.napari.pictures import Picture
from seem_client.adapters.napari.sitting import Sitting
from seem_wire.errors import (
    BadPrompt,
    Fault,
    LimitExceeded,
    NotOffered,
    OnlyNegativePrompts,
    SeemError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from seem_client import Prediction

    Job = Callable[[], Iterator[object]]

logger = logging.getLogger(__name__)

SOON_MS, RETRY_MS = 30, 2000
"""How long drawing is waited for to go on, and a server to come back."""

_UNWANTED = (BadPrompt, LimitExceeded, NotOffered)


@dataclass(frozen=True, slots=True)
class _Trouble:
    """What went wrong, as a sentence; `again`: it may go better by itself."""

    sentence: str
    again: bool = False


@dataclass(frozen=True, slots=True)
class _Refused:
    """What was said of an object makes no sense; `keep`: not yet, but more may be said."""

    object_id: int
    sentence: str
    keep: bool


@dataclass(frozen=True, slots=True)
class _Changed:
    """Which marks counted, and which do now."""

    before: frozenset[Mark]
    now: frozenset[Mark]


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """All that is in the image."""

    predictions: list[Prediction]
    frame: int | None


class SeemWidget(Panel):
    """What napari docks; `napari_viewer` is given by it."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(MOST_OBJECTS)
        self._viewer = napari_viewer
        self._board: Board | None = None
        self._sitting: Sitting | None = None
        self._worker: Any = None
        self._stop = threading.Event()
        self._reach = self.reach()
        self._asked: frozenset[Mark] | None = None  # by the job that says what was drawn
        self._stuck: frozenset[Mark] | None = None  # not to be asked again as they are
        self._names: dict[int, str] = {}
        self._soon, self._later = QTimer(self), QTimer(self)
        for timer, milliseconds in ((self._soon, SOON_MS), (self._later, RETRY_MS)):
            timer.setSingleShot(True)
            timer.setInterval(milliseconds)
            timer.timeout.connect(self._say_what_is_new)
        self._connect_controls()
        for event in (napari_viewer.layers.events.inserted, napari_viewer.layers.events.removed):
            event.connect(self._layers_changed)
        self._layers_changed()
        self.say("Choose an image, and begin.")

    def _connect_controls(self) -> None:
        for line in (self.address, self.token_file, self.tls_ca):
            line.editingFinished.connect(self._server_chosen)
        self.tls.toggled.connect(self._server_chosen)
        self.begin.clicked.connect(self._begin)
        self.new.clicked.connect(self._new_object)
        self.object_id.valueChanged.connect(self._object_chosen)
        self.name.editingFinished.connect(self._named)
        self.not_this.toggled.connect(self._object_chosen)
        self.words.returnPressed.connect(self._say_words)
        self.give_mask.clicked.connect(self._give_mask)
        self.undo.clicked.connect(lambda: self._change(Sitting.undo))
        self.redo.clicked.connect(lambda: self._change(Sitting.redo))
        self.clear.clicked.connect(lambda: self._change(Sitting.clear))
        self.everything.clicked.connect(self._ask_for_everything)
        self.follow.clicked.connect(self._follow)
        self._enable()

    # --- an image

    def _begin(self) -> None:
        image = self.image.currentData()
        if image is None:
            self.say("There is no image layer: open an image first.", is_trouble=True)
            return
        self.end()
        try:
            data = image.data[0] if image.multiscale else image.data
            low, high = (0, 1) if image.rgb else image.contrast_limits
            picture = Picture(data, image.rgb, (float(low), float(high)))
        except SeemError as error:
            self.say(str(error), is_trouble=True)
            return
        frames = () if picture.n_frames is None else (picture.n_frames,)
        self._server_chosen()
        self._sitting = Sitting(picture, lambda: self._reach)
        board = self._board = Board(self._viewer, image, (*frames, *picture.size))
        for layer in (board.points, board.shapes):
            layer.events.data.connect(lambda _: self._soon.start())
            layer.bind_key(NOT_THIS_KEY, lambda _: self.not_this.toggle(), overwrite=True)
        board.result.events.selected_label.connect(self._label_chosen)
        self._object_chosen()
        self._say_what_is_new()

    def _server_chosen(self) -> None:
        self._reach, self._stuck = self.reach(), None

    def end(self) -> None:
        """Lets go of the image: its session ends, and its masks stay."""
        self._stop.set()
        self._soon.stop()
        self._later.stop()
        board, sitting = self._board, self._sitting
        self._board = self._sitting = self._worker = None
        self._asked, self._stuck, self._names = None, None, {}
        if board is not None:
            board.remove()
        if sitting is not None:  # it may wait for a server
            threading.Thread(target=sitting.close, name="seem-close", daemon=True).start()
        self._enable()

    def closeEvent(self, event: Any) -> None:  # noqa: N802 - Qt's name
        """Ends what is going on."""
        self.end()
        super().closeEvent(event)

    def _layers_changed(self, event: Any = None) -> None:
        layers = self._viewer.layers
        self.offer(self.image, [one for one in layers if isinstance(one, Image)])
        self.offer(self.masks, [one for one in layers if isinstance(one, Labels)])
        board, gone = self._board, getattr(event, "value", None)
        if (
            board is not None
            and event is not None
            and event.type == "removed"
            and gone in (*board.layers, board.image)
        ):
            self.end()
            self.say("A layer of this image was removed; begin again to go on.")

    # --- objects

    def _object_chosen(self) -> None:
        object_id = self.object_id.value()
        self.name.setText(self._names.get(object_id, ""))
        if self._board is not None:
            self._board.say_of(object_id, positive=not self.not_this.isChecked())
            self._board.result.selected_label = object_id

    def _label_chosen(self) -> None:
        if self._board is not None and self._board.result.selected_label:
            self.object_id.setValue(int(self._board.result.selected_label))

    def _new_object(self) -> None:
        if self._board is not None:
            used = {one.object_id for one in self._board.marks()}
            self.object_id.setValue(max(used, default=0) + 1)
        self.not_this.setChecked(False)

    def _named(self) -> None:
        if self._board is not None:
            self._names[self.object_id.value()] = self.name.text().strip()
            self._board.name(self._names)

    # --- what is said

    def _say_words(self) -> None:
        board, words = self._board, self.words.text().strip()
        if board is not None and words:
            object_id = self.object_id.value()
            board.add(Mark(Kind.WORDS, object_id, frame=board.frame(), words=words))
            if not self.name.text():
                self.name.setText(words)
                self._named()
            self.words.clear()
            self._say_what_is_new()

    def _give_mask(self) -> None:
        board, labels = self._board, self.masks.currentData()
        if board is None or labels is None:
            return
        if labels.data.shape != board.result.data.shape:
            self.say("This labels layer is not of the image's size.", is_trouble=True)
            return
        board.add(board.painted(labels, self.object_id.value(), board.frame()))
        self._say_what_is_new()

    def _say_what_is_new(self) -> None:
        board, sitting = self._board, self._sitting
        if board is None or sitting is None or self._worker is not None:
            return
        board.colour()
        marks = board.marks()
        wanted = frozenset(marks)
        if wanted == self._stuck or (sitting.has_session and wanted == set(sitting.said)):
            return

        def say() -> Iterator[object]:
            if not sitting.has_session:
                sitting.begin()
                yield "Point at an object, draw around it, or say what it is."
            for object_id in sitting.changed(marks):
                try:
                    yield _about(object_id, sitting.say(object_id, marks))
                except _UNWANTED as error:
                    keep = isinstance(error, OnlyNegativePrompts)
                    yield _Refused(object_id, str(error), keep)

        self._do(say, "…" if sitting.has_session else "The server looks at the image …", wanted)

    def _change(self, act: Callable[[Sitting], None]) -> None:
        sitting, board = self._sitting, self._board
        if sitting is None or board is None:
            return
        before = board.marks() if act is Sitting.clear else sitting.said

        def change() -> Iterator[object]:
            act(sitting)
            yield _Changed(frozenset(before), frozenset(sitting.said))

        self._do(change, "…")

    def _ask_for_everything(self) -> None:
        sitting, board = self._sitting, self._board
        if sitting is None or board is None:
            return
        frame, names = board.frame(), self.names()

        def ask() -> Iterator[object]:
            yield _Found(sitting.everything(names, frame or 0), frame)

        self._do(ask, "The server looks for everything …")

    def _follow(self) -> None:
        sitting, board = self._sitting, self._board
        if sitting is None or board is None:
            return
        if self._worker is not None:
            self._stop.set()
            return
        self._stop = stop = threading.Event()
        first, n_frames = board.frame() or 0, board.result.data.shape[0]

        def follow() -> Iterator[object]:
            for tracked in sitting.follow(first):
                yield f"Frame {tracked.index + 1} of {n_frames}."
                if stop.is_set():
                    break

        self._do(follow, "The objects are followed …")
        self.follow.setText("Stop")
        self.follow.setEnabled(True)

    # --- jobs

    def _do(self, job: Job, sentence: str, asked: frozenset[Mark] | None = None) -> None:
        """Runs a job in another thread; what it yields is shown, and what goes wrong told."""
        if self._worker is not None:
            return
        self._later.stop()
        self._asked, sitting = asked, self._sitting
        self.say(sentence)

        def heard(news: object) -> None:
            if sitting is self._sitting:
                self._hear(news)

        def finished() -> None:
            if sitting is self._sitting:
                self._worker = None
                self._enable()
                if not self._later.isActive():
                    self._say_what_is_new()

        self._worker = create_worker(
            _in_sentences, job, _connect={"yielded": heard, "finished": finished}
        )
        self._enable()

    def _hear(self, news: object) -> None:
        board, sitting = self._board, self._sitting
        if board is None or sitting is None:
            return
        match news:
            case _Trouble():
                self.say(news.sentence, is_trouble=True)
                if news.again:
                    self._later.start()
                else:
                    self._stuck = self._asked
            case _Refused():
                self.say(news.sentence, is_trouble=True)
                self._stuck = self._asked
                if not news.keep:
                    self._take_back(board, sitting, news.object_id)
            case _Found():
                board.show_everything(news.predictions, news.frame)
                self.say(f"{len(news.predictions)} things were found.")
            case _Changed():
                board.change(gone=news.before - news.now, back=news.now - news.before)
                self.say("")
            case _:
                self.say(str(news))
        board.draw(sitting.masks)

    def _take_back(self, board: Board, sitting: Sitting, object_id: int) -> None:
        """What was tried to say of an object leaves the layers; what counts comes back to them."""
        tried = {one for one in self._asked or () if one.object_id == object_id}
        counts = {one for one in sitting.said if one.object_id == object_id}
        board.change(gone=tried - counts, back=counts - tried)

    def _enable(self) -> None:
        sitting, is_free = self._sitting, self._worker is None
        is_video = self._board is not None and self._board.frame() is not None
        self.follow.setText("Follow forward")
        for control, can in (
            (self.undo, sitting is not None and sitting.can_undo),
            (self.redo, sitting is not None and sitting.can_redo),
            (self.clear, sitting is not None and bool(sitting.said)),
            (self.everything, sitting is not None),
            (self.follow, is_video),
        ):
            control.setEnabled(bool(can and is_free))
        self.give_mask.setEnabled(sitting is not None)


def _in_sentences(job: Job) -> Iterator[object]:
    """An edge: what a job yields, and whatever it raises as a sentence."""
    try:
        yield from job()
    except SeemError as error:
        again = error.fault is Fault.CAPACITY or is_session_gone(error)
        yield _Trouble(str(error), again)
    except OSError as error:
        yield _Trouble(f"A file cannot be read: {error}.")
    except Exception:
        logger.exception("the plug-in broke")
        yield _Trouble("The image cannot be read, or the plug-in broke: the log says more.")


def _about(object_id: int, found: Prediction | None) -> str:
    if found is None:
        return f"Object {object_id} is forgotten."
    if not found.area:
        return f"Object {object_id} is not to be seen."
    return f"Object {object_id}: {found.area:,} pixels, score {found.score:.2f}."
