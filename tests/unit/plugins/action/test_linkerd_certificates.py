# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action: what a task tells of certificates, what it refuses, and that it tells no key."""

from __future__ import annotations

import json
import types
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.action.linkerd_certificates import ActionModule
from ansible_collections.progressive.delivery.plugins.plugin_utils import certificates

NAME = "identity.linkerd.cluster.local"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The action with arguments, as a task runs it."""
    monkeypatch.setattr("ansible.plugins.action.ActionBase.run", lambda self, tmp=None, task_vars=None: {})

    def call(check_mode: bool = False, **arguments: Any) -> dict[str, Any]:
        action = ActionModule.__new__(ActionModule)
        action._task = types.SimpleNamespace(args={"issuer_name": NAME, **arguments}, check_mode=check_mode)
        return action.run()

    return call


def test_a_folder_is_made_once_and_no_key_is_told(run: Any, tmp_path: Path) -> None:
    folder = tmp_path / "mesh"
    first, second = run(folder=str(folder)), run(folder=str(folder))
    assert (first["changed"], first["made"]) == (True, ["trust anchor", "issuer"])
    assert (second["changed"], second["issuer"]["sha256"]) == (False, first["issuer"]["sha256"])
    assert first["warnings"] == []
    secret = (folder / "issuer.key").read_text().splitlines()[1]
    assert secret not in json.dumps([first, second])


def test_check_mode_makes_it_in_memory(run: Any, tmp_path: Path) -> None:
    result = run(check_mode=True, folder=str(tmp_path / "mesh"))
    assert result["changed"]
    assert "BEGIN CERTIFICATE" in result["certificate_pem"]
    assert not (tmp_path / "mesh").exists()


def test_a_refusal_writes_nothing(run: Any, tmp_path: Path) -> None:
    """The folder's issuer would be of an anchor that the cluster does not know."""
    cluster = run(folder=str(tmp_path / "cluster"))
    mine = tmp_path / "mine"
    run(folder=str(mine))
    (mine / "issuer.crt").unlink()
    result = run(folder=str(mine), present_anchors_pem=cluster["anchors_pem"])
    assert result["failed"]
    assert "Nothing was changed." in result["msg"]
    assert not (mine / "issuer.crt").exists()
    assert not run(folder=str(mine), present_anchors_pem=cluster["anchors_pem"], replace_anchors=True).get("failed")


def test_certificates_of_the_user_are_taken_as_they_are(run: Any, tmp_path: Path) -> None:
    made = run(folder=str(tmp_path))
    given = {"anchors_pem": made["anchors_pem"], "certificate_pem": made["certificate_pem"]}
    key = (tmp_path / "issuer.key").read_text()
    result = run(**given, key_pem=key)
    assert (result["changed"], result["certificate_pem"]) == (False, made["certificate_pem"])
    assert not run(**given).get("failed")  # the key is somebody else's
    assert "cannot be read" in run(**given, key_pem="no key")["msg"]


def test_without_the_library_it_says_so(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificates, "WHY_NOT", "the Python library cryptography cannot be imported")
    assert run(folder="x")["problems"] == ["the Python library cryptography cannot be imported"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({}, "one of the following is required: folder, anchors_pem"),
        ({"folder": "x", "anchors_pem": "y", "certificate_pem": "z"}, "mutually exclusive"),
        ({"anchors_pem": "y"}, "required together: anchors_pem, certificate_pem"),
        ({"folder": "x", "issuer_days": 90}, "issuer_days is 90 and renew_days 90: every run would make another issuer"),
        ({"folder": "x", "anchor_days": 0}, "anchor_days is 0; at least 1 is needed"),
        ({"folder": "/dev/null/mesh"}, "/dev/null/mesh: Not a directory"),
    ],
)
def test_wrong_arguments_are_named(run: Any, arguments: dict[str, Any], says: str) -> None:
    result = run(**arguments)
    assert result["failed"]
    assert says in result["msg"]
