"""watcher.py KUBECONFIG NAMESPACE CHANGES ENDS: note every change of what a release may touch in a namespace, beside whatever runs.

Goes on behind its caller until the file ENDS is there, an hour at most. CHANGES is empty when all is watched, and gets a line for each object that is
created, deleted or changed from then on, also for one that comes and goes at once, which two snapshots would not show.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path

import urllib3
from background import stays_behind
from cluster import PATHS, Cluster, difference, essence

WATCH_SECONDS = 300
READY_SECONDS = 30.0
LIFETIME_SECONDS = 3600.0


class Watch(threading.Thread):
    """One kind. ready is set when its changes are seen."""

    def __init__(self, kubeconfig: Path, kind: str, namespace: str, changes: Path) -> None:
        super().__init__(daemon=True)
        self._cluster, self.kind, self._namespace, self._changes = Cluster(kubeconfig), kind, namespace, changes
        self._known: dict[str, str] | None = None
        self.ready = threading.Event()
        self.is_served = True

    def run(self) -> None:
        """List, and watch from there; a watch that ends is begun again by a list, which shows what was missed."""
        while True:
            answer = self._cluster.read(PATHS[self.kind].format(self._namespace))
            if answer["status"] == 404:  # the cluster does not know the kind
                self.is_served = False
                self.ready.set()
                return
            found = {self._called(one): essence(self.kind, one) for one in answer["body"]["items"]}
            if self._known is not None:
                self.note(difference(self._known, found))
            self._known = found
            self.ready.set()
            try:
                self._follow(answer["body"]["metadata"]["resourceVersion"])
            except urllib3.exceptions.HTTPError:
                time.sleep(0.5)

    def _follow(self, version: str) -> None:
        path = f"{PATHS[self.kind].format(self._namespace)}?watch=1&timeoutSeconds={WATCH_SECONDS}&resourceVersion={version}"
        for event in self._cluster.lines(path, WATCH_SECONDS + 30):
            one, before = event["object"], dict(self._known or {})
            if event["type"] == "ERROR":  # the version is too old: list again
                return
            if event["type"] == "DELETED":
                self._known = {name: value for name, value in before.items() if name != self._called(one)}
            else:
                self._known = {**before, self._called(one): essence(self.kind, one)}
            self.note(difference(before, self._known))

    def _called(self, one: dict) -> str:
        return f"{self.kind}/{one['metadata']['name']}"

    def note(self, differences: list[str]) -> None:
        """Append what has changed."""
        if differences:
            with self._changes.open("a") as file:
                file.writelines(f"{time.strftime('%H:%M:%S')} {one}\n" for one in differences)


def main(kubeconfig: str, namespace: str, changes: str, ends: str) -> int:
    Path(ends).unlink(missing_ok=True)
    Path(changes).unlink(missing_ok=True)
    if not stays_behind():
        deadline = time.monotonic() + READY_SECONDS
        while not Path(changes).exists():
            if time.monotonic() > deadline:
                print(json.dumps({"failed": f"nothing is watched after {READY_SECONDS:.0f} s"}))
                return 1
            time.sleep(0.1)
        return 0
    watches = [Watch(Path(kubeconfig), kind, namespace, Path(changes)) for kind in PATHS]
    for watch in watches:
        watch.start()
    if all(watch.ready.wait(READY_SECONDS) for watch in watches):
        Path(changes).touch()
    until = time.monotonic() + LIFETIME_SECONDS
    while time.monotonic() < until and not Path(ends).exists():
        time.sleep(0.5)
        for watch in [one for one in watches if one.is_served and not one.is_alive()]:
            watch.note([f"{watch.kind}: nobody watches any more"])
            watches.remove(watch)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
