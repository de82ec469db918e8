"""Debian packages that the registries-only way and tests need: installed once, and only when their programs are missing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from .cache import locked, log_path
from .errors import LabError
from .progress import step
from .shell import run

_PROGRAMS = {
    "dockerd": "docker.io",
    "docker": "docker.io",
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "iptables": "iptables",
    "debootstrap": "debootstrap",
}
_POLICY = Path("/usr/sbin/policy-rc.d")
_OUR_POLICY = "#!/bin/sh\n# progressive.delivery lab: no service starts while its packages are installed\nexit 101\n"


def ensure_packages(programs: Mapping[str, str] = MappingProxyType(_PROGRAMS)) -> None:
    """Installs the packages of the programs (program → package) that are missing. Raises LabError where that is not possible."""
    with locked("packages"):
        missing = sorted({package for name, package in programs.items() if not shutil.which(name, path=search_path())})
        if not missing:
            return
        if os.geteuid() != 0 or not shutil.which("apt-get"):
            raise LabError(
                f"Missing: {' '.join(missing)}. Install these packages, or run the lab as root on Debian; or start Docker and pull images."
            )
        _install(missing)


def search_path() -> str:
    return os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"


def _install(packages: list[str]) -> None:
    log = log_path("apt")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    ours = not _POLICY.exists() or _POLICY.read_text() == _OUR_POLICY
    if ours:
        _POLICY.write_text(_OUR_POLICY)
        _POLICY.chmod(0o755)
    try:
        with step(f"Debian packages: {' '.join(packages)}", "20 s"):
            run(["apt-get", "-q", "update"], env=quiet, log=log)
            run(["apt-get", "-q", "-y", "install", "--no-install-recommends", *packages], env=quiet, log=log)
    finally:
        if ours:
            _POLICY.unlink()
