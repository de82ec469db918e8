# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""release_prometheus: where Prometheus, or what speaks like it, is, and how one gets in. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from . import secrets
from .secrets import HIDDEN, hashed, hashed_pairs, is_hash
from .values import Reader

FIELD = "release_prometheus"
OF_URL = ("token", "username", "password", "ca_cert", "client_cert", "client_key", "validate_certs")
OPTIONS = ("url", "service", "path", "headers", "timeout_seconds", *OF_URL)


@dataclass(frozen=True)
class Access:
    """How one gets in. path comes before /api/v1; headers are sent with every question; files are paths on the control node."""

    path: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    timeout_seconds: float = 5.0
    token: str | None = None
    username: str | None = None
    password: str | None = None
    ca_cert: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    validate_certs: bool = True

    def to_dict(self) -> dict[str, Any]:
        """As the record keeps it: secrets only as hashes, which is enough to see that they are the same."""
        return asdict(
            replace(
                self,
                headers=hashed_pairs(self.headers),
                token=self.token and hashed(self.token),
                password=self.password and hashed(self.password),
            )
        )

    @property
    def lost_secrets(self) -> bool:
        """Whether this came from a record that kept only hashes of what would let one in."""
        return any(is_hash(one) for one in (self.token, self.password, *(value for _name, value in self.headers)))


OPEN = Access()  # nothing is asked of who comes in


def access_from(saved: Mapping[str, Any]) -> Access:
    """Access as to_dict wrote it."""
    return Access(**{**saved, "headers": tuple((name, value) for name, value in saved["headers"])})


def prometheus(read: Reader, value: Any, *, needed: bool) -> dict[str, Any]:
    """prometheus_url, prometheus_service and prometheus_access of release_prometheus."""
    none: dict[str, Any] = {"prometheus_url": None, "prometheus_service": None, "prometheus_access": OPEN}
    found = read.mapping(FIELD, value, OPTIONS)
    if found is None:
        if needed and value is None:
            read.refuse(
                FIELD, None, "is required by the gates, release_slo or release_alerts: {url: https://...} or {service: namespace/name:port}"
            )
        return none
    if len([key for key in ("url", "service") if found.get(key)]) != 1:
        read.refuse(FIELD, sorted(found), "exactly one of url and service")
        return none
    none["prometheus_access"] = _access(read, found)
    if found.get("url"):
        if not re.fullmatch(r"https?://[^\s/]+(/\S*)?", str(found["url"])):
            read.refuse(f"{FIELD}.url", found["url"], "a URL that begins with http:// or https://")
        elif "@" in str(found["url"]).split("/")[2]:
            read.refuse(f"{FIELD}.url", HIDDEN, "a URL without a password; there are username and password for that")
        return {**none, "prometheus_url": found["url"]}
    for option in OF_URL:
        if found.get(option) is not None:
            read.refuse(f"{FIELD}.{option}", HIDDEN, "nothing with service: the API server, which passes the questions on, lets you in")
    matched = re.fullmatch(r"([a-z0-9-]+)/([a-z0-9-]+):([a-z0-9-]+)", str(found["service"]))
    if not matched:
        read.refuse(f"{FIELD}.service", found["service"], "namespace/name:port, such as monitoring/prometheus:9090")
        return none
    return {**none, "prometheus_service": matched.groups()}


def _access(read: Reader, found: Mapping[str, Any]) -> Access:
    texts = {name: read.text(f"{FIELD}.{name}", found.get(name)) for name in ("username", "ca_cert", "client_cert", "client_key")}
    hidden = {name: _secret(read, name, found.get(name)) for name in ("token", "password")}
    if hidden["token"] and texts["username"]:
        read.refuse(f"{FIELD}.token", HIDDEN, "a token, or username and password, not both")
    if bool(texts["username"]) != bool(hidden["password"]):
        read.refuse(f"{FIELD}.username", texts["username"], "username and password together")
    if texts["client_key"] and not texts["client_cert"]:
        read.refuse(f"{FIELD}.client_key", texts["client_key"], "nothing without client_cert")
    validate = found.get("validate_certs", True)
    if not isinstance(validate, bool):
        read.refuse(f"{FIELD}.validate_certs", validate, "true or false")
        validate = True
    path = found.get("path") or ""
    if not isinstance(path, str) or (path and not re.fullmatch(r"/[A-Za-z0-9._~/-]*[A-Za-z0-9._~-]", path)) or ".." in str(path):
        read.refuse(f"{FIELD}.path", path, "a path that begins with / and does not end with it, such as /prometheus")
        path = ""
    timeout = read.seconds(f"{FIELD}.timeout_seconds", found.get("timeout_seconds"), least=1, most=60, default=5)
    headers = secrets.headers(read, f"{FIELD}.headers", found.get("headers"))
    return Access(path=path, headers=headers, timeout_seconds=timeout, validate_certs=validate, **texts, **hidden)


def _secret(read: Reader, name: str, value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip():
        read.refuse(f"{FIELD}.{name}", HIDDEN, "a non-empty string")
        return None
    return value.strip()
