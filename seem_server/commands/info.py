"""`seem info`: what a bundle is, without running it; and which ones came with the installation."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from seem_server.app import server_version
from seem_server.runtime.bundle import read_bundle, shipped_bundles
from seem_server.runtime.specs import LongSide

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from seem_server.runtime.bundle import Bundle
    from seem_server.runtime.specs import ShortSide

_SHOWN_NAMES = 8


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "info",
        help="tell what a model bundle is",
        description="Tells what a bundle is, every file of it checked; without BUNDLE, which ones "
        "came with the installation.",
    )
    parser.add_argument("bundle", nargs="?", metavar="BUNDLE", help="a shipped name or a folder")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(arguments: argparse.Namespace) -> int:
    """Prints; gives the exit code."""
    document = about_all() if arguments.bundle is None else about(read_bundle(arguments.bundle))
    text = json.dumps(document) if arguments.json else "\n".join(_lines(document))
    print(text)
    return 0


def about_all() -> dict[str, Any]:
    """What there is to serve."""
    bundles = {name: about(read_bundle(folder)) for name, folder in shipped_bundles().items()}
    return {"version": server_version(), "bundles": bundles}


def about(bundle: Bundle) -> dict[str, Any]:
    """What a bundle says of itself, as JSON."""
    manifest = bundle.manifest
    return {
        "model_id": manifest.model_id,
        "name": manifest.name,
        "variant": manifest.variant,
        "version": manifest.version,
        "precision": manifest.precision,
        "folder": str(bundle.folder),
        "bytes": sum(file.n_bytes for file in manifest.files),
        "prompts": sorted(manifest.prompts),
        "everything": manifest.everything is not None,
        "presence_threshold": manifest.presence_threshold,
        "resized": _resizing(manifest.image.resize),
        "long_side": manifest.image.long_side,
        "vocabulary": list(manifest.given_names),
        "licences": [asdict(licence) for licence in manifest.licences],
        "provenance": manifest.provenance,
        "files": {
            file.name: {"sha256": file.sha256, "bytes": file.n_bytes} for file in manifest.files
        },
    }


def _resizing(resize: LongSide | ShortSide) -> str:
    if isinstance(resize, LongSide):
        return f"long side {resize.long_side} px"
    return f"short side {resize.short_side} px, long side at most {resize.long_side} px"


def _lines(document: dict[str, Any]) -> Iterator[str]:
    if "bundles" not in document:
        yield from _lines_of_one(document)
        return
    yield f"seem-server {document['version']}"
    for name, one in document["bundles"].items():
        prompts = ", ".join([*one["prompts"], *["everything"] * one["everything"]])
        yield f"{name:12}{one['model_id']}, {one['bytes'] / 1e6:.1f} MB, {prompts}"
    if not document["bundles"]:
        yield "no bundles came with this installation"


def _lines_of_one(one: dict[str, Any]) -> Iterator[str]:
    names = one["vocabulary"]
    more = f", … ({len(names)} names)" if len(names) > _SHOWN_NAMES else ""
    yield f"{one['model_id']} ({one['variant']} {one['version']}, {one['precision']})"
    yield f"folder      {one['folder']}, {one['bytes'] / 1e6:.1f} MB"
    yield f"prompts     {', '.join(one['prompts'])}"
    yield f"everything  {'yes' if one['everything'] else 'no'}"
    yield f"image       {one['resized']}"
    yield f"names       {', '.join(names[:_SHOWN_NAMES]) or 'none'}{more}"
    for licence in one["licences"]:
        yield f"licence     {licence['covers']}: {licence['licence']} {licence['source']}".rstrip()
    for key, value in one["provenance"].items():
        if key != "parity":  # long, and for programs: `--json` has it whole
            yield f"provenance  {key}: {value}"
    parity = one["provenance"].get("parity")
    if isinstance(parity, dict) and "least_iou" in parity:
        yield f"parity      held against PyTorch's masks: mean IoU of {parity['least_iou']} asked"
