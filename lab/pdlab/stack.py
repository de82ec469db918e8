"""What runs on every cluster: Gateway API kinds, and Istio and Prometheus as the collection's roles install them."""

from __future__ import annotations

import json
from pathlib import Path

from .build import tools_folder
from .cache import key_of, log_path, write_atomically
from .cluster import gateway_port, kubectl
from .engine import Engine
from .errors import LabError
from .gobuild import programs
from .images import LAB_REPOSITORY, istio_tag, prometheus_reference
from .packages import search_path
from .paths import CHECKOUT, LAB, cluster_folder, kubeconfig
from .progress import step
from .shell import ask, run, succeeds
from .target import await_gateway

_ROLES = ("istio", "prometheus", "deployment_ready")
_NAMESPACES = ("istio-system", "istio-ingress", "monitoring")


def install(engine: Engine, name: str) -> None:
    """Brings the cluster to what this checkout says; nothing is done when it is there and serves."""
    variables = _variables(engine, name)
    wanted = _key(name, variables)
    marker = _marker(name)
    if not (is_installed(name) and marker.read_text() == wanted and _serves(name)):
        marker.unlink(missing_ok=True)
        _install(engine, name, variables)
        write_atomically(marker, wanted)
    _await_gateway(name)


def tell(engine: Engine, name: str) -> Path:
    """The file with what only the lab knows, for who installs the roles on the cluster by themselves."""
    return _keep(name, _variables(engine, name))


def _keep(name: str, variables: dict[str, object]) -> Path:
    file = cluster_folder(name) / "variables.json"
    write_atomically(file, json.dumps(variables, indent=1))
    return file


def _await_gateway(name: str) -> None:
    """Where nobody answers, kube-proxy starts again: it then writes the addresses of all Services anew."""
    try:
        await_gateway(gateway_port(name), seconds=45)
    except LabError:
        with step(f"Nobody answers at the gateway of {name}: kube-proxy starts again", "15 s"):
            ask([*kubectl(name), "-n", "kube-system", "rollout", "restart", "daemonset/kube-proxy"])
            ask([*kubectl(name), "-n", "kube-system", "rollout", "status", "daemonset/kube-proxy", "--timeout=60s"])
        await_gateway(gateway_port(name))


def _install(engine: Engine, name: str, variables: dict[str, object]) -> None:
    if engine.own:
        with step(f"Gateway API kinds in {name}", "5 s"):
            ask([*kubectl(name), "apply", "--server-side", "--force-conflicts", "-f", str(programs("istio") / "gateway-api")])
    with step(f"Istio and Prometheus in {name}", "60 s"):
        _play(name, variables)
        ask([*kubectl(name), "apply", "-f", str(LAB / "apps" / "gateway.yml")])


def is_installed(name: str) -> bool:
    return _marker(name).exists()


def _marker(name: str) -> Path:
    return cluster_folder(name) / "installed"


def _serves(name: str) -> bool:
    """Whether every Deployment of the stack is available, or becomes so after a restart of its node."""
    wait = ["wait", "deployment", "--all", "--for=condition=Available", "--timeout=90s"]
    limit = ["--request-timeout=0"]
    return all(succeeds([*kubectl(name), *limit, *wait, "-n", namespace], timeout=100) for namespace in _NAMESPACES)


def _variables(engine: Engine, name: str) -> dict[str, object]:
    """What only the lab knows: where its charts, images and this cluster are."""
    variables: dict[str, object] = {
        "istio_kubeconfig": str(kubeconfig(name)),
        "prometheus_kubeconfig": str(kubeconfig(name)),
        "istio_helm_binary": str(tools_folder() / "helm"),
    }
    if engine.own:
        charts = programs("istio") / "charts"
        variables.update(
            istio_charts={"base": f"{charts}/base", "istiod": f"{charts}/istio-control/istio-discovery", "gateway": f"{charts}/gateway"},
            istio_chart_repository="",
            istio_hub=LAB_REPOSITORY,
            istio_tag=istio_tag(),
            prometheus_image=prometheus_reference(),
        )
    return variables


def _variable_files(own: bool) -> list[Path]:
    return [LAB / "vars" / "small.yml", *([LAB / "vars" / "upstream-envoy.yml"] if own else [])]


def _key(name: str, variables: dict[str, object]) -> str:
    """Changes when the roles, the variables or the cluster do."""
    roles = [file for role in _ROLES for file in (CHECKOUT / "roles" / role).rglob("*") if file.suffix in (".yml", ".j2")]
    uid = ask([*kubectl(name), "get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}"])
    files = [*roles, *(LAB / "vars").glob("*.yml"), LAB / "install.yml", LAB / "apps" / "gateway.yml"]
    return key_of(uid, json.dumps(variables, sort_keys=True), files=files)


def _play(name: str, variables: dict[str, object]) -> None:
    programs_folder = Path(_last_line(ask([CHECKOUT / "tools" / "venv"], timeout=1200)))
    collections = _last_line(ask([CHECKOUT / "tools" / "collection-link"]))
    own = "istio_hub" in variables
    file = _keep(name, variables)
    env = {
        "ANSIBLE_COLLECTIONS_PATH": collections,
        "ANSIBLE_PYTHON_INTERPRETER": str(programs_folder / "python"),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_NOCOLOR": "true",
        "K8S_AUTH_KUBECONFIG": str(kubeconfig(name)),
        "PATH": f"{programs_folder}:{tools_folder()}:{search_path()}",
    }
    extra = [argument for path in [*_variable_files(own), file] for argument in ("-e", f"@{path}")]
    ansible_playbook = programs_folder / "ansible-playbook"
    run([ansible_playbook, "-i", "localhost,", *extra, LAB / "install.yml"], cwd=CHECKOUT, env=env, log=log_path(f"install-{name}"))


def _last_line(output: str) -> str:
    return output.strip().splitlines()[-1]
