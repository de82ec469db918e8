# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A translation while it is made: the manifest, what the user says over it, the options so far. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

from ..values import Reader
from .documents import FIELD, TABLES, Manifests, title
from .queries import prometheus_at, seconds_of

JSON = dict[str, Any]
COLUMNS = 116  # of the plan


@dataclass(frozen=True)
class Origin:
    """Where options of a release come from. notes: what is done otherwise than there; route: how to make the route that it lacks."""

    title: str
    variables: tuple[str, ...]
    notes: tuple[str, ...] = ()
    route: str = ""

    def lines(self) -> list[str]:
        """For the plan."""
        said = [f"from {self.title}: {', '.join(self.variables) or 'nothing is left of it'}", *(f"  {one}" for one in self.notes)]
        return [line for one in said for line in wrap(one, COLUMNS, subsequent_indent="    ", drop_whitespace=True)]


class Draft:
    """Options are gathered; problems go to the reader, with the path of the field in its document."""

    def __init__(self, read: Reader, said: Mapping[str, Any], given: Manifests) -> None:
        self.read, self.said, self.given = read, said, given
        self.main = given.main
        self.options: JSON = {}
        self.notes: list[str] = []
        self.route = ""

    @property
    def name(self) -> str:
        """The name of the Canary or Rollout."""
        return str(self.main["metadata"].get("name") or "")

    @property
    def namespace(self) -> str:
        """Where the release is."""
        return str(self.said.get("release_namespace") or self.main["metadata"].get("namespace") or "")

    @property
    def title(self) -> str:
        """As fields name it."""
        return title(self.main)

    def at(self, path: str, document: Any = None) -> Any:
        """The value at a path of dotted names; None where there is none."""
        found = self.main if document is None else document
        for name in path.split("."):
            found = found.get(name) if isinstance(found, Mapping) else None
        return found

    def refuse(self, path: str, value: Any, allowed: str, document: JSON | None = None) -> None:
        """Note a problem of a field."""
        self.read.refuse(f"{FIELD}.{title(document or self.main)}.{path}", value, allowed)

    def note(self, path: str, sentence: str) -> None:
        """Something that the plan says."""
        line = f"{path}: {sentence}"
        if line not in self.notes:
            self.notes.append(line)

    def says(self, name: str) -> bool:
        """Whether the user gives this option."""
        return self.said.get(name) is not None

    def check(self, document: JSON) -> None:
        """Hold a document against its table."""
        wrong, said = TABLES[document["kind"]].check(document)
        for path, value, why in wrong:
            self.refuse(path, value, why, document)
        for path, sentence in said:
            self.note(path if document is self.main else f"{title(document)}.{path}", sentence)

    def seconds(self, path: str, value: Any, default: float, document: JSON | None = None) -> float:
        """A duration as Go writes it, in seconds."""
        if value is None:
            return default
        found = seconds_of(value)
        if found is None or found < 0:
            self.refuse(path, value, "a duration such as 30s, 5m or 1h30m", document)
            return default
        return found

    def prometheus(self, path: str, address: Any, document: JSON | None = None, **more: Any) -> None:
        """Where queries are asked. All of them at one place, unless the user says where."""
        if self.says("release_prometheus"):
            return
        found = prometheus_at(str(address))
        if found is None:
            self.refuse(
                path, address, "a URL that begins with http:// or https://, without a password; or give release_prometheus", document
            )
            return
        if found.get("service"):
            more.pop("validate_certs", None)
        wanted = {**found, **{key: value for key, value in more.items() if value is not None}}
        known = self.options.setdefault("release_prometheus", wanted)
        if known != wanted:
            shown = known.get("service") or known.get("url")
            self.refuse(
                path,
                address,
                f"the same Prometheus for all metrics ({shown}); or give release_prometheus, which asks all of them there",
                document,
            )

    def add_gate(self, path: str, gate: JSON, document: JSON | None = None) -> None:
        """One more gate. A metric that is asked for twice in the same words is one gate."""
        gates = self.options.setdefault("release_gates", [])
        same = next((one for one in gates if one["name"] == gate["name"]), None)
        if same is None:
            gates.append(gate)
        elif same != gate:
            self.refuse(
                path,
                gate["name"],
                "a name that no other metric has: names of gates are in lower case, with - for all but letters and digits",
                document,
            )

    def version(self, workload: str) -> None:
        """The new version from a Deployment among the documents, unless the user says what it is."""
        if any(map(self.says, ("release_image", "release_manifests", "release_template_patch"))):
            return
        beside = [one for one in self.given.beside if one["kind"] not in TABLES]
        if any(one["kind"] == "Deployment" and one["metadata"].get("name") == workload for one in beside):
            self.options["release_manifests"] = beside


def shadow_steps(draft: Draft, path: str, percent: int | None) -> list[int]:
    """The steps of a release that only copies requests."""
    if percent and percent < 100:
        draft.note(path, f"copies of {percent} % of the requests are judged first, then of all of them: a shadow ends at 100 %")
        return [percent, 100]
    return [100]
