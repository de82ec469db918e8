# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each kind of step does. Every one may be repeated: a runner that resumes runs the step it died in again."""

from __future__ import annotations

import contextlib
import time

from ..analysis.verdict import UNSETTLED
from ..cluster.errors import Conflict, NotFound, Rejected, Superseded, Unmarked
from ..cluster.lease import own_identity
from ..cluster.patch import expect, replace
from ..traffic.route import HOME, Route, RouteEdited, RouteError
from ..workload import capacity, twin
from ..workload.deployment import Rollout, hopeless, image_digest, not_ready, rollout
from ..workload.kinds import SETS
from . import config, guard_keeper, swap_objects, webhooks
from .checks import check
from .context import Context
from .costs import Costs
from .ending import TurnBack
from .experiment import Trial
from .floors import present_size, raise_floors, stable_size
from .freezes import refuse_denied
from .plan import ROUTED, Step, plan
from .rollback import remove_canary
from .rolling import roll
from .rolling_sets import settle as settle_sets
from .room import hold_for_room, rolling_words, tell_budgets
from .settle import settle
from .waits import Approval, Pause, stop_rolling
from .watch import Watch, may_go_on

BYPASS_SECONDS = 60.0  # longest wait for stable to fall silent at 100 %: clients that bypass the route never let it


def validate(context: Context, step: Step, watch: Watch) -> None:
    """Everything was checked before the record began; here the fences go up."""
    context.router.claim(context.token, may_replace=lambda fence: fence.startswith(context.state.release_id + "."))
    context.claim_workload()
    watch.check()


def deploy(context: Context, step: Step, watch: Watch) -> None:
    """Create what the new template refers to, the canary's Service, DestinationRule and twin; wait until its pods are ready."""
    target, release_id = context.target, context.state.release_id
    config.copy(context)
    service = context.session.get("Service", context.namespace, target.service)
    body = twin.canary_service(service, key=target.switch_label, release_id=release_id, value=target.switch_value, own=target.own_labels)
    _create_ours(context, body)
    swap_objects.add_subset(context)
    if target.destination_rule:
        rule = twin.canary_destination_rule(target.destination_rule, service=target.service, release_id=release_id)
        _create_ours(context, rule)
    deployment = context.session.get("Deployment", context.namespace, target.workload)
    replicas = context.router.canary_pods(step.size_percent, target.stable_replicas)
    make = twin.new_version if context.spec.swap else twin.twin_of
    body = make(deployment, target.identity, template=target.new_template, release_id=release_id, token=context.token, replicas=replicas)
    _create_ours(context, body)
    context.has_extra_pods(replicas)
    context.live.say("deploy", f"{context.twin}: {replicas} pods of {context.spec.image}")
    await_twin(context, watch)
    digest = image_digest(context.twin_pods(), target.container)
    context.state.digest = digest or "unpinned"
    refuse_denied(context)
    settle(context, watch)


def match(context: Context, step: Step, watch: Watch) -> None:
    """Give the canary the requests that release_match selects; nobody else sees it."""
    _steer(context, step, watch, "requests with " + " or ".join(map(str, context.spec.matches)))


def ab(context: Context, step: Step, watch: Watch) -> None:
    """Give variant B its group: the requests that release_match selects, or a share of newcomers, who keep to it."""
    spec = context.spec
    groups = str(context.route_of(step)) if spec.sticky else "requests with " + " or ".join(map(str, spec.matches))
    _steer(context, step, watch, groups)


def experiment(context: Context, step: Step, watch: Watch) -> None:
    """Watch and count until the experiment is over. Where B may win and does not, the release ends here."""
    trial = Trial(context)
    while not trial.is_over():
        watch.poll()
        route_is_ours(context)
        trial.look()
    trial.conclude()


def mirror(context: Context, step: Step, watch: Watch) -> None:
    """Copy a share of stable's requests to the canary; its answers reach nobody."""
    _steer(context, step, watch, f"copies of {step.mirror_percent} % of the requests")


def weight(context: Context, step: Step, watch: Watch) -> None:
    """Give the canary its share: capacity first, then the route, read back."""
    _steer(context, step, watch, "")


def _steer(context: Context, step: Step, watch: Watch, what: str) -> None:
    if step.kind != "mirror":  # copies take nothing from stable
        raise_floors(context)
    wanted = context.router.canary_pods(step.size_percent, present_size(context))
    found = context.session.get("Deployment", context.namespace, context.twin)
    short = found["spec"].get("replicas", 1) < wanted
    if short:
        hold_for_room(context, watch, wanted - found["spec"].get("replicas", 1), "the canary", route_is_ours)
        context.scale_twin(wanted)
    else:
        context.has_extra_pods(found["spec"].get("replicas", 1))  # a runner that died may have scaled it, and noted nothing
    if short or not rollout(found).complete:  # somebody may have deleted or evicted a pod whose successor is not there yet
        await_twin(context, watch)
        settle(context, watch)
    guard_keeper.await_watching(context, watch)
    watch.check()
    watch.prepare()
    context.write(step.name)
    took = shift(context, context.route_of(step))
    context.live.steered(step.kind, step.weight_percent, what or context.router.reached(step.weight_percent), put_ms=took)
    watch.enter(step)


def bake(context: Context, step: Step, watch: Watch) -> None:
    """Watch for a while."""
    context.live.say("bake", f"{step.seconds:.0f} s at {context.route}")
    until = context.process.clock() + step.seconds
    while context.process.clock() < until:
        watch.poll()
        route_is_ours(context)


def analyze(context: Context, step: Step, watch: Watch) -> None:
    """Watch until the evidence lets the weight rise."""
    while not may_go_on(watch.verdict, context.spec.on_inconclusive):
        watch.poll()
        route_is_ours(context)
    if watch.verdict is not None:
        onward = "the end" if step.next_weight_percent is None else f"{step.next_weight_percent} %"
        context.live.say("advance", f"{onward}  {watch.verdict.reason}")


def ask(context: Context, step: Step, watch: Watch) -> None:
    """Wait until the webhooks of this moment agree; if there is some evidence of harm by then, until it has gone or sufficed."""
    webhooks.ask(context, step, watch, lambda: route_is_ours(context))
    while watch.verdict is not None and watch.verdict.cause in ("watching", "shared_incident"):
        watch.poll()
        route_is_ours(context)


def approve(context: Context, step: Step, watch: Watch) -> None:
    """Watch until people agree, or their time is over."""
    wait = Approval(context, step)
    _with_people(context, watch, wait)
    context.live.say("approve", f"{step.name}: goes on")


def pause(context: Context, step: Step, watch: Watch) -> None:
    """Stand still as long as people want it, at the weight that is there or with all traffic on stable."""
    wait = Pause(context)
    stop_rolling(context)
    _adopt(context, watch)
    if wait.to_zero and context.route != HOME:
        if context.stable_ready():
            context.state.control["zeroed"] = True
            context.write("pause: traffic returns")
            took = shift(context, HOME)
            watch.leave_traffic()
            context.live.say("traffic", f"100 % stable while it is paused · put and read back in {took:.0f} ms")
        else:
            context.live.say("warning", f"{context.target.workload} has no ready pod: traffic stays at {context.route}")
    _with_people(context, watch, wait)


def _adopt(context: Context, watch: Watch) -> None:
    """What stands may be what the present step puts: a runner that died between a change and its note left it so."""
    step = plan(context.spec)[context.state.step]
    if step.kind not in ROUTED or (route := context.route_of(step)) == context.route:
        return
    with contextlib.suppress(RouteEdited):  # which the next look at the route tells
        if context.router.read().route == route:
            context.state.hold(route)
            watch.enter(step)


def _with_people(context: Context, watch: Watch, wait: Approval | Pause) -> None:
    """Watch until a wait is over; if there is some evidence of harm by then, until it has gone or sufficed."""
    watch.stuck.patient = True
    try:
        while not wait.is_over():
            watch.poll()
            route_is_ours(context)
    finally:
        watch.stuck.patient = False
    while context.spec.gates and context.route != HOME and watch.verdict is not None and not quiet(watch):
        watch.poll()
        route_is_ours(context)


def verify(context: Context, step: Step, watch: Watch) -> None:
    """The watch with all traffic on the twin, while stable is whole: return is one patch."""
    rolled = context.target.revision is not None
    way_back = "every pod new; the way back is the old template" if rolled else "all traffic on the canary; stable stays whole"
    context.live.say("verify", f"{step.seconds:.0f} s with {way_back}")
    until = context.process.clock() + step.seconds
    while context.process.clock() < until or (context.spec.gates and not quiet(watch)):
        watch.poll()
        route_is_ours(context)
    while context.spec.gates and watch.stable_requests and context.process.clock() < until + BYPASS_SECONDS:
        watch.poll()
        route_is_ours(context)
    if context.spec.gates and watch.stable_requests:
        see = "follow its Service instead" if context.spec.swap else "see its rolling update"
        context.live.say("warning", f"{context.target.workload} still gets requests that do not follow the route; they {see}")


def promote(context: Context, step: Step, watch: Watch) -> None:
    """Stable takes the new template while the twin carries the traffic; then traffic goes home."""
    target = context.target
    if not context.state.stable_changed:
        deployment = context.session.get("Deployment", context.namespace, target.workload)
        hold_for_room(context, watch, capacity.surge(deployment), f"{target.workload}'s rolling update", route_is_ours)
        tell_budgets(context, rolling_words(deployment), target.original_template["metadata"]["labels"])
        context.state.stable_changed = True
        context.write("promote: stable takes the new template")
    _take_template(context)
    context.live.say("promote", f"{target.workload} takes {context.spec.image} while the canary serves")
    state = Rollout(False, 0, target.stable_replicas, None)

    def whole() -> bool:
        nonlocal state
        state = rollout(context.session.get("Deployment", context.namespace, target.workload), enough=stable_size(context))
        if state.failed and not state.complete:
            raise TurnBack("promote", f"{target.workload} does not roll out: {state.failed}")
        return state.complete and context.stable_ready() >= max(1, state.wanted)

    watch.wait(whole, timeout_seconds=context.spec.ready_timeout_seconds, what=f"{target.workload} was not whole", cause="promote")
    settle(context, watch)
    context.write("promote: traffic goes home")
    took = shift(context, HOME)
    watch.leave_traffic()
    context.live.say("traffic", f"100 % {target.workload} at {context.spec.image} · put and read back in {took:.0f} ms")


def clean_up(context: Context, step: Step, watch: Watch) -> None:
    """The twin drains and goes. The version serves everybody by now (or was only a shadow): nothing in here brings it back."""
    if context.route != HOME:
        what = "no copies any more" if context.state.mirror_percent else "100 % stable"
        took = shift(context, HOME)
        watch.leave_traffic()
        context.live.say("traffic", f"{what} · put and read back in {took:.0f} ms")
    context.state.hold(HOME)
    if context.target.workload_kind in SETS:
        settle_sets(context)
    try:
        remove_canary(context)
    except (Conflict, NotFound, Rejected) as error:
        context.live.say("warning", f"the canary could not be removed: {error}")
    config.tidy(context, every=True)


HANDLERS = {
    "guard": guard_keeper.begin,
    "validate": validate,
    "deploy": deploy,
    "check": check,
    "match": match,
    "ab": ab,
    "experiment": experiment,
    "mirror": mirror,
    "weight": weight,
    "switch": weight,
    "roll": roll,
    "bake": bake,
    "analyze": analyze,
    "approve": approve,
    "pause": pause,
    "verify": verify,
    "promote": promote,
    "clean_up": clean_up,
    **dict.fromkeys(webhooks.STEPS, ask),
}


def _create_ours(context: Context, body: dict) -> None:
    """Create an object of this release; one that is there already must be ours. A lost Lease takes it away again."""
    kind, name = body["kind"], body["metadata"]["name"]
    try:
        made = context.session.create(body)
    except Conflict:
        found = context.session.get(kind, context.namespace, name)
        if (found["metadata"].get("labels") or {}).get(twin.RELEASE_LABEL) == context.state.release_id:
            if kind == "Deployment":
                context.claim_deployment(name)
            return
        raise TurnBack("deploy", f"{kind} {name} exists and is not of this release") from None
    try:
        context.journal.poll()
    except Superseded:
        context.session.delete(kind, context.namespace, name, uid=made["metadata"]["uid"])
        raise


def await_twin(context: Context, watch: Watch) -> None:
    """Until the canary's pods are ready and its Service knows them. Raises TurnBack when they never will be."""

    def whole() -> bool:
        state = rollout(context.session.get("Deployment", context.namespace, context.twin))
        why = hopeless(context.twin_pods()) or state.failed
        if why:
            raise TurnBack("never_ready", f"the canary does not become ready: {why}")
        return state.complete and context.ready_endpoints(context.target.service + twin.SUFFIX) >= state.wanted

    watch.wait(
        whole,
        timeout_seconds=context.spec.ready_timeout_seconds,
        what="the canary's pods did not become ready",
        cause="never_ready",
        why=lambda: not_ready(context.twin_pods()),
    )


def _take_template(context: Context) -> None:
    target = context.target
    current = context.session.get("Deployment", context.namespace, target.workload)["spec"]["template"]
    if current != target.original_template:
        if _same_version(current, target.new_template, target.container):
            return
        raise TurnBack("edited", f"the template of Deployment {target.workload} was edited by somebody else during the release")
    operations = [expect("/spec/template", target.original_template), replace("/spec/template", target.new_template)]
    try:
        context.patch_deployment(target.workload, operations)
    except Conflict as error:  # also when the answer to our own patch was lost
        stored = context.session.get("Deployment", context.namespace, target.workload)["spec"]["template"]
        if not _same_version(stored, target.new_template, target.container):
            raise TurnBack(
                "edited", f"the template of Deployment {target.workload} was edited by somebody else during the release"
            ) from error


def _same_version(current: dict, wanted: dict, container: str) -> bool:
    def image(template: dict) -> list[str]:
        return [one["image"] for one in template["spec"]["containers"] if one["name"] == container]

    return current == wanted or (image(current) == image(wanted) and current["metadata"] == wanted["metadata"])


def shift(context: Context, route: Route) -> float:
    """Put a route, note it; the milliseconds from the write to the read back."""
    began = time.perf_counter()
    try:
        context.router.change(route, context.token)
    except RouteError as error:
        raise TurnBack("route_edited" if isinstance(error, RouteEdited) else "route_not_served", str(error)) from error
    except Unmarked as error:
        raise _replaced(context) from error
    took = 1000 * (time.perf_counter() - began)
    if route.canary_percent == 100:
        context.state.costs = Costs.of(context.state.costs).switched(took).to_dict()
    context.state.hold(route)
    return took


def route_is_ours(context: Context) -> None:
    """Between looks: is the route still what we made of it?"""
    try:
        context.router.keep(context.route, context.token)
        found = context.router.read()
    except RouteEdited as error:
        raise TurnBack("route_edited", str(error)) from error
    except NotFound:
        return
    if found.fence is None:
        raise _replaced(context)
    if found.fence != context.token:
        raise Superseded(f"the route is held by {found.fence}, not by {own_identity()}")
    if found.route != context.route:
        share = "something else" if found.route is None else str(found.route)
        raise TurnBack("route_edited", f"the route was edited by somebody else: {share} where this release had put {context.route}")


def _replaced(context: Context) -> TurnBack:
    """The route without our mark: edited, unless another runner has ended this release meanwhile, which raises Superseded."""
    context.still_ours()
    return TurnBack("route_edited", f"{context.router.where} lost the mark of this release: somebody else has replaced it")


def quiet(watch: Watch) -> bool:
    """Whether the gates know enough to have nothing against the canary."""
    return watch.verdict is not None and watch.verdict.cause not in UNSETTLED
