"""The bundle: a folder with all that serving needs of a model, and nothing more.

    bundle.json           what `specs` says, and the SHA-256 of every other file
    image_encoder.onnx    image -> features
    prompt_decoder.onnx   features + prompts -> masks
    text_encoder.onnx     token ids -> token states     (these two only where texts are offered)
    tokenizer.json        of the Hugging Face `tokenizers` library
    example_encoder.onnx  features + prompts of another image -> tokens   (where it is offered)
    mask_head.onnx        mask embeddings of queries + features -> masks  (published models)
    vocabulary.npy        (V, joint_width) float32: names that the model can put on what it finds

A bundle comes from outside: nothing in it is believed before it was checked, and a bundle that is
not exactly as listed is refused, saying what was expected.
"""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from seem_server.runtime.fields import Fields
from seem_server.runtime.manifest import MANIFEST, listed_files, read_manifest
from seem_wire.errors import (
    BundleFileMissing,
    BundleHashMismatch,
    BundleInvalid,
    BundleNotFound,
    BundleVersionUnknown,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from seem_server.runtime.specs import BundleManifest, FileSpec

FORMAT = 2
MAX_MANIFEST_BYTES = 8 * 1024**2


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle whose every file was found to be as listed."""

    folder: Path
    manifest: BundleManifest

    def path(self, name: str) -> Path:
        """Where one of its files lies."""
        return self.folder / name


def shipped_bundles() -> Mapping[str, Path]:
    """The bundles that came with the installation: name to folder."""
    spec = importlib.util.find_spec("seem_model")  # finds the package without importing torch
    found = {}
    for root in (spec.submodule_search_locations if spec else None) or ():
        for manifest in sorted(Path(root, "bundles").glob(f"*/{MANIFEST}")):
            found[manifest.parent.name] = manifest.parent
    return found


def find_bundle(name_or_folder: str | Path) -> Path:
    """The folder of a shipped bundle, or the folder itself.

    Raises:
        BundleNotFound: It is neither.
    """
    folder = Path(name_or_folder)
    if _has_manifest(folder):
        return folder
    shipped = shipped_bundles()
    if str(name_or_folder) in shipped:
        return shipped[str(name_or_folder)]
    known = ", ".join(shipped) or "none"
    raise BundleNotFound(
        f"'{name_or_folder}' is no shipped bundle ({known}) and no folder with a {MANIFEST}."
    )


def read_bundle(name_or_folder: str | Path) -> Bundle:
    """A bundle, every byte of it checked against its manifest.

    Raises:
        BundleNotFound: No such bundle.
        BundleVersionUnknown: It is of another format.
        BundleFileMissing: A listed or needed file is not there.
        BundleHashMismatch: A file is not the one that was listed.
        BundleInvalid: The manifest or the vocabulary is malformed, or a file can't be read.
    """
    folder = find_bundle(name_or_folder)
    try:
        return _read(folder)
    except OSError as error:
        raise BundleInvalid(f"A file of the bundle in {folder} can't be read: {error}.") from error


def _has_manifest(folder: Path) -> bool:
    try:
        return (folder / MANIFEST).is_file()
    except OSError:  # a name that no file can have
        return False


def _read(folder: Path) -> Bundle:
    fields = Fields.of_text(_manifest_text(folder / MANIFEST), MANIFEST)
    version = fields.whole("format", 0, 1 << 31)
    if version != FORMAT:
        raise BundleVersionUnknown(
            f"The bundle is of format {version}; this server reads {FORMAT}. {_remedy(version)}"
        )
    files = listed_files(fields)
    for file in files:
        _verify(folder, file)
    return Bundle(folder, read_manifest(fields, files, folder))


def _remedy(version: int) -> str:
    return "Export or convert it again." if version < FORMAT else "A newer server may read it."


def _manifest_text(path: Path) -> bytes:
    if path.stat().st_size > MAX_MANIFEST_BYTES:
        raise BundleInvalid(f"{MANIFEST} has more than {MAX_MANIFEST_BYTES} bytes.")
    return path.read_bytes()


def _verify(folder: Path, file: FileSpec) -> None:
    path = folder / file.name
    if not path.is_file():
        raise BundleFileMissing(f"{file.name} is listed in {MANIFEST} and not in {folder}.")
    n_bytes = path.stat().st_size
    if n_bytes != file.n_bytes:
        raise BundleHashMismatch(f"{file.name} has {n_bytes} bytes; {file.n_bytes} are listed.")
    with path.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    if sha256 != file.sha256:
        raise BundleHashMismatch(f"{file.name} has the SHA-256 {sha256}; {file.sha256} is listed.")
