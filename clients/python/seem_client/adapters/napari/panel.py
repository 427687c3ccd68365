"""The controls of the plug-in, and what they say: Qt alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from seem_client.adapters.napari.sitting import Reach

if TYPE_CHECKING:
    from collections.abc import Iterable

NOT_THIS_KEY = "n"


class Panel(QWidget):
    """All controls; whoever makes it connects them."""

    def __init__(self, most_objects: int) -> None:
        super().__init__()
        self.image, self.masks = QComboBox(), QComboBox()
        self.address = QLineEdit(Reach().address)
        self.token_file, self.tls_ca, self.tls = QLineEdit(), QLineEdit(), QCheckBox("TLS")
        self.token_file.setPlaceholderText("or the variable SEEM_TOKEN")
        self.tls_ca.setPlaceholderText("or the usual authorities")
        self.begin = QPushButton("Annotate this image")
        self.object_id, self.name = QSpinBox(), QLineEdit()
        self.object_id.setRange(1, most_objects)
        self.name.setPlaceholderText("a name")
        self.new = QPushButton("New object")
        self.not_this = QCheckBox(f"What I draw is not this object ({NOT_THIS_KEY.upper()})")
        self.words, self.vocabulary = QLineEdit(), QLineEdit()
        self.words.setPlaceholderText("say what it is, Enter")
        self.vocabulary.setPlaceholderText("all it knows, or: cat, dog")
        self.give_mask = QPushButton("Give as rough mask")
        self.undo, self.redo, self.clear = map(QPushButton, ("Undo", "Redo", "Clear"))
        self.everything, self.follow = QPushButton("Everything"), QPushButton("Follow forward")
        self.status = QLabel()
        self.status.setWordWrap(True)
        self._lay_out()

    def reach(self) -> Reach:
        """The server that is named."""
        return Reach(
            self.address.text().strip(),
            self.token_file.text().strip(),
            self.tls.isChecked(),
            self.tls_ca.text().strip(),
        )

    def names(self) -> tuple[str, ...]:
        """What to look for; nothing for all that the model knows."""
        return tuple(filter(None, map(str.strip, self.vocabulary.text().split(","))))

    def say(self, sentence: str, *, is_trouble: bool = False) -> None:
        """Shows a sentence, in place of the one before."""
        self.status.setText(sentence)
        self.status.setStyleSheet("color: #ff9592" if is_trouble else "")

    def offer(self, box: QComboBox, layers: Iterable[Any]) -> None:
        """Lists layers by their names, and keeps the one that is chosen."""
        chosen = box.currentData()
        box.blockSignals(True)
        box.clear()
        for layer in layers:
            box.addItem(layer.name, layer)
        if (at := box.findData(chosen)) >= 0:
            box.setCurrentIndex(at)
        box.blockSignals(False)

    def _lay_out(self) -> None:
        server = QFormLayout()
        for label, control in (
            ("Address", self.address), ("Token file", self.token_file), ("", self.tls),
            ("Its authority", self.tls_ca),
        ):  # fmt: skip
            server.addRow(label, control)
        group = QGroupBox("Server")
        group.setLayout(server)
        objects = QFormLayout()
        for label, row in (
            ("Image", self.image), ("", self.begin), ("Object", _row(self.object_id, self.new)),
            ("Name", self.name), ("", self.not_this), ("Words", self.words),
            ("Painted in", self.masks), ("", self.give_mask),
            ("", _row(self.undo, self.redo, self.clear)), ("Names", self.vocabulary),
            ("", _row(self.everything, self.follow)),
        ):  # fmt: skip
            objects.addRow(label, row)
        whole = QVBoxLayout(self)
        whole.addWidget(group)
        whole.addLayout(objects)
        whole.addWidget(self.status)
        whole.addStretch()


def _row(*controls: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    for control in controls:
        row.addWidget(control)
    return row
