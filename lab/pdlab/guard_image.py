"""The image of the guard: Python 3 and nothing else, as `release_guard` wants it."""

from __future__ import annotations

from pathlib import Path

from .archive import Image, Layer, folder, text_file, write_archive
from .base import c_library, python, python_libraries, root_file_system
from .cache import artifact, key_of
from .images import ARCHIVE, LAB_REPOSITORY
from .paths import LAB
from .progress import step


def guard() -> Path:
    root = root_file_system()
    tree = python(root)
    users = text_file("root:x:0:0:root:/:/bin/false\nnobody:x:65534:65534::/:/bin/false\n")

    def build(out: Path) -> None:
        with step("Image archive: image-guard", "3 s"):
            libraries = Layer({**c_library(root), **python_libraries(root), "/etc/passwd": users, "/tmp": folder(0o1777)})
            config = {"Env": ["PATH=/usr/bin"], "Entrypoint": ["/usr/bin/python3"], "User": "65534:65534", "WorkingDir": "/"}
            write_archive(out / ARCHIVE, [Image(f"{LAB_REPOSITORY}/guard:1", [libraries, Layer(tree=tree)], config)])

    recipes = [LAB / "pdlab" / "guard_image.py", LAB / "pdlab" / "archive.py"]
    return artifact("image-guard", key_of(root.parent.name, tree.parent.name, files=recipes), build) / ARCHIVE
