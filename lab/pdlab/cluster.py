"""kind clusters: created, judged by whether they answer, and made anew when they do not."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

from .cache import locked, log_path, write_atomically
from .engine import STOCK_NODE_IMAGE, Engine, restart
from .errors import LabError
from .gobuild import program
from .images import ARCHIVE, KUBERNETES_REPOSITORY
from .network import ensure_network, prove_kept_inside
from .node import ensure_node_image
from .paths import cache_root, cluster_folder, kubeconfig
from .progress import say, step
from .shell import ask, run, succeeds

FIRST = "pd-lab"
DEFAULT = os.environ.get("PD_LAB_CLUSTER") or FIRST  # the cluster of a command that names none, and of the tests
GATEWAY_NODE_PORT = 30080
_FIRST_GATEWAY_PORT = 31080
_READY_SECONDS = 120
_REVIVE_SECONDS = 60
# Of a control plane that has no second one: nobody to elect a leader from, no power failure to outlive. As kubeadm v1beta3 has it (kind: below 1.36).
_AT_REST = {
    "controllerManager": {"extraArgs": {"leader-elect": "false"}},
    "scheduler": {"extraArgs": {"leader-elect": "false"}},
    "etcd": {"local": {"extraArgs": {"unsafe-no-fsync": "true"}}},
}


def ensure_cluster(engine: Engine, name: str) -> None:
    """A cluster that answers; one that does not is deleted and created again."""
    ensure_network(engine.env)
    image = ensure_node_image(engine.env) if engine.own else STOCK_NODE_IMAGE
    with locked(f"cluster-{name}"):
        if name in existing(engine):
            if _is_made_of(engine, name, image) and (answers(engine, name) or _revive(engine, name)):
                return
            say(f"Cluster {name} does not answer or is of another image: creating it anew")
        _delete(engine, name)
        prove_kept_inside(engine.env, image)
        with step(f"Create cluster {name}", "40 s"):
            _create(engine, name, image)
        if engine.own:
            _forget_old_images(engine, image)


def answers(engine: Engine, name: str) -> bool:
    """Whether the node runs and its API server says it is ready."""
    if not succeeds(["docker", "exec", f"{name}-control-plane", "true"], env=engine.env):
        return False
    return kubeconfig(name).exists() and succeeds([*kubectl(name), "get", "--raw", "/readyz"], timeout=10)


def _revive(engine: Engine, name: str) -> bool:
    """Waits for a node that the engine starts again, as after the end of everything at once; whether it answers then."""
    if not kubeconfig(name).exists():
        return False
    with step(f"Revive cluster {name}", "25 s"):
        node = f"{name}-control-plane"
        if engine.own and succeeds(["docker", "exec", node, "true"], env=engine.env):
            # It runs but nobody reaches it: another engine that starts on this machine clears the published ports of ours.
            restart()
        if not succeeds(["docker", "start", node], env=engine.env, timeout=_REVIVE_SECONDS):
            return False
        deadline = time.monotonic() + _REVIVE_SECONDS
        while time.monotonic() < deadline:
            if answers(engine, name) and _node_is_ready(name):
                return True
            time.sleep(1)
    return False


def existing(engine: Engine) -> list[str]:
    return ask([program("kind"), "get", "clusters", "--quiet"], env=engine.env).split()


def recorded() -> list[str]:
    """Names of the clusters that this cache knows."""
    return sorted(folder.name for folder in (cache_root() / "clusters").glob("*") if folder.is_dir())


def kubectl(name: str) -> list[str]:
    """A kubectl command line for this cluster, with a limit on each request."""
    return [str(program("kubectl")), "--kubeconfig", str(kubeconfig(name)), "--request-timeout=10s"]


def gateway_port(name: str) -> int:
    """Host port of the cluster's ingress gateway: 31080 for the default cluster, the next free one for others."""
    with locked("ports"):
        file = cluster_folder(name) / "gateway-port"
        if not file.exists():
            taken = {int(other.read_text()) for other in (cache_root() / "clusters").glob("*/gateway-port")} | {_FIRST_GATEWAY_PORT}
            port = next(port for port in range(_FIRST_GATEWAY_PORT + 1, _FIRST_GATEWAY_PORT + 100) if port not in taken)
            write_atomically(file, str(_FIRST_GATEWAY_PORT if name == FIRST else port))
        return int(file.read_text())


def choose_gateway_port(name: str, port: int) -> None:
    """Fixes the host port before the cluster is created; an existing cluster keeps the one it has."""
    with locked("ports"):
        file = cluster_folder(name) / "gateway-port"
        if not file.exists():
            write_atomically(file, str(port))


def load_images(engine: Engine, name: str, archives: dict[str, Path]) -> None:
    """Loads image archives that the node does not have yet (it remembers their keys)."""
    node = f"{name}-control-plane"
    present = set(ask(["docker", "exec", node, "sh", "-c", "mkdir -p /kind/lab-images; ls /kind/lab-images"], env=engine.env).split())
    for what, archive in archives.items():
        key = archive.parent.name
        if key in present:
            continue
        with step(f"Load image {what} into {name}", "5 s"):
            if archive.name != ARCHIVE:
                raise LabError(f"{archive} is not an image archive of the lab")
            run([program("kind"), "load", "image-archive", archive, "--name", name], env=engine.env, log=log_path(f"load-{what}-{name}"))
            ask(["docker", "exec", node, "touch", f"/kind/lab-images/{key}"], env=engine.env)


def is_stopped(engine: Engine, name: str) -> bool:
    """Whether the cluster is there and its node was stopped."""
    node = f"{name}-control-plane"
    return succeeds(["docker", "inspect", node], env=engine.env) and "true" not in ask(
        ["docker", "inspect", "--format", "{{.State.Running}}", node], env=engine.env
    )


def stop_cluster(engine: Engine, name: str) -> None:
    """Stops the node; what is on it stays. Raises LabError where there is no such cluster."""
    if name not in recorded():
        raise LabError(f"There is no cluster {name}; there is: {', '.join(recorded()) or 'none'}.")
    with locked(f"cluster-{name}"), step(f"Stop cluster {name}", "10 s"):
        ask(["docker", "stop", f"{name}-control-plane"], env=engine.env)


def delete_cluster(engine: Engine, name: str) -> None:
    with locked(f"cluster-{name}"):
        _delete(engine, name)


def _delete(engine: Engine, name: str) -> None:
    if name in existing(engine):
        run([program("kind"), "delete", "cluster", "--name", name], env=engine.env, log=log_path(f"kind-delete-{name}"))
    for file in (kubeconfig(name), cluster_folder(name) / "installed"):
        file.unlink(missing_ok=True)


def forget_cluster(name: str) -> None:
    shutil.rmtree(cluster_folder(name), ignore_errors=True)


def _is_made_of(engine: Engine, name: str, image: str) -> bool:
    made_of = ask(["docker", "inspect", "--format", "{{.Image}}", f"{name}-control-plane"], env=engine.env)
    return made_of == ask(["docker", "image", "inspect", "--format", "{{.Id}}", image], env=engine.env)


def _forget_old_images(engine: Engine, image: str) -> None:
    """Removes earlier node images; the engine keeps those that a container is made of."""
    repository = image.rsplit(":", 1)[0]
    references = ask(["docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", repository], env=engine.env).split()
    for reference in set(references) - {image}:
        succeeds(["docker", "image", "rm", reference], env=engine.env)


def _create(engine: Engine, name: str, image: str) -> None:
    configuration = cluster_folder(name) / "kind.json"
    write_atomically(configuration, json.dumps(_configuration(engine, name), indent=1))
    options = ["--name", name, "--image", image, "--config", str(configuration), "--kubeconfig", str(kubeconfig(name))]
    run([program("kind"), "create", "cluster", *options], env=engine.env, log=log_path(f"kind-create-{name}"))
    deadline = time.monotonic() + _READY_SECONDS
    # Pods are refused until their namespace has its service account.
    account = [*kubectl(name), "get", "serviceaccount", "default"]
    while not (succeeds(account) and _node_is_ready(name)):
        if time.monotonic() > deadline:
            raise LabError(
                f"The node of {name} is not ready after {_READY_SECONDS} s; see `kubectl --kubeconfig {kubeconfig(name)} describe node`."
            )
        time.sleep(0.5)


def _node_is_ready(name: str) -> bool:
    return succeeds([*kubectl(name), "wait", "node", "--all", "--for=condition=Ready", "--timeout=5s"])


def _configuration(engine: Engine, name: str) -> dict[str, object]:
    configuration: dict[str, object] = {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "networking": {
            "apiServerAddress": "127.0.0.1",
            "kubeProxyMode": "iptables",  # with nftables a failed transaction was seen to empty the map of all Services (Linux 6.18, nft 1.0.6)
            "disableDefaultCNI": engine.own,
        },
        "nodes": [
            {
                "role": "control-plane",
                "extraPortMappings": [{"containerPort": GATEWAY_NODE_PORT, "hostPort": gateway_port(name), "listenAddress": "127.0.0.1"}],
            }
        ],
    }
    kubeadm: dict[str, object] = {"kind": "ClusterConfiguration", **_AT_REST}
    if engine.own:
        kubeadm["imageRepository"] = KUBERNETES_REPOSITORY
    configuration["kubeadmConfigPatches"] = [json.dumps(kubeadm)]
    return configuration
