"""Runs other programs: output to a log or to the caller, and never left behind when the lab itself is stopped."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from .errors import LabError

_TAIL_LINES = 25
_children: set[subprocess.Popen[bytes]] = set()
_lock = threading.Lock()
_stopping = threading.Event()


def run(
    command: Sequence[str | Path],
    *,
    log: Path | None = None,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> None:
    """Runs to the end; the output goes to `log` (else to ours). A failure raises LabError with the last lines."""
    words = [str(word) for word in command]
    target = log.open("ab") if log else None
    try:
        with subprocess.Popen(
            words, cwd=cwd, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL, stdout=target, stderr=target and subprocess.STDOUT
        ) as child:
            with _lock:
                _children.add(child)
                if _stopping.is_set():
                    child.terminate()
            try:
                code = child.wait()
            finally:
                with _lock:
                    _children.discard(child)
    finally:
        if target:
            target.close()
    if code != 0:
        raise LabError(f"`{' '.join(words[:6])}` ended with {code}." + (f" From {log}:\n{_tail(log)}" if log else ""))


def ask(command: Sequence[str | Path], *, cwd: Path | None = None, env: Mapping[str, str] | None = None, timeout: float = 120) -> str:
    """Standard output of a command that must succeed."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LabError(f"`{' '.join(words[:6])}`: {error}") from error
    if done.returncode != 0:
        raise LabError(f"`{' '.join(words[:6])}` ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
    return done.stdout


def succeeds(command: Sequence[str | Path], *, env: Mapping[str, str] | None = None, timeout: float = 20) -> bool:
    """Whether a command ends with 0 in time."""
    try:
        ask(command, env=env, timeout=timeout)
    except LabError:
        return False
    return True


def stop_children() -> None:
    """Ends every program that `run` still waits for, and those that it would still start."""
    with _lock:
        _stopping.set()
        for child in _children:
            child.terminate()


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-_TAIL_LINES:])
