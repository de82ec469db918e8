"""Writes container images as docker archives: the same input gives the same bytes."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_CHUNK_BYTES = 1 << 20
_EPOCH = "1970-01-01T00:00:00Z"


@dataclass(frozen=True)
class Entry:
    """One path of a layer: exactly one of `source` (a file), `text`, `link` (a symbolic link) or none (a folder)."""

    mode: int = 0o755
    source: Path | None = None
    text: str | None = None
    link: str | None = None


Files = Mapping[str, Entry]


def program_file(source: Path) -> Entry:
    return Entry(source=source)


def data_file(source: Path) -> Entry:
    return Entry(source=source, mode=0o644)


def text_file(text: str, mode: int = 0o644) -> Entry:
    return Entry(text=text, mode=mode)


def link_to(target: str) -> Entry:
    return Entry(link=target, mode=0o777)


def folder(mode: int = 0o755) -> Entry:
    return Entry(mode=mode)


@dataclass(frozen=True)
class Layer:
    """Absolute paths and what they are, or a whole folder (`tree`) placed at `at`."""

    files: Files = field(default_factory=dict)
    tree: Path | None = None
    at: str = ""


@dataclass(frozen=True)
class Image:
    """A reference, its layers from the bottom up, and the OCI configuration (Env, Entrypoint, ...)."""

    reference: str
    layers: Sequence[Layer]
    config: Mapping[str, object]


def write_archive(out: Path, images: Sequence[Image]) -> None:
    """Writes all images to one archive at `out`; a layer object that several images share is stored once."""
    with (
        tempfile.TemporaryDirectory(dir=out.parent, prefix=".layers-") as scratch,
        tarfile.open(out, "w", format=tarfile.PAX_FORMAT) as archive,
    ):
        digests: dict[int, str] = {}
        manifest = []
        for image in images:
            for layer in image.layers:
                if id(layer) not in digests:
                    digests[id(layer)] = _add_layer(archive, layer, Path(scratch) / "layer.tar")
            layers = [digests[id(layer)] for layer in image.layers]
            config = _config(image, layers)
            name = f"{hashlib.sha256(config).hexdigest()}.json"
            _add_bytes(archive, name, config)
            manifest.append({"Config": name, "RepoTags": [image.reference], "Layers": [f"{digest}/layer.tar" for digest in layers]})
        _add_bytes(archive, "manifest.json", json.dumps(manifest).encode())


def write_layer(out: Path, layer: Layer) -> None:
    """Writes the layer's tar: sorted, owned as on disk for trees and by root otherwise, all times zero."""
    with tarfile.open(out, "w", format=tarfile.PAX_FORMAT) as tar:
        for name, entry in _with_parents(layer.files):
            _add_entry(tar, name, entry)
        if layer.tree:
            tar.add(layer.tree, arcname=layer.at or ".", filter=_timeless)


def _config(image: Image, digests: Sequence[str]) -> bytes:
    document = {
        "architecture": "amd64",
        "os": "linux",
        "created": _EPOCH,
        "config": dict(image.config),
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}" for digest in digests]},
        "history": [{"created": _EPOCH, "created_by": "progressive.delivery lab"} for _ in digests],
    }
    return json.dumps(document, sort_keys=True).encode()


def _add_layer(archive: tarfile.TarFile, layer: Layer, scratch: Path) -> str:
    write_layer(scratch, layer)
    digest = _sha256(scratch)
    header = _header(f"{digest}/layer.tar", tarfile.REGTYPE, 0o644, scratch.stat().st_size)
    with scratch.open("rb") as content:
        archive.addfile(header, content)
    return digest


def _with_parents(files: Files) -> Iterator[tuple[str, Entry]]:
    """All entries without the leading slash, each after the folders that lead to it."""
    named = {path.strip("/"): entry for path, entry in files.items()}
    for path in list(named):
        parts = path.split("/")
        for depth in range(1, len(parts)):
            named.setdefault("/".join(parts[:depth]), folder())
    yield from sorted(named.items())


def _add_entry(tar: tarfile.TarFile, name: str, entry: Entry) -> None:
    if entry.source is not None:
        with entry.source.open("rb") as content:
            tar.addfile(_header(name, tarfile.REGTYPE, entry.mode, os.fstat(content.fileno()).st_size), content)
    elif entry.text is not None:
        data = entry.text.encode()
        tar.addfile(_header(name, tarfile.REGTYPE, entry.mode, len(data)), io.BytesIO(data))
    elif entry.link is not None:
        header = _header(name, tarfile.SYMTYPE, entry.mode)
        header.linkname = entry.link
        tar.addfile(header)
    else:
        tar.addfile(_header(name, tarfile.DIRTYPE, entry.mode))


def _add_bytes(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    tar.addfile(_header(name, tarfile.REGTYPE, 0o644, len(data)), io.BytesIO(data))


def _header(name: str, kind: bytes, mode: int, size: int = 0) -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    header.type, header.mode, header.size = kind, mode, size
    return header


def _timeless(header: tarfile.TarInfo) -> tarfile.TarInfo:
    header.mtime = 0
    return header


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as content:
        for chunk in iter(lambda: content.read(_CHUNK_BYTES), b""):
            digest.update(chunk)
    return digest.hexdigest()
