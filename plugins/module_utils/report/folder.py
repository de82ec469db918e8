# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes a report into its folder: each file whole or not at all, and only where it would be another one."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Mapping

READABLE = 0o666


def write(folder: str, files: Mapping[str, str]) -> list[str]:
    """Write files (name → text) into a folder, which is made; the names of those that were not so already. Raises OSError."""
    changed = differing(folder, files)
    if changed:
        os.makedirs(folder, exist_ok=True)
    for name in changed:
        _replace(folder, name, files[name])
    return changed


def differing(folder: str, files: Mapping[str, str]) -> list[str]:
    """The names of the files that a write would make or change. Raises OSError for one that cannot be read."""
    return [name for name, text in files.items() if _text(os.path.join(folder, name)) != text]


def _text(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8", errors="replace", newline="") as file:
            return file.read()
    except FileNotFoundError:
        return None


def _replace(folder: str, name: str, text: str) -> None:
    """Whoever reads meanwhile sees the old file or the new one."""
    handle, temporary = tempfile.mkstemp(prefix=f".{name}.", dir=folder)
    try:
        with open(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, READABLE & ~_umask())
        os.replace(temporary, os.path.join(folder, name))
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def _umask() -> int:
    """The process's; there is no way to ask without setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
