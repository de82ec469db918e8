# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs traffic and traffic_info: the route of one service, declared and read, without a release around it.

The same two functions run in Ansible's worker and as modules on a target; they take arguments and give back a result.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ..cluster.endpoints import ready_endpoints
from ..cluster.errors import ClusterError, Conflict, Unreachable
from ..cluster.session import Session, connect
from ..release import parts, record
from ..release.arguments import CONNECTION
from ..release.values import Problem, Reader
from .place import Unusable
from .providers import PROVIDERS, who_can
from .route import CANARY, HOME, Route, RouteError
from .router import ACCEPT_SECONDS, ATTEMPTS, PAUSE_SECONDS
from .sight import Declared, Sight, again, choices, look

JSON = dict[str, Any]
OBJECTS = ("virtual_service", "http_route", "grpc_route")
# options of both verbs beside kubernetes.core's connection options
WHICH: dict[str, JSON] = {
    "namespace": {"type": "str", "required": True},
    "service": {"type": "str", "required": True},
    "provider": {"type": "str", "choices": ["istio", "gateway_api", "linkerd", "service"], "default": "istio"},
    **{name: {"type": "str"} for name in OBJECTS},
    "route": {"type": "str"},
    "canary": {"type": "str"},
}
# what is left out is none: a task declares the whole state
STATE: dict[str, JSON] = {
    "weight": {"type": "int", "default": 0},
    "match": {"type": "list", "elements": "dict", "default": []},
    "mirror": {"type": "int", "default": 0},
}


class Unsettled(RouteError):
    """Nobody knows whether a change took effect."""


def traffic(given: Mapping[str, Any], *, check_mode: bool = False, diff: bool = False) -> JSON:
    """The verb traffic: arguments in, result out. Failures are results with failed and msg; nothing is raised."""
    try:
        wanted = parse(given)
        return declare(session_of(given), wanted, check_mode=check_mode, diff=diff)
    except Unusable as error:
        return refusal(error.problems)
    except (ClusterError, RouteError) as error:
        return {"failed": True, "changed": isinstance(error, Unsettled), "msg": str(error)}


def traffic_info(given: Mapping[str, Any]) -> JSON:
    """The verb traffic_info: arguments in, result out. A route that cannot be told is a result, not a failure."""
    try:
        wanted = parse(given)
        return describe(session_of(given), wanted)
    except Unusable as error:
        return refusal(error.problems)
    except (ClusterError, RouteError) as error:
        return {"failed": True, "changed": False, "msg": str(error)}


def parse(given: Mapping[str, Any]) -> Declared:
    """Checked arguments. Raises Unusable with all problems."""
    read = Reader()
    for field in ("namespace", "service"):
        if given.get(field) is None:
            read.refuse(field, None, "is required")
    route = parts.traffic(read, {name: given[name] for name in ("provider", "service", *OBJECTS, "route") if given.get(name) is not None})
    canary = read.name("canary", given.get("canary")) or f"{route['service']}{CANARY}"
    if canary == route["service"]:
        read.refuse("canary", canary, "another Service than the one that clients use")
    wanted = Route(
        read.integer("weight", given.get("weight"), least=0, most=100, default=0),
        parts.matches(read, given.get("match")),
        read.integer("mirror", given.get("mirror"), least=0, most=100, default=0),
    )
    read.problems += _unable(route["provider"], wanted)
    namespace = read.name("namespace", given.get("namespace"))
    if read.problems or namespace is None:
        raise Unusable([_in_our_words(problem, route["provider"]) for problem in read.problems])
    return Declared(
        namespace,
        route["service"],
        route["provider"],
        object_kind=route["route_kind"],
        object_name=route["route_object"],
        rule=route["route"],
        canary=canary,
        route=wanted,
    )


def declare(session: Session, wanted: Declared, *, check_mode: bool = False, diff: bool = False) -> JSON:
    """Make the route what is wanted, or in check mode ask the API server whether it would (dryRun=All).

    A patch whose answer was lost is settled by reading. Raises Unusable, ClusterError or RouteError with nothing changed, and
    Unsettled when that is not known.
    """
    first: Sight | None = None
    began, sent, refused = 0.0, False, ""
    for _attempt in range(ATTEMPTS):
        try:
            sight = _ready(session, wanted)
        except (ClusterError, RouteError, Unusable) as error:
            if sent:
                raise Unsettled(f"a change was sent, its answer was lost, and it cannot be read: {error}") from error
            raise
        first = first or sight
        if sight.holds(wanted.route):
            return _result(first, sight, changed=sent, put_ms=_since(began) if sent else None, diff=diff)
        place, operations = sight.router.place, sight.operations(wanted.route)
        began = time.perf_counter()
        try:
            stored = session.patch(place.kind, wanted.namespace, place.name, operations, dry_run=check_mode)
        except (Conflict, Unreachable) as error:
            sent, refused = sent or (isinstance(error, Unreachable) and not check_mode), str(error)
            session.sleep(PAUSE_SECONDS)
            continue
        put_ms, after = _since(began), again(sight, stored)
        result = _result(first, after, changed=True, put_ms=put_ms, diff=diff)
        if not after.holds(wanted.route):
            why = f"{sight.router.where} was stored otherwise than it was sent: a webhook or a controller changes it"
            return {**result, "failed": True, "msg": why}
        return result if check_mode else {**result, **_unserved(session, after)}
    why = f"{sight.router.where} did not become {wanted.route} in {ATTEMPTS} attempts: {refused}"
    raise Unsettled(why) if sent else RouteError(why)


def _ready(session: Session, wanted: Declared) -> Sight:
    """The route as it stands, which nobody else holds, and a canary that can serve. Raises Unusable."""
    sight = seen(session, wanted)
    free(session, wanted, sight)
    _canary_serves(session, wanted)
    return sight


def describe(session: Session, wanted: Declared) -> JSON:
    """The route as it stands, who holds it, why it is not served; without exactly one route, what there is instead."""
    found: JSON = {"changed": False, "route": None, "object": None, "fence": None, "unserved": None, "problems": []}
    try:
        sight = seen(session, wanted)
    except Unusable as error:
        return {**found, "problems": [problem.to_dict() for problem in error.problems], "candidates": choices(session, wanted)}
    held = record.holder(session, wanted.namespace, sight.fence) if sight.fence else None
    known = {"kind": _kind(sight), "name": sight.router.place.name}
    rule = sight.router.place.rule if sight.recovered else None
    return {
        **found,
        "route": sight.seen.to_dict(),
        "object": known,
        "fence": held.state.release_id if held else None,
        "unserved": sight.router.unserved(sight.found),
        "candidates": [{**known, "route": rule}],
    }


def refusal(problems: list[Problem]) -> JSON:
    """The result of a task that cannot be done as it is written: all problems at once."""
    lines = [str(problem) for problem in problems]
    count = f"{len(lines)} problem{'' if len(lines) == 1 else 's'}. Nothing was changed."
    return {"failed": True, "changed": False, "problems": [problem.to_dict() for problem in problems], "msg": "\n".join([*lines, count])}


def session_of(given: Mapping[str, Any]) -> Session:
    """A session by the connection options among a task's arguments."""
    return connect({name: given[name] for name in CONNECTION if given.get(name) is not None})


def seen(session: Session, wanted: Declared) -> Sight:
    """The route as it stands. Raises Unusable in the words of the verbs' options."""
    try:
        return look(session, wanted)
    except Unusable as error:
        raise Unusable([_in_our_words(problem, wanted.provider) for problem in error.problems]) from error


def _unable(provider: str, wanted: Route) -> list[Problem]:
    """What the router of a provider cannot do."""
    needs = [
        ("weight", wanted.canary_percent, "weight", 0 < wanted.canary_percent < 100),
        ("weight", wanted.canary_percent, "switch", wanted.canary_percent == 100),
        ("match", " or ".join(map(str, wanted.matches)), "match", bool(wanted.matches)),
        ("mirror", wanted.mirror_percent, "mirror", wanted.mirror_percent > 0),
    ]
    chosen = PROVIDERS[provider]
    return [
        Problem(field, value, f"a router that can {ability}: provider {who_can(ability)}; {provider} steers by {chosen.does}")
        for field, value, ability, needed in needs
        if needed and ability not in chosen.router.can
    ]


def free(session: Session, wanted: Declared, sight: Sight) -> None:
    """Raises Unusable while a release holds the route."""
    held = record.holder(session, wanted.namespace, sight.fence) if sight.fence else None
    if held is None:
        return
    name, state = held.name.removeprefix("release-"), held.state
    command = f"ansible-playbook progressive.delivery.abort -e release_name={name}"
    allowed = f"a {_kind(sight)} that no release holds; release {state.release_id} ({state.phase}) holds this one; end it with: {command}"
    raise Unusable([Problem(_object_option(wanted), sight.router.place.name, allowed)])


def _canary_serves(session: Session, wanted: Declared) -> None:
    """Traffic never goes where nobody answers; to send it home, nothing is asked."""
    if wanted.route == HOME or ready_endpoints(session, wanted.namespace, wanted.canary):
        return
    if session.find("Service", wanted.namespace, wanted.canary) is None:
        names = ", ".join(sorted(one["metadata"]["name"] for one in session.list("Service", wanted.namespace))) or "none"
        raise Unusable([Problem("canary", wanted.canary, f"a Service of namespace {wanted.namespace}; there is: {names}")])
    look_at = f"kubectl -n {wanted.namespace} get endpointslices -l kubernetes.io/service-name={wanted.canary}"
    raise Unusable([Problem("canary", wanted.canary, f"a Service with ready endpoints; this one has none: {look_at}")])


def _unserved(session: Session, sight: Sight) -> JSON:
    """Wait until the implementation serves the object as it is stored; a failure that says that it was changed, when it does not."""
    place, waited = sight.router.place, 0.0
    stored = sight.found
    while why := sight.router.unserved(stored):
        if waited >= ACCEPT_SECONDS:
            return {"failed": True, "msg": f"{sight.router.where} was changed and is not served {ACCEPT_SECONDS:.0f} s later: {why}"}
        session.sleep(PAUSE_SECONDS)
        waited += PAUSE_SECONDS
        stored = session.get(place.kind, stored["metadata"]["namespace"], place.name)
    return {}


def _result(before: Sight, after: Sight, *, changed: bool, put_ms: float | None, diff: bool) -> JSON:
    result: JSON = {
        "changed": changed,
        "route": after.seen.to_dict(),
        "before": before.seen.to_dict(),
        "object": {"kind": _kind(after), "name": after.router.place.name},
        "put_ms": put_ms,
    }
    if diff:
        header = f"{_kind(after)} {after.router.place.name}"
        shown = {"before": _shown(before), "after": _shown(after)}
        result["diff"] = [{**shown, "before_header": header, "after_header": header}]
    return result


def _shown(sight: Sight) -> JSON:
    meta = {key: value for key, value in sight.found["metadata"].items() if key in ("name", "namespace", "labels", "annotations")}
    return {"kind": _kind(sight), "metadata": meta, "spec": sight.found["spec"]}


def _in_our_words(problem: Problem, provider: str) -> Problem:
    """A problem of a release's argument as one of the task's own option."""
    field = problem.field.removeprefix("release_traffic.").removeprefix("release_")
    return Problem(_first_option(provider) if field == "traffic" else field, problem.value, problem.allowed)


def _object_option(wanted: Declared) -> str:
    names = parts.ROUTE_OPTIONS[wanted.provider]
    return next((option for option, kind in names.items() if kind == wanted.object_kind), _first_option(wanted.provider))


def _first_option(provider: str) -> str:
    return next(iter(parts.ROUTE_OPTIONS[provider]), "service")


def _kind(sight: Sight) -> str:
    return sight.router.place.kind.partition(".")[0]


def _since(began: float) -> float:
    return round(1000 * (time.perf_counter() - began), 1)
