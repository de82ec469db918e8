"""Runs the collection's playbooks as a user does: ansible-playbook, by name, against one target of the lab, or over an inventory of several."""

from __future__ import annotations

import contextlib
import copy
import json
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pdlab.errors import LabError
from pdlab.paths import CHECKOUT, in_cache, kubeconfig
from pdlab.shell import ask

COLLECTION = "progressive.delivery"
_STOP_SECONDS = 30
_API_PATIENCE_SECONDS = 60.0
_UNFINISHED = ("running", "returning", "parked")


class Playbooks:
    """The playbooks for one cluster. variables are given to each of them, as `-e` would."""

    def __init__(self, cluster: str, files: tuple[Path, ...] = (), variables: Mapping[str, Any] | None = None) -> None:
        self._programs = Path(ask([CHECKOUT / "tools" / "venv"], timeout=1800).strip().splitlines()[-1])
        self._files = files
        self._variables = dict(variables or {})
        self._inventory: list[str] = []
        tools = in_cache("bin", "x").parent
        self._env = {
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": ask([CHECKOUT / "tools" / "collection-link"]).strip().splitlines()[-1],
            "ANSIBLE_PYTHON_INTERPRETER": str(self._programs / "python"),
            "KUBECONFIG": str(kubeconfig(cluster)),
            "PATH": f"{self._programs}:{tools}:{os.environ['PATH']}",
        }

    def over(self, inventory: Path, clusters: Path, forks: int) -> Playbooks:
        """The same playbooks over an inventory whose hosts are contexts of a kubeconfig; a target that a call names is not looked at."""
        several = copy.copy(self)
        several._inventory = ["-i", str(_short(inventory)), "--forks", str(forks)]
        several._env = {**self._env, "KUBECONFIG": str(clusters)}
        return several

    def command(self, name: str, target: str, variables: Mapping[str, Any] | None = None) -> list[str]:
        """The command line of a playbook; target is the inventory's only host."""
        given = {**self._variables, **(variables or {})}
        words = ["ansible-playbook", f"{COLLECTION}.{name}", *(self._inventory or ["-i", f"{target},"])]
        words += [word for file in self._files for word in ("-e", f"@{_short(file)}")]
        return words + [word for key, value in given.items() for word in ("-e", _assignment(key, value))]

    @contextlib.contextmanager
    def started(
        self, name: str, target: str, variables: Mapping[str, Any] | None = None, log: Path | None = None
    ) -> Iterator[subprocess.Popen[bytes]]:
        """A playbook that runs meanwhile; leaving early interrupts it, as Ctrl-C does, so that it returns traffic.

        It has its own session: an interrupt reaches it once, from here.
        """
        command = self.command(name, target, variables)
        command[0] = str(self._programs / command[0])
        with contextlib.ExitStack() as stack:
            output = stack.enter_context(log.open("wb")) if log else None
            process = subprocess.Popen(
                command,
                cwd=CHECKOUT,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output and subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                yield process
            finally:
                stop(process)

    def play(self, name: str, target: str, variables: Mapping[str, Any] | None = None, log: Path | None = None) -> int:
        """Runs a playbook to its end; its exit status. Output goes to log, else to ours."""
        with self.started(name, target, variables, log) as process:
            return process.wait()

    def module(self, name: str, target: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """What one of the collection's modules answers for a target. Raises LabError when it fails."""
        words: list[str | Path] = [self._programs / "ansible", target, "-i", f"{target},", "-c", "local"]
        words += ["-m", f"{COLLECTION}.{name}", "-a", json.dumps(dict(arguments))]
        answer = ask(words, cwd=CHECKOUT, env={**self._env, "ANSIBLE_NOCOLOR": "true", "ANSIBLE_FORCE_COLOR": "false"})
        _host, found, result = answer.partition("=> ")
        if not found:
            raise LabError(f"{name} answered without a result: {answer[:500]}")
        return dict(json.loads(result))

    def statuses(self, target: str, namespace: str) -> list[dict[str, Any]]:
        """What release_info says of the releases in a namespace, newest first; an API server that is away is asked again."""
        deadline = time.monotonic() + _API_PATIENCE_SECONDS
        while True:
            try:
                return list(self.module("release_info", target, {"release_namespace": namespace})["releases"])
            except LabError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(2.0)

    def abort_unfinished(self, target: str, namespace: str) -> list[str]:
        """Ends every release of the namespace that nobody finished; their names."""
        names = [one["release_name"] for one in self.statuses(target, namespace) if one["phase"] in _UNFINISHED]
        for name in names:
            self.play(
                "abort", target, {"release_namespace": namespace, "release_name": name, "release_reason": "left behind by an earlier run"}
            )
        return names


def stop(process: subprocess.Popen[bytes]) -> None:
    """Interrupts a process that still runs and waits for it; kills it after half a minute."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGINT)
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def shown(command: list[str]) -> str:
    """A command line as a user would type it."""
    return " ".join(shlex.quote(word) for word in command)


def _short(file: Path) -> Path:
    return file.relative_to(CHECKOUT) if file.is_relative_to(CHECKOUT) else file


def _assignment(key: str, value: Any) -> str:
    return f"{key}={value}" if isinstance(value, str) else json.dumps({key: value})
