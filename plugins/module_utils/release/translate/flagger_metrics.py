# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Metrics of a Canary as gates of the judge threshold. Pure."""

from __future__ import annotations

from typing import Any

from .draft import Draft
from .queries import Unfillable, flagger_query, gate_name

JSON = dict[str, Any]
SUCCESS_RATE, DURATION = "request-success-rate", "request-duration"
LEAST_SHARE = 0.0001  # percent: with fewer than a million requests in a look, one error is more than that
PATH = "spec.analysis.metrics"


def metrics(draft: Draft, target: str, service: str) -> list[JSON]:
    """Add the gates of all metrics to the draft's options, none where there are none."""
    gates: list[JSON] = draft.options.setdefault("release_gates", [])
    for index, metric in enumerate(draft.at(PATH) or []):
        if isinstance(metric, dict):
            _metric(draft, f"{PATH}[{index}]", metric, target, service)
    return gates


def _metric(draft: Draft, path: str, metric: JSON, target: str, service: str) -> None:
    name = metric.get("name")
    if not isinstance(name, str) or not gate_name(name):
        draft.refuse(f"{path}.name", name, "is required: letters and digits")
        return
    least, most = _range(draft, path, metric, name)
    template = metric.get("templateRef")
    if template is None and metric.get("query") is None:
        if name in (SUCCESS_RATE, DURATION):
            _builtin(draft, path, name, least, most)
        else:
            draft.refuse(f"{path}.name", name, f"{SUCCESS_RATE} or {DURATION}, which are built in; or a templateRef, or a query")
        return
    if least is None and most is None:
        draft.refuse(f"{path}.thresholdRange", metric.get("thresholdRange"), "is required: min, max or both")
        return
    document, where, query = draft.main, f"{path}.query", metric.get("query")
    if template is not None:
        found = _template(draft, path, template)
        if found is None:
            return
        document, where, query = found, "spec.query", draft.at("spec.query", found)
    words = {"name": draft.name, "namespace": "{namespace}", "interval": _interval(draft, path, metric)}
    variables = metric.get("templateVariables") or {}
    if not isinstance(variables, dict) or not all(isinstance(one, str) and "{" not in one for one in variables.values()):
        draft.refuse(f"{path}.templateVariables", variables, "names and strings without braces")
        return
    try:
        promql = flagger_query(str(query or ""), words, variables)
    except Unfillable as error:
        draft.refuse(
            where, str(error), "a query with these words alone: name, namespace, target, service, interval, variables.<name>", document
        )
        return
    if not promql.strip():
        draft.refuse(where, query, "is required: PromQL that gives one number", document)
        return
    limits = {key: value for key, value in (("min", least), ("max", most)) if value is not None}
    draft.add_gate(f"{path}.name", {"name": gate_name(name), "query": {"promql": promql.strip(), **limits}})


def _range(draft: Draft, path: str, metric: JSON, name: str) -> tuple[Any, Any]:
    """min and max; the old threshold is the least of a success rate and the most of anything else."""
    least, most = (draft.at(f"thresholdRange.{key}", metric) for key in ("min", "max"))
    if least is None and most is None and metric.get("threshold") is not None:
        return (metric["threshold"], None) if name == SUCCESS_RATE else (None, metric["threshold"])
    return least, most


def _builtin(draft: Draft, path: str, name: str, least: Any, most: Any) -> None:
    if name == SUCCESS_RATE:
        if most is not None or least is None or not 0 < least <= 100:
            draft.refuse(
                f"{path}.thresholdRange", {"min": least, "max": most}, "min alone: the least success rate in percent, above 0 and up to 100"
            )
            return
        share = max(LEAST_SHARE, round(100 - least, 10))
        draft.add_gate(
            f"{path}.name",
            {"name": SUCCESS_RATE, "error_rate": {"max": f"{share:.10f}".rstrip("0").rstrip(".") + "%"}, "judge": "threshold"},
        )
    elif least is not None or most is None or most <= 0:
        draft.refuse(f"{path}.thresholdRange", {"min": least, "max": most}, "max alone: the longest p99 in milliseconds")
    else:
        draft.add_gate(f"{path}.name", {"name": DURATION, "latency": {"p99": {"max": f"{most:g}ms"}}})


def _interval(draft: Draft, path: str, metric: JSON) -> str:
    interval = metric.get("interval") or "1m"
    draft.seconds(f"{path}.interval", interval, 60.0)
    return str(interval)


def _template(draft: Draft, path: str, template: Any) -> JSON | None:
    """The MetricTemplate that a metric refers to, checked; its Prometheus is the release's."""
    name = template.get("name") if isinstance(template, dict) else None
    namespace = (template.get("namespace") if isinstance(template, dict) else None) or draft.namespace
    found = draft.given.find("MetricTemplate", name, namespace) if isinstance(name, str) else None
    if found is None:
        allowed = (
            f"a MetricTemplate among the documents; add what this prints: kubectl get metrictemplate -n {namespace} {name} -o yaml, or give "
            f"release_from: {{kind: Canary, name: {draft.name}}}, which reads it from the cluster"
        )
        draft.refuse(f"{path}.templateRef", f"{namespace}/{name}", allowed)
        return None
    before = len(draft.read.problems)
    draft.check(found)
    kind = draft.at("spec.provider.type", found)
    if kind != "prometheus":
        draft.refuse("spec.provider.type", kind, "prometheus: no other source of metrics is read", found)
    elif draft.at("spec.provider.address", found):
        insecure = True if draft.at("spec.provider.insecureSkipVerify", found) else None
        draft.prometheus("spec.provider.address", draft.at("spec.provider.address", found), found, validate_certs=insecure and False)
    return found if len(draft.read.problems) == before else None
