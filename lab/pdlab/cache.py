"""Artifacts under the cache, keyed by the content of what they are made from.

An artifact is a folder that is complete or absent: it is built under `tmp/` and renamed. Whoever builds holds a file
lock, so two shells never build the same thing twice, and what a killed run left under `tmp/` is removed by the next one.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from .paths import cache_root, in_cache

KEY_LENGTH = 16
_UNUSED_DAYS = 14


def key_of(*parts: str, files: Iterable[Path] = ()) -> str:
    """Key of an artifact: the strings in order and the named files' names and bytes (in the order of their names)."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{len(part)}:{part}".encode())
    for file in sorted(files):
        content = file.read_bytes()
        digest.update(f"{len(file.name)}:{file.name}{len(content)}:".encode())
        digest.update(content)
    return digest.hexdigest()[:KEY_LENGTH]


def artifact_path(name: str, key: str) -> Path:
    return in_cache("artifacts", f"{name}-{key}")


def artifact(name: str, key: str, build: Callable[[Path], None]) -> Path:
    """The artifact's folder; `build(folder)` fills an empty one when it is not there yet."""
    final = artifact_path(name, key)
    if not final.exists():
        with locked(name):
            if not final.exists():
                _build(name, final, build)
    os.utime(final)
    return final


def _build(name: str, final: Path, build: Callable[[Path], None]) -> None:
    scratch = in_cache("tmp", name)
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    build(scratch)
    os.rename(scratch, final)
    _forget_unused(name, final)


def _forget_unused(name: str, keep: Path) -> None:
    oldest = time.time() - _UNUSED_DAYS * 86400
    for other in keep.parent.glob(f"{name}-{'?' * KEY_LENGTH}"):
        if other != keep and other.stat().st_mtime < oldest:
            shutil.rmtree(other, ignore_errors=True)


@contextlib.contextmanager
def locked(name: str) -> Iterator[None]:
    """Holds the lock `name` against every other process and thread; the kernel frees it when we die."""
    with in_cache("locks", f"{name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def sweep() -> None:
    """Removes what builds that were killed have left behind; builds that go on hold their lock and are left alone."""
    for scratch in in_cache("tmp", "x").parent.iterdir():
        with in_cache("locks", f"{scratch.name}.lock").open("w") as handle, contextlib.suppress(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(scratch, ignore_errors=True)


def write_atomically(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text)
    os.replace(temporary, path)


def log_path(name: str) -> Path:
    """An empty log file for this run of `name`."""
    path = in_cache("logs", f"{name}.log")
    path.write_bytes(b"")
    return path


def purge() -> None:
    """Removes what the lab and its tools put into the cache folder, and the folder when nothing else is in it."""
    root = cache_root()
    ours = [root / name for name in ("artifacts", "bin", "clusters", "engine", "logs", "tmp", "locks")]
    for path in [*ours, *root.glob("venv-*")]:
        if path.is_symlink():
            path.unlink()
        else:
            shutil.rmtree(path, ignore_errors=True)
    with contextlib.suppress(OSError):
        root.rmdir()
