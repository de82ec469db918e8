# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One metric of an analysis template as a gate of a query, or as a check before any traffic. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from .conditions import FORMS, Limits, Unreadable, limits
from .documents import title
from .draft import Draft
from .queries import gate_name, with_canary_service

JSON = dict[str, Any]
SINGLE_SECONDS = 10.0  # the interval of a metric that is measured once
DEFAULT_INTERVAL_SECONDS = 60.0  # of one that would be measured once, and here is looked at until the end
ERRORS = 4  # Argo's consecutiveErrorLimit
RETRY_SECONDS = 10.0


@dataclass(frozen=True)
class Metric:
    """A metric, where it stands, and the translation that it is a part of."""

    draft: Draft
    path: str
    said: JSON
    document: JSON

    def refuse(self, path: str, value: Any, allowed: str) -> None:
        """Note a problem of a field of this metric."""
        self.draft.refuse(f"{self.path}.{path}" if path else self.path, value, allowed, self.document)

    def whole(self, key: str, default: int, least: int = 0) -> int:
        """A whole number, or a string of one: arguments are strings."""
        value = self.said.get(key)
        if value is None:
            return default
        try:
            number = int(str(value))
        except ValueError:
            number = least - 1
        if number < least or isinstance(value, bool):
            self.refuse(key, value, f"a whole number from {least}")
            return default
        return number

    def seconds(self, key: str) -> float | None:
        """A duration; None when it is left out."""
        value = self.said.get(key)
        return None if value is None else self.draft.seconds(f"{self.path}.{key}", value, 0.0, self.document)

    @property
    def name(self) -> str:
        """What the gate or the check is called."""
        name = self.said.get("name")
        if not isinstance(name, str) or not gate_name(name):
            self.refuse("name", name, "is required: letters and digits")
            return "metric"
        return gate_name(name)

    @property
    def provider(self) -> tuple[str, Any]:
        """The kind of its provider and what it says."""
        found = self.said.get("provider")
        if not isinstance(found, dict) or len(found) != 1:
            self.refuse("provider", found, "exactly one of prometheus, job and web")
            return "", {}
        kind, said = next(iter(found.items()))
        return kind, said if isinstance(said, dict) else {}


def gate(metric: Metric, *, counts: bool, delay_seconds: float) -> float:
    """Add a gate of a query; gives back for how many seconds after the first traffic it is measured. counts: its count is kept."""
    kind, said = metric.provider
    if kind != "prometheus":
        if kind:
            metric.refuse(
                f"provider.{kind}",
                "(at a weight)",
                "prometheus: Jobs and web pages are asked before any traffic; put this analysis before the first setWeight",
            )
        return 0.0
    _where(metric, said)
    found = _limits(metric)
    query = said.get("query")
    if not isinstance(query, str) or not query.strip():
        metric.refuse("provider.prometheus.query", query, "is required: PromQL that gives one number")
        return 0.0
    interval, delay = metric.seconds("interval"), (metric.seconds("initialDelay") or 0.0) + delay_seconds
    looks, measured = _looks(metric, interval, counts=counts)
    if delay and counts:
        looks["initial_delay_seconds"] = delay
    if found is None:
        return 0.0
    draft = metric.draft
    services = (draft.at("spec.strategy.canary.canaryService"), draft.at("spec.strategy.canary.stableService"))
    promql = with_canary_service(query.strip(), *services)
    if found.default is not None:
        promql = f"({promql}) or vector({found.default:g})"
    if found.guards:
        draft.note(
            f"{title(metric.document)}.{metric.path}",
            "an answer that is no number is never a success: it holds the weight, and is an error when there is none at all",
        )
    ends = {"min": found.least, "max": found.most, "fails_below": found.fails_below, "fails_above": found.fails_above}
    body = {"promql": promql, **{key: value for key, value in ends.items() if value is not None}}
    draft.add_gate(f"{metric.path}.name", {"name": metric.name, "query": body, "looks": looks}, metric.document)
    return delay + measured


def _limits(metric: Metric) -> Limits | None:
    texts = []
    for key in ("successCondition", "failureCondition"):
        text = metric.said.get(key)
        if text is not None and not isinstance(text, str):
            metric.refuse(key, text, "a string")
            return None
        texts.append(text)
    try:
        return limits(texts[0], texts[1])
    except Unreadable as error:
        key = "successCondition" if texts[0] or not texts[1] else "failureCondition"
        metric.refuse(key, texts[0] or texts[1], f"{FORMS}; it {error}")
        return None


def _looks(metric: Metric, interval: float | None, *, counts: bool) -> tuple[JSON, float]:
    """The looks of a gate, and how long its measurements take."""
    count = metric.whole("count", 0)
    if interval is None:
        interval, count = (SINGLE_SECONDS if counts else DEFAULT_INTERVAL_SECONDS), 1
    failures = metric.whole("failureLimit", 0, least=-1)
    errors = metric.whole("consecutiveErrorLimit", ERRORS)
    looks: JSON = {
        "interval_seconds": interval,
        "threshold": failures + 1,
        "inconclusive_limit": metric.whole("inconclusiveLimit", 0),
        "consecutive_error_limit": errors,
    }
    if (errors + 1) * RETRY_SECONDS > metric.draft.options.get("release_no_data_seconds", 120):
        metric.draft.options["release_no_data_seconds"] = (errors + 2) * RETRY_SECONDS
    if counts and count:
        looks["count"] = count
    if metric.said.get("consecutiveSuccessLimit") is not None:
        looks["consecutive_success_limit"] = metric.whole("consecutiveSuccessLimit", 0)
    return looks, count * interval


def _where(metric: Metric, said: JSON) -> None:
    """The Prometheus of a metric."""
    if said.get("address") is None:
        return
    headers = {one.get("key"): one.get("value") for one in said.get("headers") or [] if isinstance(one, dict)}
    metric.draft.prometheus(
        f"{metric.path}.provider.prometheus.address",
        said["address"],
        metric.document,
        timeout_seconds=said.get("timeout"),
        validate_certs=False if said.get("insecure") else None,
        headers=headers or None,
    )


def check(metric: Metric, services: tuple[Any, ...]) -> None:
    """Add a check that runs before any traffic: a Job, or a GET to a Service of the new version."""
    kind, said = metric.provider
    checks = metric.draft.options.setdefault("release_checks", [])
    if kind == "job":
        checks.append({"name": metric.name[:40].strip("-"), "job": {"spec": said.get("spec")}})
    elif kind == "web":
        found = _http(metric, said, services)
        if found:
            checks.append({"name": metric.name[:40].strip("-"), "http": found})
    elif kind == "prometheus":
        allowed = (
            "a Job or a GET: the new version has no requests yet that a query could count. Put it into postPromotionAnalysis or after the first "
            "setWeight, where its gate returns traffic, or leave it out (release_from.leave_out)"
        )
        metric.refuse("provider.prometheus", "(before any traffic)", allowed)
    elif kind:
        metric.refuse(f"provider.{kind}", "(before any traffic)", "job or web")


def _http(metric: Metric, said: JSON, services: tuple[Any, ...]) -> JSON | None:
    """A GET without conditions to a Service of the new version, whose success is its status."""
    for key in ("successCondition", "failureCondition"):
        if metric.said.get(key) is not None:
            metric.refuse(
                key,
                metric.said[key],
                "nothing: a check of a web page goes by its status; http.contains of release_checks compares what it says",
            )
            return None
    if said.get("method") not in (None, "GET"):
        metric.refuse("provider.web.method", said["method"], "GET")
        return None
    try:
        found = urlsplit(str(said.get("url")))
        port = found.port
    except ValueError:
        found, port = urlsplit(""), None
    names = [str(one) for one in services if one]
    if (found.hostname or "").partition(".")[0] not in names:
        metric.refuse(
            "provider.web.url", said.get("url"), f"a URL of the new version's own Service: {', '.join(names) or 'the manifest names none'}"
        )
        return None
    path = (found.path or "/") + (f"?{found.query}" if found.query else "")
    options = {"path": path, "port": port, "timeout_seconds": said.get("timeoutSeconds")}
    return {key: value for key, value in options.items() if value is not None}
