# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Config maps and secrets travel with the version: copied before its first pod, removed when no pod template refers to them.

A copy is called after its content and never changes, so that a runner that takes over, and one that has lost the release,
make the same. Stable keeps what it refers to: going back needs nothing of what is done here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..cluster.errors import ClusterError, Conflict, NotFound, Superseded
from ..cluster.patch import Operation, add, as_read
from ..workload import config
from ..workload.kinds import SETS
from ..workload.twin import RELEASE_LABEL
from .config_preflight import Copy, body_of, taken
from .context import Context
from .ending import TurnBack

JSON = dict[str, Any]
OWNERS = "/metadata/ownerReferences"


def copy(context: Context) -> None:
    """Make what the new template refers to. Repeatable; raises TurnBack when a source is not what preflight has read."""
    for one in [Copy(**saved) for saved in context.target.copies]:
        if not _present(context, one):
            context.write(f"copy {one}")
            _make(context, one)
            context.live.say("config", f"{one.kind} {one.name} made from {'release_manifests' if one.name == one.source else one.source}")
        _own(context, one.kind, one.name)


def _present(context: Context, one: Copy) -> bool:
    """Whether the copy is there already, by an earlier release, an earlier try, or another workload."""
    found = context.session.find(one.kind, context.namespace, one.name)
    if found is None:
        return False
    if not config.is_copy(found) or config.content_hash({"kind": one.kind, **found}) != one.digest:
        raise TurnBack("config", f"{one.kind} {one.name} was made by somebody else")
    return True


def _make(context: Context, one: Copy) -> None:
    session = context.session
    owner = session.get(context.target.workload_kind, context.namespace, context.serving)
    try:
        body = body_of(session, context.spec, one, release_id=context.state.release_id, owner=owner)
    except NotFound:
        raise TurnBack("config", f"{one.kind} {one.source} was deleted since the release began") from None
    if config.content_hash(body) != one.digest:
        raise TurnBack("config", f"{one.kind} {one.source} was changed since the release began")
    try:
        session.create(body)
    except Conflict:
        for problem in taken(session, context.namespace, one, body):
            raise TurnBack("config", problem.allowed) from None
    context.journal.poll()  # raises Superseded; the copy stays then, for who has taken over may need it by now


def _own(context: Context, kind: str, name: str) -> None:
    """See to it that a copy stays as long as our workload is there, whatever becomes of who made it."""
    owner = context.session.get(context.target.workload_kind, context.namespace, context.serving)
    mine = config.owner_reference(owner)

    def add_owner(found: JSON) -> list[Operation]:
        owners = config.owners_of(found)
        is_owned = any(other.get("uid") == mine["uid"] for other in owners)
        return [] if is_owned else [as_read(found), add(OWNERS, [*owners, mine])]

    context.amend(kind, name, add_owner, fenced=False)


def hand_over(context: Context) -> None:
    """After a swap: copies that the new template refers to stay as long as the new Deployment does, not the old one."""
    for kind, name in config.references(context.target.new_template):
        found = context.session.find(kind, context.namespace, name) if config.may_be_copy(name) else None
        if found is not None and config.is_copy(found):
            _own(context, kind, name)


def tidy(context: Context, *, every: bool) -> None:
    """Remove copies that no workload, kept revision or pod refers to: of this release or, with every, all of this workload's.

    The canary must be on its way out: what only it refers to is not needed any more. Never raises but Superseded.
    """
    if not (context.target.copies or (every and context.spec.config)):
        return
    try:
        _tidy(context, every=every)
    except Superseded:
        raise
    except ClusterError as error:
        context.live.say("warning", f"copies of config maps that nobody needs may be left behind: {error}")


def _tidy(context: Context, *, every: bool) -> None:
    workload = context.session.find(context.target.workload_kind, context.namespace, context.serving)
    if workload is None:
        return  # and its copies go with it
    kinds = _kinds(context, every=every)
    mine = {} if every else {RELEASE_LABEL: context.state.release_id}
    listed = {kind: context.session.list(kind, context.namespace, labels={**config.COPY, **mine}) for kind in kinds}
    used = _used(context)
    for kind, found in listed.items():
        for one in found:
            others = [owner for owner in config.owners_of(one) if owner.get("uid") != workload["metadata"]["uid"]]
            if len(others) < len(config.owners_of(one)) and (kind, one["metadata"]["name"]) not in used:
                _let_go(context, kind, one, others)


def _kinds(context: Context, *, every: bool) -> list[str]:
    asked = context.spec.config
    wanted = {one["kind"] for one in context.target.copies}
    if every and asked:
        wanted |= {kind for kind, choice in (("ConfigMap", asked.config_maps), ("Secret", asked.secrets)) if choice}
    return sorted(wanted)


def _let_go(context: Context, kind: str, found: JSON, others: list[JSON]) -> None:
    """Delete a copy, or leave it to the workloads that own it too."""
    meta = found["metadata"]
    context.journal.poll()
    try:
        if others:
            context.session.patch(kind, context.namespace, meta["name"], [as_read(found), add(OWNERS, others)])
            return
        context.session.delete(kind, context.namespace, meta["name"], uid=meta["uid"], version=meta["resourceVersion"])
    except (Conflict, NotFound):
        return  # somebody has just taken it up, or it is gone
    context.live.say("config", f"{kind} {meta['name']} removed; nothing refers to it any more")


def _used(context: Context) -> set[config.Named]:
    """What the templates of all Deployments, of kept revisions and pods refer to, except the canary's that is on its way out."""
    session, namespace = context.session, context.namespace
    goes = None if context.state.swapped else context.twin
    templates = [one["spec"]["template"] for one in session.list("Deployment", namespace) if one["metadata"]["name"] != goes]
    templates += [
        one["spec"]["template"] for one in session.list("ReplicaSet", namespace) if not _of_canary(context, one["spec"]["template"])
    ]
    if context.target.workload_kind in SETS:
        templates.append(context.workload()["spec"]["template"])
        templates += [one["data"]["spec"]["template"] for one in session.list("ControllerRevision", namespace)]
    templates += [one for one in session.list("Pod", namespace) if not _of_canary(context, one)]
    return _all_references(templates)


def _of_canary(context: Context, template: Mapping[str, Any]) -> bool:
    """Whether a pod, or a template of pods, is the canary's that is on its way out; a workload that is rolled has none."""
    labels = template["metadata"].get("labels") or {}
    return context.target.revision is None and not context.state.swapped and context.target.pod_labels.items() <= labels.items()


def _all_references(templates: Iterable[JSON]) -> set[config.Named]:
    return {named for template in templates for named in config.references(template)}
