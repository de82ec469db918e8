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

INVENTORY_NAMES = ("kubeconfig", "context")  # what an inventory may call them
ENVIRONMENT = "K8S_AUTH_"
OTHER_NAMES = {"validate_certs": "verify_ssl", "ca_cert": "ssl_ca_cert", "client_cert": "cert_file", "client_key": "key_file"}
SWITCHES = ("validate_certs", "persist_config")


def split(task: Mapping[str, Any], variables: Mapping[str, Any], template: Callable[[Any], Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(release arguments, connection options). What the task says wins over the variable of the same name.

    Of the variables only those of a release and of the connection are read. One that looks like a typing error of a release's is passed on,
    so that the spec can refuse it.
    """
    release = {name: value for name, value in task.items() if name not in CONNECTION}
    for name, value in variables.items():
        belongs = name in DEFAULTS or name in RESERVED or bool(unknown_variables({name: value}))
        if belongs and release.get(name) is None:
            release[name] = template(value)
    return release, connection(task, variables, template)


def connection(task: Mapping[str, Any], variables: Mapping[str, Any], template: Callable[[Any], Any]) -> dict[str, Any]:
    """How a host's cluster is reached: by the task, else by the host's variables kubeconfig and context, else by those called K8S_AUTH_...

    These are the names of the environment that kubernetes.core reads, which is one for all hosts; a variable is each host's own.
    """
    found = {}
    for name in CONNECTION:
        names = (*((name,) if name in INVENTORY_NAMES else ()), *(ENVIRONMENT + one.upper() for one in (name, OTHER_NAMES.get(name, name))))
        value = task.get(name)
        if value is None:
            value = next((template(variables[one]) for one in names if variables.get(one) not in (None, "")), None)
        if value is not None:
            found[name] = _read(name, value)
    return found


def _read(name: str, value: Any) -> Any:
    """A value that came as text, as from an environment."""
    if name == "impersonate_groups" and isinstance(value, str):
        return [one.strip() for one in value.split(",")]
    if name in SWITCHES and isinstance(value, str):
        return value.strip().lower() not in ("no", "false", "off", "0", "n", "f")
    return value


def completed(given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a verb that releases nothing: it need not be told a name and an image, neither of which changes what it finds."""
    workload = str(given.get("release_workload") or "").partition("/")[2]
    told = {name: value for name, value in given.items() if value is not None}
    return {"release_name": workload[:40].rstrip("-") or "any", "release_image": ANY_IMAGE, **told}
