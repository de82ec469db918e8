# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of each option of a release through Argo Rollouts: in words, and as refusals with the option's name. Pure."""

from __future__ import annotations

from ...release.ratio_spec import REPLICAS
from ...release.spec import Spec
from ...release.values import Problem
from . import queries

# option -> what it is in the objects of Argo Rollouts
BECOMES: dict[str, str] = {
    "release_name": "the name of the record; the objects are called after the workload",
    "release_namespace": "the namespace of the objects",
    "release_workload": "`spec.workloadRef` of a Rollout of the same name; `Rollout/<name>` with `release_adopt`",
    "release_image": "the image in the template of the Deployment (of the Rollout, where that has the template itself)",
    "release_container": "whose image it is",
    "release_template_patch": "the template, likewise",
    "release_engine": "`argo_rollouts`",
    "release_adopt": "an existing Rollout is driven as it is; nothing but the template is changed",
    "release_from": "read first, as for every engine: what it says becomes the options of this table",
    "release_profile": "its options, likewise",
    "release_profiles": "likewise",
    "release_business_metric": "the gate of the profile, an AnalysisTemplate's metric",
    "release_traffic": "`trafficRouting` (istio: VirtualService and route, with `stableService` and `canaryService`, or with `subsets` the "
    "`destinationRule`; gateway_api: the plugin, where the controller has it); with `provider: service` blue-green's Services, or shares by pods",
    "release_steps": "`setWeight`, then `pause` of `bake_seconds` (one look at least), an analysis that must succeed, and a pause without a "
    "duration for `approve`",
    "release_approve": "`traffic`: a pause without a duration before the first weight; `promote`: one after the last; blue-green: "
    "`autoPromotionEnabled: false`",
    "release_gates": "metrics of two AnalysisTemplates: `<workload>-watch` looks from the first weight on, `<workload>-evidence` must succeed "
    "at every weight. error_rate, latency, request_rate and query; a sequential judge becomes a limit at every look, and a note says so",
    "release_looks": "`interval`, `initialDelay`, `failureLimit` (threshold - 1), `inconclusiveLimit`, `consecutiveErrorLimit`, "
    "`consecutiveSuccessLimit`; `min_requests` goes into the query; `consecutive` and `iterations` are refused",
    "release_skip_gates": "those gates are left out",
    "release_prometheus": "`provider.prometheus.address`: a Service by its name in the cluster, a URL as it is. Credentials are refused",
    "release_metrics_source": "a source that tells both Services apart",
    "release_minimum_step_seconds": "the least pause of a step",
    "release_verify_seconds": "the pause at 100 %; blue-green: how long the analysis after the switch looks",
    "release_no_data_seconds": "`consecutiveErrorLimit`: an empty answer is an error, measured again after 10 s, and never a success",
    "release_max_hold_seconds": "so long a release waits for a controller that is gone",
    "release_ready_timeout_seconds": "`progressDeadlineSeconds`, with `progressDeadlineAbort`",
    "release_drain_seconds": "`abortScaleDownDelaySeconds` and `scaleDownDelaySeconds`",
    "release_deadline_seconds": "the runner's own: it aborts, as for every engine",
    "release_stuck_seconds": "the runner's own: nothing has moved for so long",
    "release_log_dir": "JSON lines, as for every engine",
    "release_freezes": "read before the release begins, as for every engine",
    "release_freeze_override": "likewise",
    "release_denied_digests": "likewise; the image needs its digest in its reference",
    "release_approval_sources": "refused: approvals are given by the command",
    "release_on_freeze": "refused: calendars are read before the release begins",
    "release_guard": "refused: the controller goes on without a runner",
}
# options that this engine has no use for: they say how the native engine looks, waits or returns
NATIVE_ALONE: tuple[str, ...] = (
    "release_rolling",
    "release_ab",
    "release_match_seconds",
    "release_rollback_step_seconds",
    "release_on_no_stable",
    "release_pods",
    "release_fix_forward",
    "release_share_check",
    "release_approval_seconds",
    "release_pause_seconds",
    "release_on_pause_end",
    "release_parked_seconds",
    "release_parked_weight",
    "release_on_no_approval",
)
# option of a release -> field of Spec -> what Argo says instead. Refused where it is given.
CANNOT: dict[str, tuple[str, str]] = {
    "release_manifests": ("manifests", "the template stays the Deployment's own: change it there, or give release_image"),
    "release_config": ("config", "the controller copies no config maps; name them by their version in the template"),
    "release_match": ("matches", "a Rollout that has setHeaderRoute and managedRoutes itself can be adopted (release_adopt)"),
    "release_checks": ("checks", "an AnalysisTemplate with a Job in a Rollout of yours, which is adopted (release_adopt)"),
    "release_webhooks": ("webhooks", "Argo calls nobody; its notifications engine does"),
    "release_slo": ("slo", "an error budget is read by the native engine alone"),
    "release_alerts": ("alerts", "alerts are read by the native engine alone"),
    "release_swap": ("swap", "a Rollout keeps its name; both versions are ReplicaSets of it"),
    "release_stop_after": ("stop_after", "a Rollout stops where it has a pause; give a step approve: true"),
    "release_no_way_back": ("no_way_back", "Argo can always abort until the version is everywhere"),
}
ONLY: dict[str, tuple[str, tuple[str, ...], str]] = {
    "release_strategy": ("strategy", ("canary", "blue_green"), "a Rollout has no other strategy"),
    "release_traffic.provider": (
        "provider",
        ("istio", "gateway_api", "service", REPLICAS),
        "the controller has no router for it that is built here",
    ),
    "release_on_inconclusive": ("on_inconclusive", ("roll_back",), "an analysis without data is an error, and ends in abort"),
    "release_rollback": ("rollback", ("instant",), "Argo's abort sets the weight at once"),
    "release_promotion": ("promotion", ("twin",), "a Rollout keeps its name"),
}


def refusals(spec: Spec) -> list[Problem]:
    """What of a release a Rollout cannot say, each with its field."""
    found = [Problem(option, "(given)", f"nothing: {why}") for option, (name, why) in CANNOT.items() if getattr(spec, name)]
    for option, (name, known, why) in ONLY.items():
        if getattr(spec, name) not in known:
            found.append(Problem(option, getattr(spec, name), f"{', '.join(one for one in known if one != REPLICAS)}: {why}"))
    if spec.pods is not None:
        found.append(Problem("release_metrics_source", spec.metrics_source, "a source in Prometheus: the controller reads no pods"))
    access = spec.prometheus_access
    for option in ("token", "username", "password", "client_cert", "ca_cert", "headers"):
        if getattr(access, option):
            allowed = "nothing: an AnalysisTemplate would hold it for everybody to read; let the controller in without, or adopt a Rollout of yours"
            found.append(Problem(f"release_prometheus.{option}", "(not shown)", allowed))
    if spec.control.on_no_approval != "park":
        found.append(
            Problem(
                "release_on_no_approval",
                spec.control.on_no_approval,
                "park: a Rollout waits until somebody answers or the deadline is over",
            )
        )
    return found + queries.refusals(spec)
