"""snapshot.py KUBECONFIG NAMESPACE [--against FILE]: print a snapshot of a namespace, or what differs from an earlier one."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from cluster import Cluster, difference


def main(kubeconfig: str, namespace: str, *against: str) -> int:
    found = Cluster(Path(kubeconfig)).snapshot(namespace)
    if not against:
        print(json.dumps(found))
        return 0
    differences = difference(json.loads(Path(against[1]).read_text()), found)
    print("\n".join(differences))
    return 1 if differences else 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
