"""Keys follow content, and an artifact is complete or absent."""

from __future__ import annotations

from pathlib import Path

import pytest
from pdlab import cache


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PD_CACHE", str(tmp_path / "cache"))


def test_key_depends_on_every_part_and_on_where_parts_end() -> None:
    assert cache.key_of("a", "b") == cache.key_of("a", "b")
    assert len({cache.key_of("a", "b"), cache.key_of("ab"), cache.key_of("b", "a"), cache.key_of("a", "b", "")}) == 4


def test_key_depends_on_names_and_bytes_of_files_not_on_their_folder_or_order(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        for name in ("go.mod", "main.go"):
            (tmp_path / folder / name).write_text(name)
    one, two = ([tmp_path / folder / name for name in ("main.go", "go.mod")] for folder in ("one", "two"))
    assert cache.key_of("x", files=one) == cache.key_of("x", files=reversed(two))
    two[0].write_text("changed")
    assert cache.key_of("x", files=one) != cache.key_of("x", files=two)


def test_artifact_is_built_once() -> None:
    built = []

    def build(out: Path) -> None:
        built.append(out)
        (out / "file").write_text("content")

    first = cache.artifact("thing", "0" * cache.KEY_LENGTH, build)
    second = cache.artifact("thing", "0" * cache.KEY_LENGTH, build)
    assert first == second
    assert (first / "file").read_text() == "content"
    assert len(built) == 1


def test_interrupted_build_leaves_nothing_that_counts() -> None:
    def die(out: Path) -> None:
        (out / "half").write_text("half")
        raise KeyboardInterrupt

    key = "1" * cache.KEY_LENGTH
    with pytest.raises(KeyboardInterrupt):
        cache.artifact("thing", key, die)
    assert not cache.artifact_path("thing", key).exists()

    rebuilt = cache.artifact("thing", key, lambda out: (out / "whole").touch())
    assert [file.name for file in rebuilt.iterdir()] == ["whole"]


def test_write_atomically_replaces_the_file(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "file"
    cache.write_atomically(file, "old")
    cache.write_atomically(file, "new")
    assert file.read_text() == "new"
    assert list(file.parent.iterdir()) == [file]
