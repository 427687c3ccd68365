"""The bundle: a folder with all that serving needs of a model, and nothing more.

    bundle.json           what this page's dataclasses say, and the SHA-256 of every other file
    image_encoder.onnx    image -> features
    prompt_decoder.onnx   features + prompts -> masks
    text_encoder.onnx     token ids -> token states     (these two only where texts are offered)
    tokenizer.json        of the Hugging Face `tokenizers` library
    vocabulary.npy        (V, joint_width) float32: names that the model can put on what it finds

A bundle comes from outside: nothing in it is believed before it was checked, and a bundle that is
not exactly as listed is refused, saying what was expected.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seem_server.runtime.fields import Fields
from seem_wire.errors import (
    BundleFileMissing,
    BundleHashMismatch,
    BundleInvalid,
    BundleNotFound,
    BundleVersionUnknown,
)
from seem_wire.types import Licence, PromptKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]

FORMAT = 1
MANIFEST = "bundle.json"
IMAGE_ENCODER, PROMPT_DECODER = "image_encoder.onnx", "prompt_decoder.onnx"
TEXT_ENCODER, TOKENIZER = "text_encoder.onnx", "tokenizer.json"
VOCABULARY = "vocabulary.npy"

MAX_MANIFEST_BYTES = 8 * 1024**2
MAX_FILE_BYTES = 1 << 40
MAX_SIDE = 1 << 14
MAX_WIDTH = 1 << 16

_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class ImageSpec:
    """How an image becomes the network's input.

    The long side is resized to `long_side` and each side rounded to a multiple of `side_multiple`;
    RGB values of 0..255 become `(x - mean) / std`; zeros fill up to multiples of `divisor`.
    """

    long_side: int
    side_multiple: int
    divisor: int
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class TextSpec:
    """Texts are cut to `max_tokens` tokens of `width` channels."""

    max_tokens: int
    width: int


@dataclass(frozen=True, slots=True, eq=False)
class Vocabulary:
    """Names to label masks with; there may be none.

    embeddings: (V, joint_width) float32 unit rows, one a name. The softmax over
    `scale * embeddings @ semantic` is the names' probability.
    """

    names: tuple[str, ...]
    scale: float
    embeddings: Float32


@dataclass(frozen=True, slots=True)
class FileSpec:
    """A file of the bundle as it was when the bundle was made."""

    name: str
    sha256: str
    n_bytes: int


@dataclass(frozen=True, slots=True, eq=False)
class BundleManifest:
    """What a bundle says of itself.

    Attributes:
        features: Names of the image encoder's outputs, which the prompt decoder takes as inputs.
        mask_stride: Network pixels for each pixel of the mask logits.
        mask_threshold: A pixel belongs to the mask where its logit is greater.
        provenance: How the bundle was made; for people.
        model_id: Name and hash: equal ids give equal masks.
    """

    name: str
    variant: str
    version: str
    image: ImageSpec
    prompts: frozenset[PromptKind]
    mask_stride: int
    mask_threshold: float
    text: TextSpec
    joint_width: int
    vocabulary: Vocabulary
    features: tuple[str, ...]
    precision: str
    licences: tuple[Licence, ...]
    provenance: Mapping[str, object]
    files: tuple[FileSpec, ...]
    model_id: str


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
    if (folder / MANIFEST).is_file():
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
        BundleInvalid: The manifest or the vocabulary is malformed.
    """
    folder = find_bundle(name_or_folder)
    fields = Fields.of_text(_read_manifest(folder / MANIFEST), MANIFEST)
    version = fields.whole("format", 0, 1 << 31)
    if version != FORMAT:
        raise BundleVersionUnknown(
            f"The bundle is of format {version}; this server reads {FORMAT}."
        )
    files = _files(fields.within("files"))
    for file in files:
        _verify(folder, file)
    return Bundle(folder, _manifest(fields, files, folder))


def _read_manifest(path: Path) -> bytes:
    if path.stat().st_size > MAX_MANIFEST_BYTES:
        raise BundleInvalid(f"{MANIFEST} has more than {MAX_MANIFEST_BYTES} bytes.")
    return path.read_bytes()


def _files(listed: Fields) -> tuple[FileSpec, ...]:
    files = []
    for name in listed.values:
        if not _PLAIN_NAME.fullmatch(name):
            raise BundleInvalid(f"{MANIFEST}: files lists {name!r}, which is no plain file name.")
        entry = listed.within(name)
        sha256 = entry.text("sha256")
        if not _SHA256.fullmatch(sha256):
            raise BundleInvalid(f"{MANIFEST}: the SHA-256 of {name} is not 64 hexadecimal digits.")
        files.append(FileSpec(name, sha256, entry.whole("bytes", 0, MAX_FILE_BYTES)))
    return tuple(files)


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


def _manifest(fields: Fields, files: tuple[FileSpec, ...], folder: Path) -> BundleManifest:
    prompts = _prompts(fields)
    _check_needed(prompts, files)
    joint_width = fields.whole("joint_width", 1, MAX_WIDTH)
    text = fields.within("text")
    name, mask_stride = fields.text("name"), fields.whole("mask_stride", 1, 64)
    return BundleManifest(
        name=name,
        variant=fields.text("variant"),
        version=fields.text("version"),
        image=_image(fields.within("image"), mask_stride),
        prompts=prompts,
        mask_stride=mask_stride,
        mask_threshold=fields.number("mask_threshold"),
        text=TextSpec(text.whole("max_tokens", 1, 4096), text.whole("width", 1, MAX_WIDTH)),
        joint_width=joint_width,
        vocabulary=_vocabulary(fields.within("vocabulary"), folder / VOCABULARY, joint_width),
        features=_distinct(fields, "features"),
        precision=fields.text("precision"),
        licences=tuple(
            Licence(one.text("covers"), one.text("licence"), one.text("source", may_be_empty=True))
            for one in fields.objects("licences")
        ),
        provenance=fields.within("provenance").values,
        files=files,
        model_id=f"{name}@{_fingerprint(fields)}",
    )


def _prompts(fields: Fields) -> frozenset[PromptKind]:
    known = {kind.value: kind for kind in PromptKind}
    named = fields.texts("prompts")
    unknown = sorted(set(named) - set(known))
    if unknown or not named:
        raise BundleInvalid(
            f"{MANIFEST}: prompts should be some of {', '.join(known)} and is {list(named)}."
        )
    return frozenset(known[name] for name in named)


def _check_needed(prompts: frozenset[PromptKind], files: tuple[FileSpec, ...]) -> None:
    needed = [IMAGE_ENCODER, PROMPT_DECODER, VOCABULARY]
    if PromptKind.TEXT in prompts:
        needed += [TEXT_ENCODER, TOKENIZER]
    for name in needed:
        if name not in {file.name for file in files}:
            raise BundleFileMissing(f"{MANIFEST} lists no {name}, which its prompts need.")


def _image(fields: Fields, mask_stride: int) -> ImageSpec:
    spec = ImageSpec(
        long_side=fields.whole("long_side", 1, MAX_SIDE),
        side_multiple=fields.whole("side_multiple", 1, 256),
        divisor=fields.whole("divisor", 1, 1024),
        mean=fields.numbers("mean", 3),
        std=fields.numbers("std", 3),
    )
    if min(spec.std) <= 0:
        raise BundleInvalid(f"{MANIFEST}: image: std should be positive and is {spec.std}.")
    if spec.side_multiple % mask_stride or spec.divisor % spec.side_multiple:
        raise BundleInvalid(
            f"{MANIFEST}: image: side_multiple {spec.side_multiple} should be a multiple of the"
            f" mask_stride {mask_stride} and a divisor of divisor {spec.divisor}."
        )
    return spec


def _vocabulary(fields: Fields, path: Path, joint_width: int) -> Vocabulary:
    names = _distinct(fields, "names")
    embeddings = _read_array(path, (len(names), joint_width))
    if not np.isfinite(embeddings).all():
        raise BundleInvalid(f"{VOCABULARY} holds numbers that are not finite.")
    return Vocabulary(names, fields.number("scale"), embeddings)


def _read_array(path: Path, shape: tuple[int, int]) -> Float32:
    """A float32 array of just this shape: a header that claims another allocates nothing."""
    with path.open("rb") as file:
        try:
            if np.lib.format.read_magic(file) != (1, 0):
                raise BundleInvalid(f"{path.name} is not of version 1.0 of NumPy's format.")
            found = np.lib.format.read_array_header_1_0(file)
        except ValueError as error:
            raise BundleInvalid(f"{path.name} is no NumPy array: {error}.") from error
        data = file.read()
    if found != (shape, False, np.dtype(np.float32)) or len(data) != shape[0] * shape[1] * 4:
        raise BundleInvalid(f"{path.name} should hold float32 of shape {shape}, row by row.")
    return np.frombuffer(data, np.float32).reshape(shape)


def _distinct(fields: Fields, key: str) -> tuple[str, ...]:
    texts = fields.texts(key)
    if len(set(texts)) < len(texts):
        raise BundleInvalid(f"{MANIFEST}: {key} names something twice.")
    return texts


def _fingerprint(fields: Fields) -> str:
    """A short hash of everything that can change a mask: all but what is for people only."""
    decisive = {k: v for k, v in fields.values.items() if k not in {"licences", "provenance"}}
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:12]
