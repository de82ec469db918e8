"""What processes cost, as /proc tells it. A process that has ended costs nothing any more."""

from __future__ import annotations

import os
import threading
from pathlib import Path

MEMORY = ("Rss", "Pss", "Private")
_SAMPLE_SECONDS = 2.0


def fields(pid: int) -> list[str]:
    """/proc/PID/stat from the state on."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ["X", "-1", *["0"] * 20]


def parent_of(pid: int) -> int:
    """Its parent's number."""
    return int(fields(pid)[1])


def children_of(parent: int) -> list[int]:
    """Those whose parent it is."""
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit() and parent_of(int(entry)) == parent]


def busiest_children(parent: int, count: int) -> list[int]:
    """Of ansible-playbook's children those that run a release. Raises RuntimeError when there are fewer."""
    children = children_of(parent)
    if len(children) < count:
        raise RuntimeError(f"ansible-playbook has {len(children)} workers for {count} targets")
    return sorted(children, key=cpu_seconds)[-count:]


def family_of(pid: int) -> list[int]:
    """A process and its descendants, parents first."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            children.setdefault(parent_of(int(entry)), []).append(int(entry))
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found


def cpu_seconds(pid: int, *, with_ended_children: bool = False) -> float:
    """User and system time; of children that it has waited for, too, where that is asked for."""
    found = fields(pid)
    last = 15 if with_ended_children else 13
    return sum(map(int, found[11:last])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> dict[str, float]:
    """Resident, of that its share of what several use (Pss), and what no other process shares."""
    found = dict.fromkeys(MEMORY, 0)
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, value = line.split(":")
        kept = "Private" if name.startswith("Private_") and name != "Private_Hugetlb" else name
        if kept in found:
            found[kept] += int(value.split()[0])
    return {name: round(kilobytes / 1024, 1) for name, kilobytes in found.items()}


def mean(values: list[float]) -> float:
    """Of at least one value, to two digits."""
    return round(sum(values) / len(values), 2)


class Watched:
    """A process and its descendants while the block lasts: processor seconds, and the most memory that all of them had at one moment."""

    def __init__(self, pid: int) -> None:
        self.cpu_seconds = 0.0
        self.most_mb = 0.0
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Watched:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._over.wait(_SAMPLE_SECONDS):
            family = family_of(self._pid)
            self.cpu_seconds = max(self.cpu_seconds, sum(cpu_seconds(pid, with_ended_children=True) for pid in family))
            self.most_mb = max(self.most_mb, sum(_pss(pid) for pid in family))


def _pss(pid: int) -> float:
    try:
        return memory_mb(pid)["Pss"]
    except OSError:
        return 0.0
