"""Image archives: the same input gives the same bytes, and shared layers are stored once."""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
from pathlib import Path

from pdlab.archive import Image, Layer, folder, link_to, program_file, text_file, write_archive, write_layer


def _program(tmp_path: Path) -> Path:
    file = tmp_path / "program"
    file.write_bytes(b"\x7fELF")
    return file


def test_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    program = _program(tmp_path)

    def write(name: str) -> str:
        layer = Layer(
            {"/bin/program": program_file(program), "/etc/hosts": text_file("x"), "/bin/sh": link_to("program"), "/tmp": folder(0o1777)}
        )
        write_archive(tmp_path / name, [Image("localhost/lab/x:1", [layer], {"Env": ["A=1"]})])
        return hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()

    first = write("one.tar")
    os.utime(program, (1, 1))
    assert first == write("two.tar")


def test_layer_lists_folders_before_what_is_in_them(tmp_path: Path) -> None:
    write_layer(tmp_path / "layer.tar", Layer({"/a/b/c": text_file("c"), "/a/b": folder(0o700)}))
    with tarfile.open(tmp_path / "layer.tar") as tar:
        members = [(member.name, member.mode, member.mtime, member.uid) for member in tar]
    assert members == [("a", 0o755, 0, 0), ("a/b", 0o700, 0, 0), ("a/b/c", 0o644, 0, 0)]


def test_tree_is_placed_where_it_belongs_without_times(tmp_path: Path) -> None:
    (tmp_path / "tree" / "deep").mkdir(parents=True)
    (tmp_path / "tree" / "deep" / "file").write_text("x")
    write_layer(tmp_path / "layer.tar", Layer(tree=tmp_path / "tree", at="var/lib"))
    with tarfile.open(tmp_path / "layer.tar") as tar:
        assert {(member.name, member.mtime) for member in tar} == {("var/lib", 0), ("var/lib/deep", 0), ("var/lib/deep/file", 0)}


def test_images_share_a_layer_and_name_its_digest(tmp_path: Path) -> None:
    shared = Layer({"/shop": program_file(_program(tmp_path))})
    images = [Image(f"localhost/lab/shop:{version}", [shared], {"Env": [f"VERSION={version}"]}) for version in ("1", "2")]
    write_archive(tmp_path / "image.tar", images)
    with tarfile.open(tmp_path / "image.tar") as tar:
        names = tar.getnames()
        manifest = json.load(tar.extractfile("manifest.json"))  # type: ignore[arg-type]
        configs = [json.load(tar.extractfile(entry["Config"])) for entry in manifest]  # type: ignore[arg-type]
        (layer,) = (name for name in names if name.endswith("/layer.tar"))
        digest = hashlib.sha256(tar.extractfile(layer).read()).hexdigest()  # type: ignore[union-attr]
    assert layer == f"{digest}/layer.tar"
    assert [entry["Layers"] for entry in manifest] == [[layer], [layer]]
    assert [config["config"]["Env"] for config in configs] == [["VERSION=1"], ["VERSION=2"]]
    assert all(config["rootfs"]["diff_ids"] == [f"sha256:{digest}"] for config in configs)
