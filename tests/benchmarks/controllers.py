"""Flagger and Argo Rollouts on the lab's cluster, by the collection's own roles, and what their pods cost."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pddemo.playbook import Playbooks
from pdlab import cluster, optional
from pdlab.cache import write_atomically
from pdlab.paths import LAB, cluster_folder
from pdlab.shell import ask, run, succeeds

from .support import CLUSTER, FOLDER, RunFailed, say

NAMES = ("flagger", "argo-rollouts")
DEPLOYMENTS = {"flagger": "flagger-system/flagger", "argo-rollouts": "argo-rollouts/argo-rollouts"}


@dataclass(frozen=True)
class Cost:
    """Processor seconds since the controller began, and bytes of memory that it works with now."""

    cpu_seconds: float
    memory_bytes: float


@contextlib.contextmanager
def installed() -> Iterator[None]:
    """Both controllers, one pod each; those that were not there before are removed afterwards, their kinds too where nobody uses them."""
    missing = [name for name in NAMES if not _is_there(name)]
    try:
        for name in missing:
            run([LAB / "lab", "image", name, "--cluster", CLUSTER])
        _play(missing, "present")
        yield
    finally:
        _play(missing, "absent")


def cost(name: str) -> Cost:
    """What the containers of a controller have used, as the kubelet counts them (every ten seconds or so). Raises RunFailed without any."""
    namespace, deployment = DEPLOYMENTS[name].split("/")
    text = ask([*cluster.kubectl(CLUSTER), "get", "--raw", f"/api/v1/nodes/{CLUSTER}-control-plane/proxy/metrics/resource"])
    cpu, memory = (_sum(text, metric, namespace, deployment) for metric in ("cpu_usage_seconds_total", "memory_working_set_bytes"))
    if not memory:
        raise RunFailed(f"the kubelet knows no pod of {DEPLOYMENTS[name]}")
    return Cost(cpu, memory)


def _sum(text: str, metric: str, namespace: str, deployment: str) -> float:
    """Over the series of all containers of the Deployment's pods."""
    labels = rf'[^}}]*namespace="{namespace}",pod="{deployment}-[0-9a-f]+-[^"]*"[^}}]*'
    return sum(float(value) for value in re.findall(rf"^container_{metric}\{{{labels}\}} (\S+)", text, re.MULTILINE))


def _is_there(name: str) -> bool:
    namespace, deployment = DEPLOYMENTS[name].split("/")
    return succeeds([*cluster.kubectl(CLUSTER), "-n", namespace, "get", "deployment", deployment])


def _play(names: list[str], state: str) -> None:
    """The collection's playbook `install` with the roles of these controllers."""
    if not names:
        return
    told = FOLDER / "controllers.json"
    write_atomically(told, json.dumps(optional.role_variables(names)))
    variables: dict[str, Any] = {"install_roles": [name.replace("-", "_") for name in names], "install_state": state}
    for role in variables["install_roles"]:
        variables |= {f"{role}_replicas": 1, f"{role}_remove_namespace": True, f"{role}_remove_crds": True}
    lab = json.loads((cluster_folder(CLUSTER) / "variables.json").read_text())
    variables["flagger_helm_binary"] = lab["istio_helm_binary"]
    log = FOLDER / f"controllers-{state}.txt"
    say(f"{', '.join(names)}: {state}, by the roles")
    if Playbooks(CLUSTER, (told,), variables).play("install", "localhost", log=log) != 0:
        raise RuntimeError(f"{', '.join(names)} could not be made {state}; see {log}")
