"""A second Prometheus beside the lab's, by the collection's own role, so that nobody else's scrapes change."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

from pddemo.playbook import Playbooks
from pdlab.paths import LAB, cluster_folder

from .support import CLUSTER, FOLDER, say


@contextlib.contextmanager
def second_prometheus(scrape_interval: str) -> Iterator[str]:
    """namespace/name:port of a Prometheus that scrapes at this interval; it is removed afterwards."""
    name = f"bench-prometheus-{scrape_interval}"
    variables = {
        "prometheus_namespace": name,
        "prometheus_name": name,
        "prometheus_scrape_interval": scrape_interval,
        "prometheus_remove_namespace": True,
        "prometheus_remove_data": True,
    }
    lab = json.loads((cluster_folder(CLUSTER) / "variables.json").read_text())
    upstream = [LAB / "vars" / "upstream-envoy.yml"] if "istio_hub" in lab else []
    files = (LAB / "vars" / "small.yml", *upstream, cluster_folder(CLUSTER) / "variables.json")
    playbooks = Playbooks(CLUSTER, files, {**variables, "install_roles": ["prometheus"]})
    log = FOLDER / f"{name}.txt"
    log.parent.mkdir(parents=True, exist_ok=True)
    say(f"Installing a second Prometheus with scrapes of {scrape_interval} in namespace {name}")
    try:
        _play(playbooks, "present", log)
        yield f"{name}/{name}:9090"
    finally:
        _play(playbooks, "absent", log)


def _play(playbooks: Playbooks, state: str, log: Path) -> None:
    if playbooks.play("install", "localhost", {"install_state": state}, log=log) != 0:
        raise RuntimeError(f"the second Prometheus could not be made {state}; see {log}")
