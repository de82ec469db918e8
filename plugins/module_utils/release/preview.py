# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan as people read it (--check --diff). Asks the API server with dryRun=All; nothing is stored."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

from ..analysis import experiment
from ..cluster.patch import Operation, add, replace
from ..cluster.session import Session
from ..traffic.router import Router
from ..workload import autoscaler, config, twin
from ..workload.kinds import DAEMON_SET, SETS, STATEFUL_SET
from ..workload.sets import most_away
from . import no_return, ratio, swap_preview
from .budget_plan import lines as budget_lines
from .checks_spec import STABLE, CheckSpec, HttpCheck, JobCheck, WebhookCheck, expected
from .config_preflight import Copy, body_of
from .gate_lines import gate_lines, seconds_of_gates
from .gate_odds import odds_lines
from .gates_spec import SEQUENTIAL
from .guard_spec import guard_line
from .job import environment, job_body, job_name, template_of
from .people_lines import people_lines
from .plan import TRAFFIC, Step, plan, promotes, route_of
from .profile_spec import profile_line
from .record import Record
from .spec import Spec
from .target import Findings, Target
from .values import spoken_seconds

JSON = dict[str, Any]


def show(session: Session, spec: Spec, found: Findings, router: Router, emit: Callable[[str], None]) -> JSON:
    """Print the plan and return it with the objects as they would become."""
    steps = plan(spec)
    for line in lines(spec, found, steps):
        emit(line)
    seconds = _seconds(spec, found, steps)
    return {
        "changed": True,
        "outcome": None,
        "reason": "check mode: this is the plan, nothing was changed",
        "weight_percent": 0,
        "release_id": "",
        "image": spec.image,
        "route": router.where if spec.meshed else "",
        "steps": [step.to_dict() for step in steps],
        "seconds": None if math.isinf(seconds) else seconds,
        "evidence": {},
        "diff": _differences(session, spec, found, router),
    }


def unfinished(known: Record) -> JSON:
    """Check mode met a release that has begun: say where it stands."""
    state = known.state
    return {
        "changed": True,
        "outcome": None,
        "reason": f"release {state.release_id} is {state.phase} at {state.weight_percent} %; a run would go on with it",
        "weight_percent": state.weight_percent,
        "release_id": state.release_id,
        "image": state.image,
        "steps": state.steps,
        "evidence": state.evidence,
    }


def lines(spec: Spec, found: Findings, steps: list[Step]) -> list[str]:
    """The plan in lines of at most 120 columns."""
    target = found.target
    fastest = max((reading.per_second for reading in found.gates.values()), default=0.0)
    route = f"{target.place['kind'].partition('.')[0]} {target.place['name']}"
    if target.place["rule"] and spec.meshed:
        route += f"/{target.place['rule']}"
    said = [
        f"{spec.name}: {target.stable_image} → {spec.image}",
        f"  {spec.strategy}, {target.workload} in {target.namespace}: {_shares(steps)} · {route} · traffic {fastest:.0f}/s",
    ]
    first = "to B" if spec.ab else "first to the canary, whatever the weight, and until it is everywhere"
    said += [f"  {first}: requests with {match}" for match in spec.matches]
    said += ratio.lines(spec, target.stable_replicas)
    said += _ab_lines(spec, found)
    said += swap_preview.lines(spec, target)
    if spec.strategy == "shadow":
        said.append("  copies are real requests to the canary: what it writes, sends or charges for, it does twice")
    said += [f"  travels with the version: {Copy(**one)}" for one in target.copies]
    said += [line for check in spec.checks for line in _check_lines(spec, check)]
    said += [f"  {one.plan_line()}" for one in spec.webhooks]
    said += [profile_line(spec.profile)] if spec.profile else []
    said += [f"  {line}" for line in spec.origin.lines()] if spec.origin else []
    said += gate_lines(spec, found)
    said += odds_lines(spec, found, steps)
    said += budget_lines(spec, target.budget)
    said.append(
        f"  about {spoken_seconds(_seconds(spec, found, steps))} to {steps[-1].name} at today's traffic, readiness and drain not counted"
    )
    if target.revision is None:
        most = ratio.most_pods(spec, target.stable_replicas)
        said.append(f"  capacity: up to {most} more pods of {target.workload}'s size while it runs")
    else:
        said.append(f"  {_how_it_rolls(spec, target)}")
    asked = [step.name for step in steps if step.kind == "approve"]
    if asked:
        wait = spoken_seconds(spec.control.approval_seconds)
        said.append(f"  waits for people at {', '.join(asked)}, up to {wait} each, then {spec.control.on_no_approval}")
        said += people_lines(spec, steps)
    if spec.rollback != "instant":
        pace = f", {spec.rollback_step_seconds:g} s apart unless users are hurt" if spec.rollback == "stepped" else ""
        said.append(f"  traffic would come back {spec.rollback.replace('_', ' ')}{pace}")
    said += [f"  {line}" for line in guard_line(spec.guard, spec.strategy)]
    if spec.judged_by(SEQUENTIAL) and not found.target.history_known:
        said.append("  less than an hour of history: errors are taken to be independent (dispersion 1)")
    said += [f"  {note}" for note in found.notes]
    return said


def _seconds(spec: Spec, found: Findings, steps: list[Step]) -> float:
    """How long it takes at least, at today's traffic; infinite without traffic."""
    return seconds_of_gates(spec, found, steps) + sum(step.seconds for step in steps)


def _how_it_rolls(spec: Spec, target: Target) -> str:
    """The knobs of a rolling release; of a set also what it does meanwhile."""
    others = {name: value for name, value in target.new_knobs.items() if name not in ("strategy", "updateStrategy")}
    knobs = {**target.new_knobs.get("strategy", {}).get("rollingUpdate", {}), **others}
    said = [f"{name} {value}" for name, value in sorted(knobs.items())]
    before = target.original_knobs.get("updateStrategy")
    if target.workload_kind == STATEFUL_SET:
        said.insert(0, f"the partition goes from {target.stable_replicas} down to 0, highest ordinals first")
    if target.workload_kind == DAEMON_SET:
        away = most_away(spec.rolling, before, target.stable_replicas)
        said.insert(0, f"OnDelete while it runs; pods are evicted node by node, {away} missing at most")
    return " · ".join(said)


def _shares(steps: list[Step]) -> str:
    """The canary's shares, step by step."""
    rolled = [str(step.size_percent) for step in steps if step.kind == "roll"]
    if rolled:
        return f"{' → '.join(rolled)} % of the pods"
    mirrored = [str(step.mirror_percent) for step in steps if step.kind == "mirror"]
    if mirrored:
        return f"copies of {' → '.join(mirrored)} %, no traffic"
    return f"{' → '.join(str(step.weight_percent) for step in steps if step.kind in ('ab', 'weight', 'switch'))} %"


def _ab_lines(spec: Spec, found: Findings) -> list[str]:
    """Who gets B, for how long, what is compared, and when a difference would show."""
    ab = spec.ab
    if ab is None:
        return []
    said = []
    if ab.cookie:
        keep = f"cookie {ab.cookie} for {spoken_seconds(ab.max_age_seconds)}"
        said.append(f"  to B: {ab.share_percent} % of newcomers, drawn at random; each keeps to its group ({keep})")
    length = f"{spoken_seconds(ab.at_least_seconds)} to {spoken_seconds(ab.at_most_seconds)}, until a difference is certain"
    said.append(f"  experiment: {spoken_seconds(ab.seconds) if ab.seconds is not None else length}")
    if ab.conversions and found.conversions:
        reading, phi = found.conversions.reading, found.conversions.dispersion
        rate = reading.share or 0.0
        seconds = experiment.seconds_for(rate, ab.effect, reading.per_second, share=ab.share_percent / 100, alpha=ab.alpha, dispersion=phi)
        needs = ""
        if rate:
            a, b = experiment.requests_for(rate, ab.effect, share=ab.share_percent / 100, alpha=ab.alpha)
            times = experiment.SEQUENTIAL_FACTOR * phi
            needs = f"needs {times * a:,.0f} requests of A and {times * b:,.0f} of B, "
        said.append(f"  conversions: {ab.conversions} is {100 * rate:.3g} % of {ab.of or 'requests'} now")
        said.append(f"  a difference of {100 * ab.effect:g} % {needs}{spoken_seconds(seconds)} at today's traffic")
        if seconds > ab.longest_seconds:
            said.append(f"  the experiment is too short for that: it ends after {spoken_seconds(ab.longest_seconds)}")
    margin = "" if ab.not_worse_than is None else f", or is at most {100 * ab.not_worse_than:g} % worse"
    ending = f"where B wins{margin}, it is promoted" if ab.promotes else "the result is reported, nothing is promoted"
    return [*said, f"  at the end {ending}"]


def _check_lines(spec: Spec, check: CheckSpec) -> list[str]:
    """What is asked before any traffic moves; a point of no return has a line of its own."""
    detail = check.detail
    if isinstance(detail, HttpCheck):
        what = f"GET {detail.path} answers {expected(detail)}"
    elif isinstance(detail, WebhookCheck):
        what = f"POST to {detail.shown} answers 2xx"
    else:
        source = f"made from CronJob {detail.from_cronjob} " if detail.from_cronjob else ""
        what = f"a Job {source}completes within {spoken_seconds(detail.timeout_seconds)}"
    whom = " (of stable)" if check.against == STABLE else ""
    return [f"  check {check.name} before any traffic: {what}{whom}", *no_return.lines(check, spec.no_way_back)]


def _differences(session: Session, spec: Spec, found: Findings, router: Router) -> list[JSON]:
    target, namespace = found.target, found.target.namespace
    service = session.get("Service", namespace, target.service)
    deployment = session.get(target.workload_kind, namespace, target.workload)
    copies = [_copied(session, spec, Copy(**one)) for one in target.copies]
    if target.revision is not None:
        kept = {"updateStrategy": target.original_knobs.get("updateStrategy")} if target.workload_kind in SETS else {}
        knobs = [add(f"/spec/{name}", value) for name, value in {**target.new_knobs, **kept}.items() if value is not None]
        return [*copies, _promoted(session, found, deployment, knobs)]
    size = next(step.size_percent for step in plan(spec) if step.kind == "deploy")
    steering = next(step for step in plan(spec) if step.kind in TRAFFIC)
    canary = target.identity
    bodies = [twin.canary_service(service, key=canary.key, release_id="preview", value=canary.value, own=canary.own)]
    if target.destination_rule:
        bodies.append(twin.canary_destination_rule(target.destination_rule, service=target.service, release_id="preview"))
    make, replicas = twin.new_version if spec.swap else twin.twin_of, router.canary_pods(size, target.stable_replicas)
    bodies.append(make(deployment, canary, template=target.new_template, release_id="preview", token="preview", replicas=replicas))
    shown = [_shown(*change) for change in swap_preview.added(session, target)]
    shown += copies + [_shown(None, session.create(body, dry_run=True), f"{body['kind']}/{body['metadata']['name']}") for body in bodies]
    shown += [_shown(None, body, f"Job/{body['metadata']['name']}") for body in _jobs(session, spec, target)]
    route = route_of(spec, steering)
    before, after = router.preview(route)
    shown.append(_shown(before, after, f"{before['kind']}/{target.place['name']} at {route}"))
    if spec.strategy == "shadow":
        return shown
    shown += [_raised(session, target, **one) for one in target.autoscalers]
    if spec.swap is not None:
        return [*shown, *(_shown(*change) for change in swap_preview.promoted(session, spec, target))]
    return [*shown, _promoted(session, found, deployment, [])] if promotes(spec) else shown


def _copied(session: Session, spec: Spec, one: Copy) -> JSON:
    """What a copy is made of, and the copy."""
    before = {"kind": one.kind, **session.get(one.kind, spec.namespace, one.source)}
    after = body_of(session, spec, one, release_id="preview", owner=None)
    before_text, after_text = (json.dumps(config.shown(each), indent=2, sort_keys=True) + "\n" for each in (before, after))
    return {
        "before": before_text,
        "after": after_text,
        "before_header": f"{one.kind}/{one.source}",
        "after_header": f"{one.kind}/{one.name}",
    }


def _promoted(session: Session, found: Findings, deployment: JSON, operations: list[Operation]) -> JSON:
    target = found.target
    operations = [replace("/spec/template", target.new_template), *operations]
    promoted = session.patch(target.workload_kind, target.namespace, target.workload, operations, dry_run=True)
    return _shown(deployment, promoted, f"{target.workload_kind}/{target.workload} when promoted")


def _raised(session: Session, target: Target, kind: str, name: str) -> JSON:
    before = session.get(kind, target.namespace, name)
    wanted = max(autoscaler.floor(kind, before), target.stable_replicas)
    operations = autoscaler.raising(kind, before, wanted) if wanted > autoscaler.floor(kind, before) else []
    after = session.patch(kind, target.namespace, name, operations, dry_run=True) if operations else before
    return _shown(before, after, f"{kind}/{name} while the release runs")


def _jobs(session: Session, spec: Spec, target: Target) -> list[JSON]:
    """The Jobs of the checks; the API server has said in preflight that it would take them."""
    return [
        job_body(
            template_of(session, target.namespace, check.detail),
            name=job_name(spec, check),
            namespace=target.namespace,
            release_id="preview",
            env=environment(service=target.service, release_id="preview", image=spec.image),
            timeout_seconds=check.detail.timeout_seconds,
        )
        for check in spec.checks
        if isinstance(check.detail, JobCheck)
    ]


def _shown(before: JSON | None, after: JSON | None, header: str) -> JSON:
    def text(value: JSON | None) -> str:
        if value is None:
            return ""
        meta = {k: v for k, v in value["metadata"].items() if k in ("name", "namespace", "labels", "annotations")}
        return json.dumps({"kind": value["kind"], "metadata": meta, "spec": value["spec"]}, indent=2, sort_keys=True) + "\n"

    return {"before": text(before), "after": text(after), "before_header": header, "after_header": header}
