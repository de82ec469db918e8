"""images.py: give the lab's node the images that the playbooks in docs/ name; they are versions of the shop."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "lab"))

from pdlab.cluster import DEFAULT
from pdlab.engine import find_engine

IMAGES = {"registry.example/checkout:2.3.0": "localhost/lab/shop:1.0.0", "registry.example/checkout:2.4.0": "localhost/lab/shop:1.1.0"}


def main() -> int:
    """Tags them in the node; no registry is asked."""
    ctr = ["docker", "exec", f"{DEFAULT}-control-plane", "ctr", "--namespace", "k8s.io", "images", "tag", "--force"]
    environment = {**os.environ, **find_engine().env}
    for name, existing in IMAGES.items():
        subprocess.run([*ctr, existing, name], env=environment, check=True, timeout=60, stdout=subprocess.DEVNULL)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
