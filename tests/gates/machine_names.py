"""No file names this machine: neither the registries that its package clients are told to use nor its folders.

A lock or a log that was written here would otherwise carry addresses that mean nothing, or too much, elsewhere. The
names are never printed, only where one stands and which setting it comes from.
"""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import urlsplit

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
HOST_SETTINGS = re.compile(r"(INDEX|PROXY|REGISTRY|MIRROR|GONOSUMDB|GOSUMDB|FIND_LINKS|TRUSTED_HOST)", re.IGNORECASE)
URL = re.compile(r"https?://[^\s'\",|\]]+")
CLIENT_FILES = ["/etc/apt/sources.list", "~/.npmrc", "~/.cargo/config.toml", "~/.gemrc", "/etc/pip.conf", "~/.config/uv/uv.toml"]
CLIENT_COMMANDS = [["pip", "config", "list"], ["go", "env", "GOPROXY"], ["npm", "config", "get", "registry"]]
# Documentation may name the public services; a folder that every Linux machine has tells nothing.
PUBLIC = {"localhost", "127.0.0.1", "::1", "github.com", "direct", "off"}
COMMON_FOLDERS = {"/", "/home", "/opt", "/srv", "/tmp", "/usr", "/usr/src", "/var", "/var/tmp", "/mnt"}


def settings() -> Iterator[tuple[str, str]]:
    """(where it is set, text that may hold addresses) for every package client of this machine."""
    for name, value in os.environ.items():
        if HOST_SETTINGS.search(name) and name.upper() != "NO_PROXY":
            yield name, value
    files = [pathlib.Path(name).expanduser() for name in CLIENT_FILES]
    for path in [*files, *pathlib.Path("/etc/apt/sources.list.d").glob("*")]:
        if path.is_file():
            yield path.name, path.read_text(errors="replace")
    for command in CLIENT_COMMANDS:
        if shutil.which(command[0]):
            answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
            yield " ".join(command), answer.stdout


def forbidden() -> dict[str, str]:
    """Text that no file may hold → where it comes from."""
    names = {}
    for origin, text in settings():
        for url in URL.findall(text):
            host = urlsplit(url).hostname
            if host and host not in PUBLIC:
                names[host] = f"the host in {origin}"
    for folder, origin in {REPOSITORY: "the checkout", REPOSITORY.parent: "its parent", pathlib.Path.home(): "the home folder"}.items():
        if str(folder) not in COMMON_FOLDERS:
            names[f"{folder}/"] = origin
    return names


def occurrences(names: dict[str, str]) -> Iterator[str]:
    """Each place of a forbidden name in the files that git knows or would add."""
    if not names:
        return
    # A path inside another one ("$rootfs/root/") is not a path of this machine.
    pattern = re.compile("|".join(rf"(?<![\w./}}\"-]){re.escape(name)}" if name.startswith("/") else re.escape(name) for name in names))
    listed = subprocess.run(["git", "ls-files", "-coz", "--exclude-standard"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        path = REPOSITORY / name
        if not path.is_file() or path.is_symlink():
            continue
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1):
            for found in pattern.finditer(line):
                yield f"{name}:{number}: names {names[found.group()]}"


def main() -> int:
    """Check every file; 0 when none names this machine."""
    names = forbidden()
    problems = list(occurrences(names))
    print("\n".join([*problems, f"{len(names)} names looked for, {len(problems)} found"]))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
