"""What the lab tells roles about optional images is what those roles take, in the versions that they install by default."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from pdlab import optional
from pdlab.paths import CHECKOUT, LAB


def defaults(role: str) -> dict[str, object]:
    return yaml.safe_load((CHECKOUT / "roles" / role / "defaults" / "main.yml").read_text())


def required(folder: str, module: str) -> str:
    found = re.search(rf"^\s*(?:require )?{re.escape(module)} v(\S+)", (LAB / "go" / folder / "go.mod").read_text(), re.MULTILINE)
    assert found, f"lab/go/{folder}/go.mod does not require {module}"
    return found[1]


@pytest.mark.parametrize(
    ("names", "role"), [(["argo-rollouts"], "argo_rollouts"), (["flagger"], "flagger"), (["flagger", "flagger-loadtester"], "flagger")]
)
def test_roles_know_what_they_are_told(names: list[str], role: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optional, "programs", lambda name: Path("/artifacts") / f"go-{name}-0123456789abcdef")
    told = optional.role_variables(names)
    assert {name.removeprefix("previous_") for name in told} <= set(defaults(role))
    images = [value for name, value in told.items() if "image" in name]
    assert images
    assert all(str(value).startswith("localhost/lab/") or value == "89abcdef" for value in images)


def test_podinfo_is_of_no_role() -> None:
    assert optional.role_variables(["podinfo"]) == {}


@pytest.mark.parametrize(
    ("role", "folder", "module"),
    [
        ("flagger", "flagger", "github.com/fluxcd/flagger"),
        ("argo_rollouts", "argo_rollouts", "github.com/argoproj/argo-rollouts"),
        ("gateway_api", "istio", "sigs.k8s.io/gateway-api"),
    ],
)
def test_the_lab_runs_what_a_role_installs(role: str, folder: str, module: str) -> None:
    assert required(folder, module) == defaults(role)[f"{role}_version"]


@pytest.mark.parametrize(
    ("role", "module"), [("flagger", "github.com/fluxcd/flagger"), ("argo_rollouts", "github.com/argoproj/argo-rollouts")]
)
def test_an_upgrade_starts_one_minor_version_before(role: str, module: str) -> None:
    before, now = (
        tuple(map(int, version.split(".")[:2])) for version in (required("previous", module), str(defaults(role)[f"{role}_version"]))
    )
    assert before == (now[0], now[1] - 1)
