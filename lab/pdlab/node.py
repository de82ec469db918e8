"""The node image of the registries-only way: Debian, kind's own files, Kubernetes, and its images already inside."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from pathlib import Path

from .archive import Entry, Files, Image, Layer, data_file, folder, link_to, program_file, text_file, write_archive
from .base import root_file_system
from .cache import key_of, locked, log_path
from .errors import LabError
from .gobuild import KUBERNETES_VERSION, programs
from .images import kubernetes_images, pause_reference
from .packages import search_path
from .paths import LAB, cache_root, in_cache
from .progress import step
from .shell import ask, run, succeeds

_UNITS = "/etc/systemd/system"
_CONTAINERD_START_SECONDS = 20
_CONFIG = {
    "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "container=docker"],
    "Entrypoint": ["/usr/local/bin/entrypoint", "/sbin/init"],
    "StopSignal": "SIGRTMIN+3",
}


def ensure_node_image(engine_env: dict[str, str]) -> str:
    """Reference of the node image, loaded into the engine."""
    parts = (
        root_file_system().parent,
        programs("kind"),
        programs("kubernetes"),
        programs("kubectl"),
        programs("node"),
        kubernetes_images().parent,
    )
    recipes = [LAB / "pdlab" / "node.py", LAB / "pdlab" / "archive.py", *(LAB / "node").glob("*.y*ml"), LAB / "node" / "containerd.toml"]
    reference = f"localhost/lab/node:{key_of(*(part.name for part in parts), files=recipes)}"
    with locked("node-image"):
        if not succeeds(["docker", "image", "inspect", reference], env=engine_env):
            with step("Node image", "40 s"):
                _make(reference, engine_env)
    return reference


def _make(reference: str, engine_env: dict[str, str]) -> None:
    scratch = in_cache("tmp", "node-image")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    try:
        content = _preloaded_content(scratch)
        layers = [Layer(tree=root_file_system()), Layer(_own_files()), Layer(tree=content, at="var/lib/containerd")]
        write_archive(scratch / "node.tar", [Image(reference, layers, _CONFIG)])
        run(["docker", "load", "--quiet", "--input", scratch / "node.tar"], env=engine_env, log=log_path("node-load"))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _own_files() -> Files:
    kubernetes = programs("kubernetes")
    manifests = {f"/kind/manifests/{file.name}": data_file(file) for file in (LAB / "node").glob("default-*.yaml")}
    return {
        **_kind_files(programs("kind") / "node-files"),
        **manifests,
        "/kind/version": text_file(KUBERNETES_VERSION),
        "/usr/bin/kubeadm": program_file(kubernetes / "kubeadm"),
        "/usr/bin/kubelet": program_file(kubernetes / "kubelet"),
        "/usr/bin/kubectl": program_file(programs("kubectl") / "kubectl"),
        "/usr/local/bin/containerd": link_to("/usr/bin/containerd"),
        "/usr/local/bin/ctr": link_to("/usr/bin/ctr"),
        "/usr/local/sbin/nores": program_file(programs("node") / "nores"),
        "/etc/containerd/config.toml": text_file((LAB / "node" / "containerd.toml").read_text().replace("@PAUSE@", pause_reference())),
        "/etc/containerd/cri-base.json": text_file(_base_runtime_spec()),
        "/etc/cni/net.d/10-lab.conflist": data_file(LAB / "node" / "cni.conflist"),
        "/opt/cni/bin": link_to("/usr/lib/cni"),
        "/etc/kubernetes/manifests": folder(),
        f"{_UNITS}/default.target": link_to("/lib/systemd/system/multi-user.target"),
        f"{_UNITS}/systemd-binfmt.service": link_to("/dev/null"),
        **{
            f"{_UNITS}/multi-user.target.wants/{unit}.service": link_to(f"{_UNITS}/{unit}.service")
            for unit in ("kubelet", "containerd", "undo-mount-hacks")
        },
    }


def _kind_files(source: Path) -> Files:
    """The files of kind's own node image that are not about fuse, licenses or its build."""
    files: dict[str, Entry] = {}
    for file in source.rglob("*"):
        name = f"/{file.relative_to(source)}"
        unwanted = (
            name.startswith("/LICENSES") or "fuse" in name or name.endswith(("README.txt", "clean-install", "/containerd/config.toml"))
        )
        if file.is_file() and not unwanted:
            files[name] = program_file(file) if "/bin/" in name else data_file(file)
    return files


def _base_runtime_spec() -> str:
    """containerd's own container specification without resource limits, which root here may not raise."""
    specification = json.loads(ask(["ctr", "oci", "spec"], env={"PATH": search_path()}))
    specification["process"].pop("rlimits", None)
    return json.dumps(specification)


def _preloaded_content(scratch: Path) -> Path:
    """A containerd folder that holds Kubernetes' images, not unpacked: made by a private containerd."""
    root, socket, log = scratch / "containerd", scratch / "c.sock", log_path("node-containerd")
    configuration = scratch / "config.toml"
    configuration.write_text(
        f'version = 2\nroot = "{root}"\nstate = "{scratch}/state"\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n[grpc]\n  address = "{socket}"\n'
    )
    env = {"PATH": search_path()}
    with (
        log.open("wb") as output,
        subprocess.Popen(
            ["containerd", "-c", configuration], stdout=output, stderr=output, env={**env, "HOME": str(cache_root())}
        ) as daemon,
    ):
        try:
            deadline = time.monotonic() + _CONTAINERD_START_SECONDS
            while not succeeds(["ctr", "-a", socket, "version"], env=env):
                if time.monotonic() > deadline:
                    raise LabError(f"containerd does not start, see {log}")
                time.sleep(0.2)
            ask(["ctr", "-a", socket, "-n", "k8s.io", "images", "import", "--no-unpack", kubernetes_images()], env=env, timeout=300)
        finally:
            daemon.terminate()
    for name in (
        "tmpmounts",
        *(path.name for path in root.glob("io.containerd.runtime*")),
        *(path.name for path in root.glob("io.containerd.grpc*")),
    ):
        subprocess.run(["rm", "-rf", root / name], check=True)
    return root
