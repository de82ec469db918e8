"""The Go programs of the lab, each from a module with a committed go.sum."""

from __future__ import annotations

import functools
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .cache import artifact, key_of, log_path
from .errors import LabError
from .paths import LAB
from .progress import step
from .shell import ask, run

KUBERNETES_VERSION = "v1.34.4"
HELM_VERSION = "v3.18.4"

_ENVIRONMENT = {
    "CGO_ENABLED": "0",
    "GOTOOLCHAIN": "local",
    "GOOS": "linux",
    "GOARCH": "amd64",
    "GOFLAGS": "-mod=readonly -buildvcs=false -trimpath",
}
# kubeadm derives the tags of its images from these; a dirty or unknown version would be refused.
_KUBERNETES_STAMP = " ".join(
    f"-X k8s.io/component-base/version.{name}={value}"
    for name, value in (
        ("gitVersion", KUBERNETES_VERSION),
        ("gitMajor", "1"),
        ("gitMinor", "34"),
        ("gitTreeState", "clean"),
        ("gitCommit", "0" * 40),
        ("buildDate", "1970-01-01T00:00:00Z"),
    )
)


@dataclass(frozen=True)
class Program:
    """One module to build: its folder under lab/, the packages, and how long it takes on two cores from nothing.

    Without packages nothing is built: only what `keep` names is taken out of the modules.
    """

    name: str
    folder: str
    packages: tuple[str, ...]
    usually: str
    tags: str = ""
    stamp: str = ""
    keep: tuple[tuple[str, str, str], ...] = ()
    """Files of modules to put beside the programs: (module, path inside it, name here)."""


_K8S = "k8s.io/kubernetes/cmd/"
_FLAGGER = "github.com/fluxcd/flagger"
_ARGO_ROLLOUTS = "github.com/argoproj/argo-rollouts"
PROGRAMS = {
    program.name: program
    for program in (
        Program(
            "kubernetes",
            "go/kubernetes",
            tuple(
                _K8S + name for name in ("kubeadm", "kubelet", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy")
            ),
            "5 min",
            stamp=_KUBERNETES_STAMP,
        ),
        Program("kubectl", "go/kubernetes", (_K8S + "kubectl",), "1 min", stamp=_KUBERNETES_STAMP),
        Program("kind", "go/kind", ("sigs.k8s.io/kind",), "10 s", keep=(("sigs.k8s.io/kind", "images/base/files", "node-files"),)),
        Program("etcd", "go/etcd", ("go.etcd.io/etcd/server/v3",), "30 s"),
        Program("coredns", "go/coredns", (".",), "2 min"),
        Program("node", "go/node", ("./nores", "./pause"), "5 s"),
        Program(
            "helm", "go/helm", ("helm.sh/helm/v3/cmd/helm",), "1 min", stamp=f"-X helm.sh/helm/v3/internal/version.version={HELM_VERSION}"
        ),
        Program(
            "istio",
            "go/istio",
            ("istio.io/istio/pilot/cmd/pilot-discovery", "istio.io/istio/pilot/cmd/pilot-agent"),
            "6 min",
            keep=(
                ("istio.io/istio", "manifests/charts", "charts"),
                ("sigs.k8s.io/gateway-api", "config/crd/standard", "gateway-api"),
                ("istio.io/istio", "tools/packaging/common/envoy_bootstrap.json", "envoy_bootstrap.json"),
            ),
        ),
        Program(
            "prometheus",
            "go/prometheus",
            tuple(f"github.com/prometheus/prometheus/cmd/{name}" for name in ("prometheus", "promtool")),
            "3 min",
            tags="remove_all_sd,enable_kubernetes_sd,netgo",
        ),
        Program("alertmanager", "go/alertmanager", ("github.com/prometheus/alertmanager/cmd/alertmanager",), "1 min"),
        Program("vegeta", "go/vegeta", ("github.com/tsenart/vegeta/v12",), "20 s"),
        Program("shop", "apps/shop", (".",), "10 s"),
        Program("podinfo", "go/podinfo", ("github.com/stefanprodan/podinfo/cmd/podinfo",), "1 min"),
        Program(
            "flagger",
            "go/flagger",
            (f"{_FLAGGER}/cmd/flagger",),
            "2 min",
            keep=((_FLAGGER, "charts/flagger", "chart"),),
        ),
        Program(
            "flagger-loadtester",
            "go/flagger",
            (f"{_FLAGGER}/cmd/loadtester",),
            "30 s",
            keep=((_FLAGGER, "charts/loadtester", "chart"),),
        ),
        Program(
            "argo-rollouts",
            "go/argo_rollouts",
            (f"{_ARGO_ROLLOUTS}/cmd/rollouts-controller",),
            "4 min",
            keep=((_ARGO_ROLLOUTS, "manifests/install.yaml", "install.yaml"),),
        ),
        Program("hey", "go/hey", ("github.com/rakyll/hey",), "5 s"),
        Program("wget", "go/wget", (".",), "3 s"),
        # What an upgrade starts from.
        Program("flagger-previous", "go/previous", (), "3 s", keep=((_FLAGGER, "charts/flagger", "chart"),)),
        Program("argo-rollouts-previous", "go/previous", (), "3 s", keep=((_ARGO_ROLLOUTS, "manifests/install.yaml", "install.yaml"),)),
    )
}


@functools.lru_cache(maxsize=1)
def go_version() -> str:
    if not shutil.which("go"):
        raise LabError("Go is missing. Install Go 1.26 or newer; the lab builds its programs from Go modules.")
    return ask(["go", "env", "GOVERSION"], env={"GOTOOLCHAIN": "local"}).strip()


def key_of_program(program: Program) -> str:
    folder = LAB / program.folder
    sources = [file for file in folder.rglob("*") if file.name in ("go.mod", "go.sum") or file.suffix == ".go"]
    return key_of(go_version(), *_ENVIRONMENT.values(), repr(program), files=sources)


def programs(name: str) -> Path:
    """Folder with the built programs of `PROGRAMS[name]`, and what the recipe keeps beside them."""
    program = PROGRAMS[name]
    return artifact(f"go-{name}", key_of_program(program), _builder(program))


def program(name: str) -> Path:
    """Path of the program `name` that is alone in its module."""
    return programs(name) / name


def _builder(program: Program) -> Callable[[Path], None]:
    def build(out: Path) -> None:
        with step(f"Go build: {program.name}", program.usually):
            log = log_path(f"go-{program.name}")
            if program.packages:
                run(_go_build(program, out), cwd=LAB / program.folder, env=_ENVIRONMENT, log=log)
            else:
                modules = [module for module, _, _ in program.keep]
                run(["go", "mod", "download", *modules], cwd=LAB / program.folder, env=_ENVIRONMENT, log=log)
            _rename_by_version(out)
            for module, inside, name in program.keep:
                _keep(LAB / program.folder, module, inside, out / name)

    return build


def _go_build(program: Program, out: Path) -> list[str]:
    return ["go", "build", "-tags", program.tags, "-ldflags", f"-s -w {program.stamp}", "-o", f"{out}{os.sep}", *program.packages]


def _rename_by_version(out: Path) -> None:
    """`go build` names a program after a module's last path element, which may be its major version."""
    aliases = {"server": "etcd"}
    for built in out.iterdir():
        if built.name in aliases:
            built.rename(out / aliases[built.name])


def _keep(folder: Path, module: str, inside: str, target: Path) -> None:
    source = Path(ask(["go", "list", "-m", "-f", "{{.Dir}}", module], cwd=folder, env=_ENVIRONMENT).strip()) / inside
    run(["cp", "-r", "--no-preserve=mode", source, target])
