"""objects.py KUBECTL KUBECONFIG: a line for every object of a cluster, with the labels and annotations of namespaces, sorted.

What comes and goes by itself is left out: events, and what the API server answers without keeping it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

TRANSIENT = ("events", "events.events.k8s.io", "componentstatuses")


def main(kubectl: str, kubeconfig: str) -> None:
    """Ask for every kind that can be listed."""

    def ask(*words: str) -> str:
        return subprocess.run(
            [kubectl, f"--kubeconfig={kubeconfig}", *words], capture_output=True, text=True, check=True, timeout=300
        ).stdout

    kinds = [kind for kind in ask("api-resources", "--verbs=list", "-o", "name").split() if kind not in TRANSIENT]
    found = json.loads(ask("get", ",".join(kinds), "--all-namespaces", "-o", "json"))["items"]
    print("\n".join(sorted({line(one) for one in found})))


def line(item: dict[str, Any]) -> str:
    """Its kind with the group, namespace and name; of a namespace what others may have written on it, too."""
    group, slash, _version = item["apiVersion"].rpartition("/")
    meta = item["metadata"]
    where = "/".join(part for part in (meta.get("namespace"), meta["name"]) if part)
    written = {key: meta.get(key) for key in ("labels", "annotations")} if item["kind"] == "Namespace" else ""
    return f"{item['kind']}{'.' if slash else ''}{group} {where} {json.dumps(written, sort_keys=True) if written else ''}".strip()


if __name__ == "__main__":
    main(*sys.argv[1:])
