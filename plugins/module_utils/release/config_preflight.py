# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which config maps and secrets will be copied for a version, and whether they can be. Reads, and asks with dryRun=All."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ..cluster.errors import Conflict, NotFound, Rejected
from ..cluster.session import Session
from ..workload import config
from ..workload.kinds import DEPLOYMENT, SETS
from .config_spec import ConfigSpec
from .manifests import Manifests
from .spec import Spec
from .values import Problem

JSON = dict[str, Any]
ANYWHERE = "in envFrom, env, volumes or projected volumes"


@dataclass(frozen=True)
class Copy:
    """One object to be copied: its kind, its name and the name of its copy, which tells its content. Part of the record."""

    kind: str
    source: str
    name: str
    digest: str  # of its content

    def __str__(self) -> str:
        return f"{self.kind} {self.source} as {self.name}" if self.name != self.source else f"{self.kind} {self.name}, which is new"

    def to_dict(self) -> JSON:
        """The copy as JSON."""
        return asdict(self)


def rights(asked: ConfigSpec | None, brought: Manifests | None = None, workload_kind: str = DEPLOYMENT) -> list[tuple[str, str, str]]:
    """(verb, kind, subresource) that copies, and objects which release_manifests brings, need."""
    kinds = [kind for kind, choice in (("ConfigMap", asked.config_maps), ("Secret", asked.secrets)) if choice] if asked else []
    kinds = sorted({*kinds, *(one["kind"] for one in (brought.config if brought else ()))})
    if not kinds:
        return []
    needed = [(verb, kind, "") for kind in kinds for verb in ("get", "list", "create", "patch", "delete")]
    revisions = [("list", "ControllerRevision", "")] if workload_kind in SETS else []
    return [*needed, ("list", "Deployment", ""), ("list", "ReplicaSet", ""), *revisions]


def travel(session: Session, spec: Spec, template: JSON, *, problems: list[Problem], notes: list[str]) -> tuple[list[Copy], JSON]:
    """The copies that a new template needs, and the template that refers to them. A problem for each that cannot be made."""
    brought = bring(session, spec, problems)
    copies = [one for one in brought.values() if one is not None]
    template = config.renamed(template, {named: one.name for named, one in brought.items() if one is not None})
    if spec.config is None:
        return copies, template
    more, template = _asked_for(
        session, spec, template, spec.config, {*brought, *((one.kind, one.name) for one in copies)}, problems=problems, notes=notes
    )
    return [*copies, *more], template


def _asked_for(
    session: Session, spec: Spec, template: JSON, asked: ConfigSpec, met: set[config.Named], *, problems: list[Problem], notes: list[str]
) -> tuple[list[Copy], JSON]:
    """The copies that release_config asks for. met: what is seen to already."""
    copies, names = [], {}
    done = set(met)
    for (kind, name), needed in config.references(template).items():
        if (kind, name) in done:
            continue
        origin, found = _source(session, spec, kind, name)
        met.add((kind, origin))
        if not asked.wants(kind, origin) or (origin in config.KEPT_BY_CONTROLLERS and not _is_named(asked, kind, origin)):
            continue
        if found is None:
            _missing(spec, kind, origin, needed or _is_named(asked, kind, origin), problems=problems, notes=notes)
        elif found.get("type") == config.TOKEN:
            if _is_named(asked, kind, origin):
                problems.append(
                    Problem("release_config.secrets", origin, "secrets that are no tokens of a service account: those are not copied")
                )
        else:
            one = _copy(session, spec, {"kind": kind, **found}, problems)
            copies += [one] if one not in copies else []
            names[kind, name] = one.name
    for field, kind, name in asked.named():
        if (kind, name) not in met:
            used = ", ".join(sorted(other for one, other in met if one == kind)) or "none"
            problems.append(Problem(field, name, f"a {kind} that the new pod template uses {ANYWHERE}; it uses: {used}"))
    if not copies and not done and not problems:
        notes.append(f"release_config: the new pod template uses nothing that would be copied ({ANYWHERE})")
    return copies, config.renamed(template, names)


def bring(session: Session, spec: Spec, problems: list[Problem]) -> dict[config.Named, Copy | None]:
    """What becomes of the config maps and secrets of release_manifests: made, copied under their content's hash, or (None) there already."""
    made: dict[config.Named, Copy | None] = {}
    for one in spec.manifests.config if spec.manifests else ():
        kind, name = one["kind"], one["metadata"]["name"]
        found = session.find(kind, spec.namespace, name)
        if found is not None and config.same_content({"kind": kind, **found}, one):
            made[kind, name] = None
        elif found is None:
            made[kind, name] = _copy(session, spec, _placed(spec, one), problems, as_it_is=True)
        elif spec.config is not None and spec.config.wants(kind, name):
            made[kind, name] = _copy(session, spec, _placed(spec, one), problems)
        else:
            made[kind, name] = None
            option = "config_maps" if kind == "ConfigMap" else "secrets"
            allowed = (
                f"the content that {kind} {name} has in namespace {spec.namespace}, which stable's pods use; "
                f"to let the new content travel with the version: release_config: {{{option}: true}}"
            )
            problems.append(Problem(f"release_manifests.{kind}/{name}", "other content", allowed))
    return made


def _placed(spec: Spec, one: JSON) -> JSON:
    return {**one, "metadata": {**one["metadata"], "namespace": spec.namespace}}


def travels_already(session: Session, spec: Spec, template: JSON) -> bool:
    """Whether a template refers to what a release would copy for it: then its configuration is the wanted one already."""
    if not all(
        session.allowed(verb, kind, spec.namespace) for verb, kind, _part in rights(spec.config, spec.manifests, spec.workload_kind)
    ):
        return False  # preflight names what is missing
    problems: list[Problem] = []
    return travel(session, spec, template, problems=problems, notes=[])[1] == template and not problems


def body_of(session: Session, spec: Spec, one: Copy, *, release_id: str, owner: JSON | None) -> JSON:
    """The copy as it is created from what its source holds now. Raises NotFound without a source."""
    ours = spec.manifests.find(one.kind, one.source) if spec.manifests else None
    if ours is not None and (one.name == one.source or one.name.endswith(config.content_hash(ours))):
        return _body(spec, _placed(spec, ours), release_id=release_id, owner=owner, as_it_is=one.name == one.source)
    return _body(spec, session.get(one.kind, spec.namespace, one.source), release_id=release_id, owner=owner)


def _body(spec: Spec, source: JSON, *, release_id: str, owner: JSON | None, as_it_is: bool = False) -> JSON:
    if as_it_is:
        return config.made_of(source, release_id=release_id, owner=owner)
    given = spec.config.data.get(source["metadata"]["name"], {}) if spec.config and source["kind"] == "ConfigMap" else {}
    return config.copy_of(source, given, release_id=release_id, owner=owner)


def _source(session: Session, spec: Spec, kind: str, name: str) -> tuple[str, JSON | None]:
    """What a reference means: the object of that name or, when that is a copy of ours, what it was copied from; its name and the object.

    A secret is only read when secrets travel.
    """
    if kind == "Secret" and not (spec.config and spec.config.secrets):
        return name, None
    found = session.find(kind, spec.namespace, name)
    origin = config.source_of(found) if found else None
    if origin is None:
        return name, found
    return origin, session.find(kind, spec.namespace, origin)


def _is_named(asked: ConfigSpec, kind: str, name: str) -> bool:
    return any((kind, name) == (one, other) for _field, one, other in asked.named())


def _missing(spec: Spec, kind: str, name: str, needed: bool, *, problems: list[Problem], notes: list[str]) -> None:
    if needed:
        allowed = f"a pod template whose {kind} objects exist in namespace {spec.namespace}; {name} does not: kubectl -n {spec.namespace} get {kind.lower()}"
        problems.append(Problem("release_config", f"{kind}/{name}", allowed))
    else:
        notes.append(f"{kind} {name} does not exist; the pod template says that it is optional, so it is not copied")


def _copy(session: Session, spec: Spec, source: JSON, problems: list[Problem], *, as_it_is: bool = False) -> Copy:
    """The copy of a source; problems says why the API server would not take it."""
    body = _body(spec, source, release_id="preflight", owner=None, as_it_is=as_it_is)
    one = Copy(source["kind"], source["metadata"]["name"], body["metadata"]["name"], config.content_hash(body))
    try:
        session.create(body, dry_run=True)
    except Conflict:
        problems += taken(session, spec.namespace, one, body)
    except Rejected as error:
        why = str(error) if one.kind == "ConfigMap" else f"{error.reason} (the message is not shown, for it could quote the secret)"
        problems.append(Problem("release_config", str(one), f"a copy that the API server takes: {why}"))
    return one


def taken(session: Session, namespace: str, one: Copy, body: JSON) -> list[Problem]:
    """What is wrong with an object that has a copy's name already; nothing when it is that copy."""
    try:
        found = {"kind": one.kind, **session.get(one.kind, namespace, one.name)}
    except NotFound:
        return []
    if config.is_copy(found) and config.content(found) == config.content(body):
        return []
    whose = "with other content" if config.is_copy(found) else "and is not ours"
    command = f"kubectl -n {namespace} delete {one.kind.lower()} {one.name}"
    return [Problem("release_config", str(one), f"a free name: {one.kind} {one.name} exists {whose}; if nobody needs it: {command}")]
