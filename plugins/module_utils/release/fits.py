# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the options of a release fit together: who gives one that nothing asks for expects it to do something. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..workload.kinds import SETS
from . import ab_spec, swap_spec
from .gates_spec import MANN_WHITNEY, THRESHOLD, GateSpec
from .profiles import BUSINESS
from .samples_spec import PER_POD
from .values import Reader

# strategies that know no release_steps, and why
NO_STEPS = {"blue_green": "moves all traffic at once", "ab_test": "has one share, release_ab.share"}


def fits_strategy(read: Reader, given: Mapping[str, Any], fields: Mapping[str, Any]) -> None:
    """Options that a strategy has no use for are refused: who gives them expects them to do something."""
    strategy = fields["strategy"]
    if strategy in NO_STEPS and given.get("release_steps") is not None:
        read.refuse("release_steps", given["release_steps"], f"nothing: {strategy} {NO_STEPS[strategy]}")
    choosing = {"release_match": ("canary", "ab_test"), "release_match_seconds": ("canary",)}
    for name, strategies in choosing.items():
        if strategy not in strategies and given.get(name):
            read.refuse(name, given[name], f"nothing: {strategy} does not choose requests so; use strategy {' or '.join(strategies)}")
    if strategy == "canary" and given.get("release_match_seconds") and not given.get("release_match"):
        read.refuse("release_match_seconds", given["release_match_seconds"], "nothing, unless release_match says whose requests to match")
    if not makes_experiment(fields) and given.get("release_ab"):
        read.refuse("release_ab", given["release_ab"], f"nothing: {strategy} makes no experiment; use strategy ab_test")
    if strategy != "rolling" and given.get("release_rolling"):
        read.refuse(
            "release_rolling", given["release_rolling"], f"nothing: {strategy} rolls with what the Deployment says; use strategy rolling"
        )
    if strategy == "ab_test" and fields["metrics_source"] == "pods":
        read.refuse("release_metrics_source", "pods", "a source in Prometheus: an experiment compares counts of its whole time")
    if strategy == "rolling" and fields["checks"]:
        read.refuse(
            "release_checks",
            given["release_checks"],
            "nothing: checks ask the canary's own Service, and rolling makes none; use blue_green",
        )
    swap_spec.fits(read, fields)
    _compares(read, fields)
    _rollback(read, given, fields)
    if strategy == "rolling":
        _asks_of_a_canary(read, fields["gates"])
    if strategy == "shadow" and not fields["gates"]:
        read.refuse("release_gates", given.get("release_gates"), "at least one gate: a shadow without one compares nothing")


def fits_profile(read: Reader, explicit: Mapping[str, Any], fields: Mapping[str, Any]) -> None:
    """Options that nothing asks for, though the user, and no profile, gives them."""
    if explicit.get("release_looks") and not any(gate.judge == THRESHOLD for gate in fields["gates"]):
        read.refuse("release_looks", explicit["release_looks"], f"nothing, unless the judge of a gate is {THRESHOLD}")
    if explicit.get("release_business_metric") and not any(gate.name == BUSINESS for gate in fields["gates"]):
        allowed = f"nothing, unless release_profile has a gate {BUSINESS}; without one write a gate with a query"
        read.refuse("release_business_metric", explicit["release_business_metric"], allowed)


def _asks_of_a_canary(read: Reader, gates: tuple[GateSpec, ...]) -> None:
    """A rolled Deployment keeps its name, so that a query cannot tell old pods from new ones by it."""
    for index, gate in enumerate(gates):
        own = (gate.per_pod.promql,) if gate.per_pod and gate.kind == PER_POD else ()
        for promql in gate.query.asked if gate.query else own:
            for name in ("canary", "canary_service", "canary_pods"):
                if "{" + name + "}" in promql:
                    allowed = "no such placeholder: strategy rolling makes no canary, its new pods have the names of the old ones"
                    read.refuse(f"release_gates[{index}].{gate.kind}", "{" + name + "}", allowed)


def _compares(read: Reader, fields: Mapping[str, Any]) -> None:
    """Samples are taken while both versions have requests that can be compared, and pods are told apart by their names."""
    strategy, experiment = fields["strategy"], fields["ab"]
    weighed = strategy == "shadow" or any(step.weight_percent < 100 for step in fields["steps"])
    both = strategy != "blue_green" and weighed and (experiment is None or bool(experiment.cookie))
    for index, gate in enumerate(fields["gates"]):
        field = f"release_gates[{index}].judge"
        if gate.judge == MANN_WHITNEY and not both:
            allowed = "a judge that needs no samples of both versions under the same requests: this release has no weight between 0 and 100"
            read.refuse(field, MANN_WHITNEY, allowed)
        elif gate.per_pod and fields["workload_kind"] in SETS:
            allowed = f"a gate that does not go by pods' names: those of a {fields['workload_kind']} come back under the same ones"
            read.refuse(f"release_gates[{index}].{gate.kind}", gate.name, allowed)


def asks_prometheus(fields: Mapping[str, Any]) -> bool:
    """Whether the gates cannot do without Prometheus: pods count requests, and answer no queries."""
    gates, experiment = fields["gates"], fields["ab"]
    if not gates or (experiment and experiment.conversions):
        return fields["pods"] is None
    return any(gate.asks or (gate.counts and fields["pods"] is None) for gate in gates)


def _rollback(read: Reader, given: Mapping[str, Any], fields: Mapping[str, Any]) -> None:
    strategy, shape = fields["strategy"], fields["rollback"]
    if strategy in ("rolling", "shadow"):
        for name, default in (("release_rollback", "instant"), ("release_on_no_stable", "return")):
            if fields[name.removeprefix("release_")] != default:
                does = "its way back is the old template" if strategy == "rolling" else "it gives the canary no traffic that could return"
                read.refuse(name, given[name], f"{default}: strategy {strategy} knows nothing else; {does}")
    elif shape == "stepped" and strategy != "canary":
        allowed = f"instant or capacity_first: strategy {strategy} moves all traffic at once and has no weights to step down"
        read.refuse("release_rollback", shape, allowed)
    if given.get("release_rollback_step_seconds") is not None and shape != "stepped":
        read.refuse("release_rollback_step_seconds", given["release_rollback_step_seconds"], "nothing, unless release_rollback is stepped")


def makes_experiment(fields: Mapping[str, Any]) -> bool:
    return fields["strategy"] == "ab_test"


def lasts(read: Reader, given: Mapping[str, Any], fields: dict[str, Any]) -> None:
    """An experiment lasts longer than other releases: its deadline follows it, unless one is given, which must be long enough."""
    if fields["ab"] is None:
        return
    longest = fields["ab"].longest_seconds
    if given.get("release_deadline_seconds") is None:
        fields["deadline_seconds"] = max(fields["deadline_seconds"], longest + ab_spec.SLACK_SECONDS)
    elif fields["deadline_seconds"] <= longest:
        allowed = f"more than the experiment may take ({longest:.0f} s), or nothing: then it follows that"
        read.refuse("release_deadline_seconds", given["release_deadline_seconds"], allowed)
