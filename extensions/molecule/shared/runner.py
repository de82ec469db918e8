"""ansible-playbook as processes that can be killed, frozen and woken. Only processes that were started here are signalled."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

SHOWN_CHARACTERS = 400
RECAP = re.compile(r"^(\S+)\s+: ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", re.MULTILINE)


class Runner:
    """One run of a playbook, its output in a file."""

    def __init__(self, arguments: list[str], log: Path) -> None:
        self.log = log
        self.began = time.time()
        environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0", "PYTHONUNBUFFERED": "1"}
        with log.open("w") as output:
            self._process = subprocess.Popen(
                ["ansible-playbook", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment,
                start_new_session=True,
            )
        self._children: list[int] = []

    def kill(self) -> None:
        """kill -9 for the runner and its worker at one moment: all are stopped first, so that none sees another die."""
        pids = self._tree()
        for pid in pids:
            _send(pid, signal.SIGSTOP)
        for pid in pids:
            _send(pid, signal.SIGKILL)
        self._process.wait()

    def kill_parent(self) -> None:
        """kill -9 for ansible-playbook alone; its worker stays behind."""
        self._children = self._tree()[1:]
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        """SIGSTOP for all of it."""
        self._children = self._tree()[1:]
        for pid in [self._process.pid, *self._children]:
            _send(pid, signal.SIGSTOP)

    def wake(self) -> None:
        """SIGCONT for all of it."""
        for pid in [*self._children, self._process.pid]:
            _send(pid, signal.SIGCONT)

    def finish(self, within_seconds: float) -> dict[str, Any]:
        """Wait for its ending: return code, the recap by host, seconds. Raises TimeoutError, which says what it was doing."""
        try:
            code = self._process.wait(within_seconds)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"{self.log.name} has not ended after {within_seconds:.0f} s: {self.doing()}") from None
        deadline = time.monotonic() + within_seconds
        while any(_lives(pid) for pid in self._children) and time.monotonic() < deadline:
            time.sleep(0.1)
        recap = {
            host: {"ok": int(ok), "changed": int(changed), "failed": int(failed)}
            for host, ok, changed, _unreachable, failed in RECAP.findall(self.output())
        }
        return {
            "code": code,
            "recap": recap,
            "seconds": time.time() - self.began,
            "outlived_by": [pid for pid in self._children if _lives(pid)],
        }

    def output(self) -> str:
        """What it has printed so far."""
        return self.log.read_text(errors="replace")

    def doing(self) -> str:
        """For somebody who wonders why it does not end: the end of its output, and of each process where it waits in the kernel."""
        processes = []
        for pid in self._tree():
            with contextlib.suppress(OSError):
                folder = Path(f"/proc/{pid}")
                state = (folder / "stat").read_text().rpartition(")")[2].split()
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")[:60]
                used = (int(state[11]) + int(state[12])) / os.sysconf("SC_CLK_TCK")
                processes.append(f"{pid} of {state[1]} {state[0]} {used:.1f} s used, in {(folder / 'wchan').read_text()}: {command}")
        return f"{self.output()[-SHOWN_CHARACTERS:]!r} {'; '.join(processes)}"

    def has_ended(self) -> bool:
        """Whether ansible-playbook has ended."""
        return self._process.poll() is not None

    def end(self) -> None:
        """Whatever is left of it ends now."""
        if self._process.poll() is None:
            self.kill()
        for pid in self._children:
            _send(pid, signal.SIGKILL)

    def _tree(self) -> list[int]:
        """The process and its descendants, parents first."""
        children: dict[int, list[int]] = {}
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                try:
                    parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                except (OSError, IndexError):
                    continue
                children.setdefault(parent, []).append(int(folder.name))
        found = [self._process.pid]
        for pid in found:
            found += children.get(pid, [])
        return found


def _send(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
