# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""release_config: which config maps and secrets travel with the version, from what a user wrote to checked values. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Union

from .secrets import hashed
from .values import TRUTHS, Reader

Data = dict[str, dict[str, Union[str, None]]]  # config map -> key -> value; null removes the key
Choice = Union[bool, tuple[str, ...]]  # all that the template uses, none, or those named
SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
DATA_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
LONGEST_NAME = 242  # with its hash a copy's name must fit into 253 characters
MOST_KEYS = 100  # each has a hash in the record


@dataclass(frozen=True)
class ConfigSpec:
    """What travels: config maps, secrets, and values laid over those of the config maps."""

    config_maps: Choice
    secrets: Choice
    data: Data

    def to_dict(self) -> dict[str, Any]:
        """As the record keeps it: of data only hashes, which is enough to see that it is the same."""
        data = {name: {key: value and hashed(value) for key, value in given.items()} for name, given in self.data.items()}
        return {**asdict(self), "data": data}

    def wants(self, kind: str, name: str) -> bool:
        """Whether an object that the template uses is to be copied."""
        choice = self.config_maps if kind == "ConfigMap" else self.secrets
        return choice if isinstance(choice, bool) else name in choice

    def named(self) -> list[tuple[str, str, str]]:
        """Field, kind and name of everything that is asked for by its name."""
        lists = (
            ("config_maps", "ConfigMap", self.config_maps),
            ("secrets", "Secret", self.secrets),
            ("data", "ConfigMap", tuple(self.data)),
        )
        return [(f"release_config.{field}", kind, name) for field, kind, names in lists if not isinstance(names, bool) for name in names]


def config_from(saved: Mapping[str, Any] | None) -> ConfigSpec | None:
    """A ConfigSpec as to_dict wrote it. Nothing can be copied by it: its data are hashes."""
    if saved is None:
        return None
    choices = {field: saved[field] if isinstance(saved[field], bool) else tuple(saved[field]) for field in ("config_maps", "secrets")}
    return ConfigSpec(**choices, data=saved["data"])


def config(read: Reader, value: Any) -> ConfigSpec | None:
    """What release_config asks for; None when nothing travels."""
    found = read.mapping("release_config", value, ("config_maps", "secrets", "data"))
    if found is None:
        return None
    config_maps = _choice(read, "config_maps", found.get("config_maps"), default=True)
    secrets = _choice(read, "secrets", found.get("secrets"), default=False)
    data = _data(read, found.get("data"))
    for name in data:
        if config_maps is False or (isinstance(config_maps, tuple) and name not in config_maps):
            read.refuse(
                f"release_config.data.{name}", None, "a config map that travels: put its name into config_maps, or config_maps: true"
            )
    return ConfigSpec(config_maps, secrets, data) if config_maps or secrets else None


def _choice(read: Reader, option: str, value: Any, *, default: bool) -> Choice:
    field, allowed = f"release_config.{option}", "true, false, or a list of names"
    if value is None:
        return default
    if isinstance(value, bool) or (isinstance(value, str) and value.lower() in TRUTHS):
        return read.truth(field, value)
    if not isinstance(value, (list, str)):
        read.refuse(field, value, allowed)
        return default
    names = [name for index, item in enumerate(read.sequence(field, value) or []) if (name := _name(read, f"{field}[{index}]", item))]
    return tuple(dict.fromkeys(names))


def _name(read: Reader, field: str, value: Any) -> str | None:
    if value is None:
        read.refuse(field, None, "a name")
    name = read.text(field, value)
    if name is not None and (len(name) > LONGEST_NAME or not SUBDOMAIN.fullmatch(name)):
        read.refuse(field, value, f"lower-case letters, digits, '-' and '.', at most {LONGEST_NAME} characters")
        return None
    return name


def _data(read: Reader, value: Any) -> Data:
    made: Data = {}
    for name, given in (read.mapping("release_config.data", value) or {}).items():
        field = f"release_config.data.{name}"
        if _name(read, field, name) is None:
            continue
        if given is None:
            read.refuse(field, None, "is required: a dictionary of keys and values")
        made[str(name)] = {}
        for key, text in (read.mapping(field, given) or {}).items():
            if not isinstance(key, str) or not DATA_KEY.fullmatch(key):
                read.refuse(field, key, "keys of letters, digits, '-', '_' and '.'")
            elif text is not None and not isinstance(text, str):
                read.refuse(f"{field}.{key}", text, "a string (quote numbers and true, false), or null, which removes the key")
            else:
                made[str(name)][key] = text
    keys = sum(len(given) for given in made.values())
    if keys > MOST_KEYS:
        read.refuse("release_config.data", f"{keys} keys", f"at most {MOST_KEYS}; put the others into the config map itself")
    return made
