# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of a release that are more than one value: its route, its steps, its gates. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..traffic.route import Condition, Match
from .approvals import ANYBODY, ApprovalSpec, approval_from, approval_spec
from .subsets_spec import subsets
from .values import Reader

LONGEST_WORKLOAD = 56  # "-canary" must fit below 63 characters
MOST_STEPS = 50


@dataclass(frozen=True)
class StepSpec:
    """One rise of the weight, how long it bakes at least before evidence may move it on, and whether people must agree, too."""

    weight_percent: int
    bake_seconds: float
    approve: bool = False
    approval: ApprovalSpec | None = None  # who has to; None: anybody may


@dataclass(frozen=True)
class PodsSpec:
    """Where pods are read: the family of their counters, the port (a number or a name; None: the application's first), path and scheme."""

    family: str
    port: str | None
    path: str
    scheme: str


POD_DEFAULTS = {"istio": ("15090", "/stats/prometheus"), "envoy": ("15090", "/stats/prometheus"), "http": (None, "/metrics")}
# provider -> what names the object that holds the route: option -> kind
ROUTE_OPTIONS: dict[str, dict[str, str]] = {
    "istio": {"virtual_service": "VirtualService"},
    "gateway_api": {"http_route": "HTTPRoute", "grpc_route": "GRPCRoute"},
    "linkerd": {"http_route": "HTTPRoute"},
    "service": {},
}
PROVIDERS = tuple(ROUTE_OPTIONS)
HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # RFC 9110, a token


def traffic(read: Reader, value: Any) -> dict[str, Any]:
    """provider, service, route_kind, route_object, route and subsets of release_traffic."""
    options = {option for names in ROUTE_OPTIONS.values() for option in names}
    names = ("provider", "service", *sorted(options), "route", "subsets", "max_extra_pods")
    found = read.mapping("release_traffic", value, names) or {}
    provider = read.choice("release_traffic.provider", found.get("provider"), PROVIDERS, "istio")
    own = ROUTE_OPTIONS[provider]
    for option in sorted(options - set(own)):
        if found.get(option) is not None:
            allowed = f"nothing: provider {provider} knows {', '.join(own) or 'no route object'}"
            read.refuse(f"release_traffic.{option}", found[option], allowed)
    named = {kind: name for option, kind in own.items() if (name := read.text(f"release_traffic.{option}", found.get(option)))}
    if len(named) > 1:
        read.refuse("release_traffic", found, f"one of {', '.join(own)}")
    if provider == "service" and found.get("route") is not None:
        read.refuse("release_traffic.route", found["route"], "nothing: a Service has no rules")
    kind, name = next(iter(named.items()), (None, None))
    return {
        "provider": provider,
        "service": read.name("release_traffic.service", found.get("service"), longest=LONGEST_WORKLOAD),
        "route_kind": kind,
        "route_object": name,
        "route": read.text("release_traffic.route", found.get("route")),
        "subsets": subsets(read, found.get("subsets"), provider=provider),
        "max_extra_pods": _extra_pods(read, found.get("max_extra_pods")),
    }


def _extra_pods(read: Reader, value: Any) -> int | None:
    return None if value is None else read.integer("release_traffic.max_extra_pods", value, least=1, most=1000, default=1)


def matches(read: Reader, value: Any) -> tuple[Match, ...]:
    """The alternatives of release_match, each with all of its conditions; cookies and user agents become headers."""
    found = []
    for index, item in enumerate(read.sequence("release_match", value) or []):
        field = f"release_match[{index}]"
        one = read.mapping(field, item, ("headers", "cookies", "query", "user_agent"))
        if not one:
            if item is None or one == {}:
                read.refuse(field, item, "at least one of headers, cookies, query and user_agent")
            continue
        asked = [
            *conditions(read, f"{field}.headers", "header", one.get("headers")),
            *conditions(read, f"{field}.query", "query", one.get("query")),
            *(_cookie(cookie) for cookie in conditions(read, f"{field}.cookies", "cookie", one.get("cookies"))),
        ]
        if one.get("user_agent") is not None:
            asked += conditions(read, f"{field}", "header", {"user-agent": one["user_agent"]}, default_how="regex")
        names = [(condition.source, condition.name.lower()) for condition in asked]
        for source, name in sorted({pair for pair in names if names.count(pair) > 1}):
            read.refuse(field, item, f"one condition for {source} {name}; a second cookie cannot be asked for in the same item")
        if asked:
            found.append(Match(tuple(asked)))
    return tuple(found)


def conditions(read: Reader, field: str, source: str, value: Any, *, default_how: str = "exact") -> list[Condition]:
    """What headers, cookies or query parameters must be, from a dictionary of names and values."""
    made = []
    for name, wanted in (read.mapping(field, value) or {}).items():
        here = f"{field}.{name}"
        how = wanted if isinstance(wanted, dict) else {default_how: wanted}
        if len(how) != 1 or next(iter(how)) not in ("exact", "prefix", "regex"):
            read.refuse(here, wanted, "a value, or one of {exact: value}, {prefix: value}, {regex: expression}")
            continue
        kind, text = next(iter(how.items()))
        if not isinstance(text, str) or not text:
            read.refuse(here, text, "a non-empty string (quote numbers and true, false)")
        elif not HEADER_NAME.fullmatch(str(name)):
            read.refuse(here, text, f"a name of letters, digits and -_ as a {source} has it")
        elif kind == "regex" and not _is_regex(text):
            read.refuse(here, text, "a regular expression that can be compiled (RE2: no look-around, no back-reference)")
        else:
            made.append(Condition(source, str(name), kind, text))
    return made


def _is_regex(text: str) -> bool:
    try:
        re.compile(text)
    except re.error:
        return False
    return not re.search(r"\(\?(=|!|<=|<!|P=)|\\[1-9]", text)


def _cookie(condition: Condition) -> Condition:
    """A condition on one cookie as one on the header that carries all of them."""
    value = condition.value if condition.how == "regex" else re.escape(condition.value)
    value = f"({value})" if condition.how == "regex" else value + ("[^;]*" if condition.how == "prefix" else "")
    return Condition("header", "cookie", "regex", f"(.*;\\s*)?{re.escape(condition.name)}={value}(;.*)?")


def steps(read: Reader, value: Any) -> tuple[StepSpec, ...]:
    """The shares of release_steps, growing, the last one 100."""
    listed = read.sequence("release_steps", value)
    if listed is None:
        return ()
    made: list[StepSpec] = []
    for index, item in enumerate(listed):
        field = f"release_steps[{index}]"
        share, bake, approval = item, None, None
        if isinstance(item, dict):
            read.known_keys(field, item, ("weight", "bake_seconds", "approve"))
            share, bake, approval = (
                item.get("weight"),
                item.get("bake_seconds"),
                approval_spec(read, f"{field}.approve", item.get("approve")),
            )
            field += ".weight"
        if share is None:
            read.refuse(field, None, "is required")
        weight = read.integer(field, share, least=0, most=100, default=-1)
        seconds = read.seconds(f"release_steps[{index}].bake_seconds", bake, least=0, most=7 * 86400, default=0)
        if weight >= 0:
            if made and weight <= made[-1].weight_percent:
                read.refuse(field, weight, f"more than the step before it ({made[-1].weight_percent})")
            made.append(StepSpec(weight, seconds, approval is not None, None if approval == ANYBODY else approval))
    if not 0 < len(listed) <= MOST_STEPS:
        read.refuse("release_steps", value, f"1 to {MOST_STEPS} steps")
    elif made and made[-1].weight_percent != 100:
        read.refuse("release_steps", value, "a list that ends at 100")
    return tuple(step for step in made if step.weight_percent > 0)


def steps_from(saved: Iterable[Mapping[str, Any]]) -> tuple[StepSpec, ...]:
    """What a record keeps of them."""
    return tuple(StepSpec(**{**one, "approval": approval_from(one.get("approval"))}) for one in saved)


def pods(read: Reader, value: Any, *, source: str) -> PodsSpec | None:
    """release_pods, where the metrics source is pods."""
    found = read.mapping("release_pods", value, ("family", "port", "path", "scheme"))
    if source != "pods":
        if value:
            read.refuse("release_pods", value, "nothing, unless release_metrics_source is pods")
        return None
    found = found or {}
    family = read.choice("release_pods.family", found.get("family"), tuple(POD_DEFAULTS), "istio")
    port, path = POD_DEFAULTS[family]
    if found.get("port") is not None:
        port = _port(read, found["port"])
    if found.get("path") is not None:
        path = found["path"]
        if not isinstance(path, str) or not re.fullmatch(r"/[A-Za-z0-9._~/-]*", path) or ".." in path:
            read.refuse("release_pods.path", path, "a path of letters, digits and ._~-/ that begins with / and has no .., such as /metrics")
    scheme = read.choice("release_pods.scheme", found.get("scheme"), ("http", "https"), "http")
    return PodsSpec(family, port, path, scheme)


def _port(read: Reader, value: Any) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 65536:
        return str(value)
    text = value if isinstance(value, str) else ""
    is_name = len(text) <= 15 and re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", text) and re.search("[a-z]", text)
    if is_name or (re.fullmatch(r"\d{1,5}", text) and 0 < int(text) < 65536):
        return text
    read.refuse("release_pods.port", value, "a port's number, 1 to 65535, or its name in the pod")
    return None
