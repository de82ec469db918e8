"""The image of Flagger's load tester, with those of its tools that the lab's scenarios use: bash, curl, grep and hey."""

from __future__ import annotations

from pathlib import Path

from .archive import Files, Image, Layer, data_file, folder, program_file, text_file, write_archive
from .base import c_library, root_file_system, shell_tools
from .cache import artifact, key_of
from .gobuild import program, programs
from .images import ARCHIVE
from .paths import LAB
from .progress import step

CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


def loadtester(reference: str) -> Path:
    """Its archive, under this reference."""
    own, hey, wget, root = programs("flagger-loadtester"), program("hey"), program("wget"), root_file_system()

    def build(out: Path) -> None:
        with step("Image archive: image-flagger-loadtester", "3 s"):
            files: Files = {
                "/home/app/loadtester": program_file(own / "loadtester"),
                "/usr/local/bin/hey": program_file(hey),
                "/usr/local/bin/wget": program_file(wget),
                "/etc/passwd": text_file("root:x:0:0:root:/:/bin/sh\napp:x:100:101::/home/app:/bin/sh\n"),
                "/etc/nsswitch.conf": text_file("hosts: files dns\n"),
                CERTIFICATES: data_file(root / CERTIFICATES.lstrip("/")),
                "/tmp": folder(0o1777),
            }
            config = {
                "Env": ["PATH=/usr/local/bin:/usr/bin:/bin"],
                "Entrypoint": ["./loadtester"],
                "User": "100:101",
                "WorkingDir": "/home/app",
            }
            write_archive(out / ARCHIVE, [Image(reference, [Layer({**c_library(root), **shell_tools(root)}), Layer(files)], config)])

    recipes = [LAB / "pdlab" / name for name in ("loadtester_image.py", "base.py", "archive.py")]
    sources = (own, hey.parent, wget.parent, root.parent)
    return artifact("image-flagger-loadtester", key_of(reference, *(one.name for one in sources), files=recipes), build) / ARCHIVE
