"""The recipes name what is in the checkout, and nothing that is only on one machine."""

from __future__ import annotations

import pytest
from pdlab import gobuild, images, load
from pdlab.paths import LAB


@pytest.mark.parametrize("name", sorted(gobuild.PROGRAMS))
def test_every_program_has_its_module(name: str) -> None:
    program = gobuild.PROGRAMS[name]
    assert program.name == name
    assert (LAB / program.folder / "go.mod").is_file()


def test_kubernetes_stamp_is_the_version_that_go_mod_requires() -> None:
    assert f"k8s.io/kubernetes {gobuild.KUBERNETES_VERSION}" in (LAB / "go/kubernetes/go.mod").read_text()


def test_shop_versions_differ_from_the_first_only_by_known_faults() -> None:
    source = (LAB / "apps/shop/main.go").read_text()
    assert images.SHOP_VERSIONS["1.0.0"] == {}
    for faults in images.SHOP_VERSIONS.values():
        assert all(f'"{name}"' in source for name in faults)


@pytest.mark.parametrize(("text", "seconds"), [("60s", 60), ("1.5m", 90), ("7", 7)])
def test_durations(text: str, seconds: float) -> None:
    assert load._seconds(text) == seconds
