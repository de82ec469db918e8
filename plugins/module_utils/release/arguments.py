# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a verb's arguments come from: the task, and the release_... variables of the same names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .spec import DEFAULTS, RESERVED, unknown_variables

ANY_IMAGE = "localhost/any/any:0"
CONNECTION = (
    "kubeconfig",
    "context",
    "host",
    "api_key",
    "username",
    "password",
    "validate_certs",
    "ca_cert",
    "client_cert",
    "client_key",
    "proxy",
    "no_proxy",
    "proxy_headers",
    "persist_config",
    "impersonate_user",
    "impersonate_groups",
)


def split(task: Mapping[str, Any], variables: Mapping[str, Any], template: Callable[[Any], Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(release arguments, connection options). What the task says wins over the variable of the same name.

    Of the variables only those of a release and kubeconfig, context are read: the names that an inventory gives a target.
    A variable that looks like a typing error of one of them is passed on, so that the spec can refuse it.
    """
    release = {name: value for name, value in task.items() if name not in CONNECTION}
    connection = {name: task[name] for name in CONNECTION if task.get(name) is not None}
    for name, value in variables.items():
        belongs = name in DEFAULTS or name in RESERVED or bool(unknown_variables({name: value}))
        if belongs and release.get(name) is None:
            release[name] = template(value)
    for name in ("kubeconfig", "context"):
        if name not in connection and variables.get(name):
            connection[name] = template(variables[name])
    return release, connection


def completed(given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a verb that releases nothing: it need not be told a name and an image, neither of which changes what it finds."""
    workload = str(given.get("release_workload") or "").partition("/")[2]
    told = {name: value for name, value in given.items() if value is not None}
    return {"release_name": workload[:40].rstrip("-") or "any", "release_image": ANY_IMAGE, **told}
