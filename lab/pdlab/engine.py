"""The container engine: the one that runs here where it can pull kind's node image, else our own dockerd."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from .cache import locked, write_atomically
from .errors import LabError
from .gobuild import programs
from .network import NETWORK, keep_inside
from .packages import ensure_packages, search_path
from .paths import in_cache
from .progress import say, step
from .shell import succeeds

# The stock way follows kind's published images; the registries-only way builds the version in gobuild.py.
STOCK_NODE_IMAGE = "kindest/node:v1.34.0"
_PULL_SECONDS = 600
_START_SECONDS = 30
_STOP_SECONDS = 20
_CAP_SYS_RESOURCE = 24


@dataclass(frozen=True)
class Engine:
    """How to reach the engine, and whether it is `own` (ours, and images come only from our archives)."""

    own: bool
    env: dict[str, str]


def find_engine() -> Engine:
    """Chooses by looking: an engine that can have kind's node image, else our own (started when it is not running)."""
    choice = os.environ.get("PD_LAB_ENGINE", "")
    if choice not in ("", "stock", "own"):
        raise LabError(f"PD_LAB_ENGINE is {choice!r}; it can be 'stock', 'own' or unset.")
    if choice != "own" and _stock_engine_works():
        return stock_engine()
    if choice == "stock":
        raise LabError(f"No engine here that has or can pull {STOCK_NODE_IMAGE}. Start Docker, or unset PD_LAB_ENGINE.")
    ensure_packages()
    start()
    return own_engine()


def own_engine() -> Engine:
    """Our own dockerd, running or not."""
    env = {
        "DOCKER_HOST": f"unix://{_file('docker.sock')}",
        "KIND_EXPERIMENTAL_DOCKER_NETWORK": NETWORK,
        "PATH": search_path(),
        "DOCKER_CONTEXT": "",
    }
    return Engine(own=True, env=env)


def stock_engine() -> Engine:
    """The engine that the docker command reaches by itself."""
    return Engine(own=False, env={"KIND_EXPERIMENTAL_DOCKER_NETWORK": NETWORK})


def was_started() -> bool:
    """Whether our own dockerd has ever run with this cache."""
    return _file("daemon.json").exists()


def _stock_engine_works() -> bool:
    if not shutil.which("docker") or not succeeds(["docker", "version"], timeout=10):
        return False
    if succeeds(["docker", "image", "inspect", STOCK_NODE_IMAGE]):
        return True
    say(f"Docker runs here; pulling {STOCK_NODE_IMAGE}")
    return succeeds(["docker", "pull", STOCK_NODE_IMAGE], timeout=_PULL_SECONDS)


def is_running() -> bool:
    return succeeds(["docker", "version"], env=own_engine().env, timeout=10) if _file("docker.sock").exists() else False


def start() -> None:
    """Starts our dockerd in its own session, so that it outlives us; adopts nodes that still run."""
    with locked("engine"):
        _favour_containers()
        if is_running():
            return
        keep_inside()
        for attempt in ("as it was", "from a clean state"):
            _end_daemon()
            if attempt != "as it was":
                _end_everything()
            with step("Start dockerd", "3 s"):
                if _try_to_start():
                    return
            say(f"dockerd did not start {attempt}")
        raise LabError(f"dockerd does not start, see {_log()}")


def restart() -> None:
    """Ends our dockerd but not its nodes, and starts it again: it then publishes their ports anew."""
    with locked("engine"):
        _end_daemon()
    start()


def _try_to_start() -> bool:
    write_atomically(_file("daemon.json"), json.dumps(_configuration(), indent=1))
    with _log().open("wb") as output:
        daemon = subprocess.Popen(
            ["dockerd", "--config-file", str(_file("daemon.json"))],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, cwd="/", env={**os.environ, "PATH": search_path()},
        )  # fmt: skip
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and daemon.poll() is None:
        if is_running():
            return True
        time.sleep(0.2)
    return False


def _favour_containers() -> None:
    """Lets the clusters have the processor first: all containers together weigh only as much as one process of this machine else."""
    unified = Path("/sys/fs/cgroup/cgroup.controllers").exists()
    file, weight = ("docker/cpu.weight", "10000") if unified else ("cpu/docker/cpu.shares", "16384")
    place = Path("/sys/fs/cgroup", file)
    try:
        place.parent.mkdir(exist_ok=True)
        place.write_text(weight)
    except OSError as error:
        say(f"The clusters share the processor as every process does ({error})")


def _configuration() -> dict[str, object]:
    configuration: dict[str, object] = {
        "hosts": [f"unix://{_file('docker.sock')}"],
        "data-root": str(_file("data")),
        "exec-root": str(_file("exec")),
        "pidfile": str(_file("dockerd.pid")),
        "storage-driver": "overlay2",
        "live-restore": True,
        "bridge": "none",
        # dockerd 20.10 starts docker-proxy with the life of one of its threads: ports of healthy nodes go dead when that thread ends.
        "userland-proxy": False,
        # Nodes ask nobody outside for names.
        "dns": ["127.0.0.1"],
    }
    if not _may_raise_limits():
        configuration["runtimes"] = {"nores": {"path": str(programs("node") / "nores")}}
        configuration["default-runtime"] = "nores"
    return configuration


def _may_raise_limits() -> bool:
    """Whether CAP_SYS_RESOURCE, which every privileged container asks for, can be had here."""
    status = Path("/proc/self/status").read_text()
    bounding = next(line.split()[1] for line in status.splitlines() if line.startswith("CapBnd:"))
    return bool(int(bounding, 16) >> _CAP_SYS_RESOURCE & 1)


def stop() -> None:
    """Ends our dockerd and everything it ran; other engines are not touched."""
    with locked("engine"):
        _end_daemon()
        _end_everything()


def _end_daemon() -> None:
    """Ends our dockerd and its containerd, if they live, and removes the process-id files that would stop the next one."""
    for pid in _processes("dockerd", str(_file("daemon.json"))) + _processes("containerd", str(_file("exec"))):
        _end(pid)
    for name in ("dockerd.pid", "docker.sock", "exec/containerd/containerd.pid"):
        _file(name).unlink(missing_ok=True)


def _end_everything() -> None:
    """Ends containers whose daemon is gone (their shims name our folder), and what they had mounted and left running."""
    for pid in _processes("containerd-shim-runc-v2", str(_file("exec"))):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split() if Path(f"/proc/{pid}").exists() else []
        for child in [int(child) for child in children]:
            _end(child, signal.SIGKILL)
        _end(pid, signal.SIGKILL)
    mounted = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for place in sorted((place for place in mounted if Path(place).is_relative_to(_file("data").parent)), reverse=True):
        succeeds(["umount", "--lazy", place])
    shutil.rmtree(_file("exec"), ignore_errors=True)


def _processes(program: str, argument: str) -> list[int]:
    """Process ids of the program `program` and whose command line contains `argument`."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if Path(words[0]).name == program and any(argument in word for word in words[1:]):
            found.append(int(folder.name))
    return found


def _end(pid: int, number: int = signal.SIGTERM) -> None:
    try:
        os.kill(pid, number)
        deadline = time.monotonic() + _STOP_SECONDS
        while time.monotonic() < deadline:
            os.kill(pid, 0)
            if Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return
            time.sleep(0.1)
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, FileNotFoundError):
        return


def _file(name: str) -> Path:
    return in_cache("engine", name)


def _log() -> Path:
    return in_cache("logs", "dockerd.log")
