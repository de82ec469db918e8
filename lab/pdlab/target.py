"""A target namespace in its pristine state: the shop, its Service and its route, answering at the gateway; or several such services."""

from __future__ import annotations

import argparse
import http.client
import string
import time
from pathlib import Path

from . import cluster
from .cache import write_atomically
from .errors import LabError
from .images import LAB_REPOSITORY
from .paths import LAB, cluster_folder
from .progress import step
from .shell import ask, succeeds

_DEFAULT_IMAGE = f"{LAB_REPOSITORY}/shop:1.0.0"
_READY_SECONDS = 120
_GOOD_ANSWERS_IN_A_ROW = 10
_REPLACE_ATTEMPTS = 5
_SHOP = "shop"
_PRISTINE_KINDS = ("deployment.apps", "service", "virtualservice.networking.istio.io")
_ALWAYS_THERE = {"configmap/kube-root-ca.crt", "configmap/istio-ca-root-cert", "serviceaccount/default"}
# Made and removed by controllers on behalf of the kinds that are reset.
_DERIVED = {
    "pods",
    "replicasets.apps",
    "endpoints",
    "endpointslices.discovery.k8s.io",
    "events",
    "events.events.k8s.io",
    "controllerrevisions.apps",
}


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("target", help="create or reset one target namespace with the shop")
    parser.add_argument("name")
    parser.add_argument("--image", default=_DEFAULT_IMAGE, help="image of the shop, or only its tag")
    parser.add_argument("--replicas", type=int, default=3)
    parser.add_argument(
        "--services", default=_SHOP, metavar="A,B", help="services of the shop's kind; one called otherwise has the host A.NAME.example.com"
    )
    parser.add_argument("--cluster", default=cluster.DEFAULT, metavar="NAME")
    parser.add_argument("--remove", action="store_true", help="delete the namespace")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    if options.remove:
        remove_target(options.cluster, options.name)
    else:
        image = options.image if "/" in options.image else f"{LAB_REPOSITORY}/shop:{options.image}"
        reset_target(options.cluster, options.name, image, options.replicas, tuple(options.services.split(",")))


def host_of(namespace: str, service: str = _SHOP) -> str:
    """The host by which the gateway knows a service of a target."""
    return f"{namespace}.example.com" if service == _SHOP else f"{service}.{namespace}.example.com"


def reset_target(
    cluster_name: str, namespace: str, image: str = _DEFAULT_IMAGE, replicas: int = 3, services: tuple[str, ...] = (_SHOP,)
) -> None:
    """Creates the namespace or puts it back as it was made; returns when the gateway answers with the image's version."""
    kubectl = cluster.kubectl(cluster_name)
    with step(f"Target {namespace}", "10 s"):
        _await_deletion(kubectl, namespace)
        _delete_extras(kubectl, namespace, services)
        template = string.Template((LAB / "apps" / "target.yml").read_text())
        for service in services:
            host = host_of(namespace, service)
            text = template.substitute(namespace=namespace, service=service, host=host, image=image, replicas=replicas)
            manifest = cluster_folder(cluster_name) / "targets" / f"{namespace}.{service}.yml"
            write_atomically(manifest, text)
            # apply creates what is missing; replace also removes what others added.
            ask([*kubectl, "apply", "-f", str(manifest)])
            _replace(kubectl, manifest)
        for service in services:
            ask([*kubectl, "-n", namespace, "rollout", "status", f"deployment/{service}", f"--timeout={_READY_SECONDS}s"])
            await_answer(cluster.gateway_port(cluster_name), host_of(namespace, service), version=image.rsplit(":", 1)[-1])


def remove_target(cluster_name: str, namespace: str) -> None:
    kubectl = cluster.kubectl(cluster_name)
    with step(f"Remove target {namespace}", "15 s"):
        ask([*kubectl, "delete", "namespace", namespace, "--ignore-not-found", "--wait=false"])
        # Nobody is served any more: no need to wait for the drain.
        ask([*kubectl, "-n", namespace, "delete", "pods", "--all", "--grace-period=1", "--wait=false"])
        _await_deletion(kubectl, namespace, force=True)


def await_answer(port: int, host: str, version: str, seconds: float = _READY_SECONDS) -> None:
    """Waits until the gateway answers 200 for `host` from `version`, ten times in a row."""
    deadline, good, last = time.monotonic() + seconds, 0, "no answer"
    while good < _GOOD_ANSWERS_IN_A_ROW:
        if time.monotonic() > deadline:
            raise LabError(
                f"http://127.0.0.1:{port} does not answer 200 for {host} from version {version} after {seconds:.0f} s; last: {last}"
            )
        code, answered = _ask_gateway(port, host)
        good = good + 1 if (code, answered) == (200, version) else 0
        if not good:
            last = f"{code} from {answered or 'nobody'}"
            time.sleep(0.2)


def await_gateway(port: int, seconds: float = _READY_SECONDS) -> None:
    """Waits until the gateway answers anything at all."""
    deadline = time.monotonic() + seconds
    while not _ask_gateway(port, "lab.invalid")[0]:
        if time.monotonic() > deadline:
            raise LabError(
                f"Nothing answers at http://127.0.0.1:{port} after {seconds:.0f} s; `lab down` and `lab up` make the cluster anew."
            )
        time.sleep(0.5)


def _ask_gateway(port: int, host: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/", headers={"Host": host})
        response = connection.getresponse()
        return response.status, response.getheader("X-Version", "")
    except (OSError, http.client.HTTPException):
        return 0, ""
    finally:
        connection.close()


def _replace(kubectl: list[str], manifest: Path) -> None:
    """A controller that writes at the same moment makes it a conflict; then once more."""
    for attempt in range(_REPLACE_ATTEMPTS):
        try:
            ask([*kubectl, "replace", "-f", str(manifest)])
            return
        except LabError as error:
            if "Conflict" not in str(error) or attempt + 1 == _REPLACE_ATTEMPTS:
                raise
            time.sleep(0.5)


def _await_deletion(kubectl: list[str], namespace: str, force: bool = False) -> None:
    """Waits for a namespace that is on its way out; `force` says that it is."""
    phase = [*kubectl, "get", "namespace", namespace, "--ignore-not-found", "-o", "jsonpath={.status.phase}"]
    deadline = time.monotonic() + _READY_SECONDS
    while ask(phase) in ("Terminating", "Active" if force else "Terminating"):
        if time.monotonic() > deadline:
            raise LabError(
                f"Namespace {namespace} is still there after {_READY_SECONDS} s: something in it has a finalizer. See its status conditions."
            )
        time.sleep(0.5)


def _delete_extras(kubectl: list[str], namespace: str, services: tuple[str, ...]) -> None:
    """Deletes every object that a pristine target does not have."""
    if not succeeds([*kubectl, "get", "namespace", namespace]):
        return
    kinds = ask([*kubectl, "api-resources", "--namespaced", "--verbs=delete,list", "-o", "name"]).split()
    wanted = ",".join(kind for kind in kinds if kind not in _DERIVED)
    found = ask([*kubectl, "-n", namespace, "get", wanted, "-o", "name", "--ignore-not-found"]).split()
    pristine = {f"{kind}/{service}" for kind in _PRISTINE_KINDS for service in services}
    extras = [name for name in found if name not in pristine | _ALWAYS_THERE]
    if extras:
        ask([*kubectl, "-n", namespace, "delete", "--ignore-not-found", "--wait=false", *extras])
