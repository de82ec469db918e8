# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns a finding into one sentence with the numbers, and into the numbers themselves."""

from __future__ import annotations

import math
from typing import Any

from . import verdict as words
from .evidence import as_number, clean_requests_to_certify
from .finding import Finding, GateFinding
from .interval import ratio_estimate, ratio_interval
from .look import Look
from .rule import Rule
from .state import GateState, State, with_open_block
from .verdict import Verdict


def explain(rule: Rule, state: State, look: Look, finding: Finding) -> Verdict:
    """The verdict with its reason and its JSON-able evidence."""
    gates = {each.gate.name: _numbers(rule, state, memory, each, look.at_seconds) for each, memory in zip(finding.gates, state.gates)}
    evidence = {
        "look": look.number,
        "weight_percent": look.weight_percent,
        "watched_seconds": state.watched_seconds,
        "e_relative": as_number(finding.log_relative),
        "e_absolute": as_number(finding.log_absolute),
        "gates": gates,
    }
    return Verdict(finding.decision, finding.cause, _REASONS[finding.cause](rule, state, look, finding, gates), evidence)


def _numbers(rule: Rule, state: State, memory: GateState, found: GateFinding, at_seconds: float) -> dict[str, Any]:
    canary, baseline = memory.canary_so_far, memory.baseline_so_far
    numbers: dict[str, Any] = {
        "canary": {"requests": canary.requests, "events": canary.events},
        "baseline": {"requests": baseline.requests, "events": baseline.events},
        "e_relative": as_number(found.log_relative),
        "e_absolute": as_number(found.log_absolute),
        "e_promote": as_number(found.log_promote),
        "e_promote_ratio": as_number(found.log_promote_ratio),
        "certified": found.certified,
        "limit": found.limit,
        "ratio": None,
        "ratio_interval": [0.0, None],
        "requests_to_go": 0,
        "seconds_to_go": 0.0,
    }
    strata = memory.strata if state.absolute_only else with_open_block(memory, state.weight_percent)
    if canary.events or baseline.events:
        numbers["ratio"] = ratio_estimate(strata)
        numbers["ratio_interval"] = list(ratio_interval(strata, found.gate.dispersion, rule.relative_threshold))
    if not found.certified and not rule.fix_forward:
        to_go = clean_requests_to_certify(memory.judged_by_rate, found.limit, found.gate.dispersion, rule.promote_threshold)
        per_second = _requests_per_second(state, memory, at_seconds)
        numbers["requests_to_go"] = to_go
        numbers["seconds_to_go"] = to_go / per_second if per_second else None
    elif not found.certified:
        numbers["requests_to_go"] = numbers["seconds_to_go"] = None
    return numbers


def _requests_per_second(state: State, memory: GateState, at_seconds: float) -> float:
    seconds = at_seconds - state.entered_at
    return (memory.canary_so_far.requests - memory.requests_before_step) / seconds if seconds > 0.0 else 0.0


def _evidence_of_harm(rule: Rule, state: State, look: Look, finding: Finding, gates: dict[str, Any]) -> str:
    by_ratio = finding.log_relative >= math.log(rule.relative_threshold)
    worst = max(finding.gates, key=lambda each: each.log_relative if by_ratio else each.log_absolute)
    return _harm(rule, worst, gates[worst.gate.name], by_ratio)


def _harm(rule: Rule, worst: GateFinding, numbers: dict[str, Any], by_ratio: bool) -> str:
    canary, baseline = numbers["canary"], numbers["baseline"]
    word = worst.gate.event_word
    seen = f"{word} {canary['events']:,}/{canary['requests']:,}"
    if by_ratio:
        low = max(numbers["ratio_interval"][0], worst.gate.margin)
        certainty = _percent(1.0 - 1.0 / rule.relative_threshold)
        return f"{seen} vs {baseline['events']:,}/{baseline['requests']:,}: at least {_ratio(low)}x stable's with {certainty} certainty"
    certainty = _percent(1.0 - 1.0 / rule.absolute_threshold)
    return f"{seen}: above the limit of {_percent(worst.gate.max_rate)} with {certainty} certainty"


def _one_look(rule: Rule, state: State, look: Look, finding: Finding, gates: dict[str, Any]) -> str:
    return f"{_evidence_of_harm(rule, state, look, finding, gates)}, in a single look"


def _certified(rule: Rule, state: State, look: Look, finding: Finding, gates: dict[str, Any]) -> str:
    certainty = _percent(1.0 - rule.beta)
    parts = []
    for each in finding.gates:
        requests = gates[each.gate.name]["canary"]["requests"]
        if each.log_promote >= math.log(rule.promote_threshold):
            what = f"{_rate_of(each.gate.event_word)} below {_percent(each.limit)}"
        else:
            what = f"{_rate_of(each.gate.event_word)} below {_ratio(each.gate.max_ratio)}x stable's"
        parts.append(f"{what} with {certainty} certainty ({requests:,} requests)")
    return "; ".join(parts)


def _rate_of(event_word: str) -> str:
    return "error rate" if event_word == "errors" else f"rate of {event_word}"


def _needs_requests(rule: Rule, state: State, look: Look, finding: Finding, gates: dict[str, Any]) -> str:
    if rule.fix_forward:
        names = ", ".join(each.gate.name for each in finding.gates if not each.certified)
        return f"hold until {names} is certain to be below {_ratio(finding.gates[0].gate.max_ratio)}x stable's"
    open_gates = [each for each in finding.gates if not each.certified]
    slowest = max(open_gates, key=lambda each: gates[each.gate.name]["requests_to_go"])
    numbers = gates[slowest.gate.name]
    to_go, seen, word = numbers["requests_to_go"], numbers["canary"], slowest.gate.event_word
    wait = "" if numbers["seconds_to_go"] is None else f", about {_duration(numbers['seconds_to_go'])}"
    if seen["events"]:
        return (
            f"hold: {word} {seen['events']:,}/{seen['requests']:,}, {to_go:,} more clean requests certify {_percent(slowest.limit)}{wait}"
        )
    return f"hold until {seen['requests'] + to_go:,} clean requests ({to_go:,} to go{wait})"


def _watching(rule: Rule, state: State, look: Look, finding: Finding, gates: dict[str, Any]) -> str:
    worst = max(finding.gates, key=lambda each: max(each.log_relative, each.log_absolute))
    canary, baseline = gates[worst.gate.name]["canary"], gates[worst.gate.name]["baseline"]
    value = as_number(max(worst.log_relative, worst.log_absolute))
    against = "" if state.absolute_only else f" vs {baseline['events']:,}/{baseline['requests']:,}"
    doubt = {each.name: each.doubt for each in state.gates}[worst.gate.name]
    until = "; it counts when stable's pods have been read again" if doubt.is_open else ""
    return (
        f"hold and watch: {worst.gate.event_word} {canary['events']:,}/{canary['requests']:,}{against}, "
        f"E {value:.3g} (returns at {rule.relative_threshold:g}, holds from {rule.hold_at:g}{until})"
    )


def _incident(rule: Rule, state: State, look: Look, finding: Finding, gates: dict[str, Any]) -> str:
    since = look.at_seconds - (look.at_seconds if state.incident_since is None else state.incident_since)
    burning = [each.gate for each, memory in zip(finding.gates, state.gates) if memory.burning]
    names = ", ".join(f"{_rate_of(gate.event_word)} of stable above {_percent(gate.max_rate)}" for gate in burning)
    since_rise = (state.incident_since or 0.0) - (state.risen_at or 0.0)
    end = (
        f"; it began {_duration(since_rise)} after our own rise" if finding.decision == words.ROLL_BACK else "; the step's clock is stopped"
    )
    return f"shared incident for {_duration(since)}: {names or 'stable is burning'}{end}"


def _data(rule: Rule, state: State, look: Look, finding: Finding, gates: dict[str, Any]) -> str:
    lost = look.at_seconds - (look.at_seconds if state.problem_since is None else state.problem_since)
    what = "the query failed" if finding.cause == words.BAD_QUERY else "no data"
    limit = _duration(rule.no_data_seconds)
    return f"{what} for {_duration(lost)} of at most {limit}: {finding.detail}"


def _too_little(rule: Rule, state: State, look: Look, finding: Finding, gates: dict[str, Any]) -> str:
    return f"hold: the {finding.detail} has had no request for {_duration(rule.no_data_seconds)} or longer"


def _max_hold(rule: Rule, state: State, look: Look, finding: Finding, gates: dict[str, Any]) -> str:
    why = {words.WATCHING: _watching, words.NEEDS_REQUESTS: _needs_requests}.get(finding.detail)
    reason = why(rule, state, look, finding, gates) if why else finding.detail.replace("_", " ")
    return f"no decision within {_duration(state.minimum_seconds + rule.max_hold_seconds)}: {reason}"


def _minimum_time(rule: Rule, state: State, look: Look, finding: Finding, gates: dict[str, Any]) -> str:
    left = max(0.0, state.minimum_seconds - state.watched_seconds)
    return f"hold for the step's minimum time ({_duration(left)} to go); {_certified(rule, state, look, finding, gates)}"


_REASONS = {
    words.EVIDENCE_OF_HARM: _evidence_of_harm,
    words.ONE_LOOK_EVIDENCE: _one_look,
    words.CERTIFIED: _certified,
    words.NEEDS_REQUESTS: _needs_requests,
    words.WATCHING: _watching,
    words.SHARED_INCIDENT: _incident,
    words.SHARED_INCIDENT_AFTER_RISE: _incident,
    words.NO_DATA: _data,
    words.BAD_QUERY: _data,
    words.TOO_LITTLE_DATA: _too_little,
    words.MAX_HOLD: _max_hold,
    words.MINIMUM_TIME: _minimum_time,
}


def _percent(part: float) -> str:
    return f"{100.0 * part:.3g} %"


def _ratio(value: float) -> str:
    return f"{value:.1f}" if value < 100.0 else f"{value:,.0f}"


def _duration(seconds: float) -> str:
    if seconds < 120.0:
        return f"{math.ceil(seconds)} s"
    if seconds < 7200.0:
        return f"{math.ceil(seconds / 60.0)} min"
    return f"{seconds / 3600.0:.1f} h"
