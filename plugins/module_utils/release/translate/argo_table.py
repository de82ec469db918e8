# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of each field of Argo's Rollout and of its analysis templates. Data alone."""

from __future__ import annotations

from .table import BETTER, EQUAL, REFUSED, Row, Table

_OUT = "Leave it out (release_from.leave_out)"
_NO_ROUTER = "nothing: no router here speaks to it; istio and plugins[argoproj-labs/gatewayAPI] have one"
_ANALYSIS_RUNS = "no AnalysisRun is made: the record and the JSON lines keep every look"
_EPHEMERAL = f"nothing: pods bear the labels of their template alone. {_OUT}, or put them into the template"


def _analysis(path: str, what: str) -> tuple[Row, ...]:
    """The rows of a RolloutAnalysis."""
    return (
        Row(f"{path}.templates", EQUAL, what),
        Row(f"{path}.args[].name", EQUAL, "`{{ args.name }}` of the template", of="text"),
        Row(f"{path}.args[].value", EQUAL, "its value"),
        Row(
            f"{path}.args[].valueFrom.fieldRef",
            EQUAL,
            "a label, an annotation, the name or the namespace of the Rollout; other fields are refused",
        ),
        Row(
            f"{path}.args[].valueFrom.podTemplateHashValue",
            REFUSED,
            "nothing: pods have no such hash here; write the query with {canary_pods} and {stable_pods} (release_gates)",
        ),
        Row(f"{path}.dryRun", REFUSED, f"nothing: every gate decides. {_OUT}, with the metric or without"),
        Row(f"{path}.measurementRetention", BETTER, _ANALYSIS_RUNS),
        Row(f"{path}.analysisRunMetadata", BETTER, _ANALYSIS_RUNS),
    )


ROLLOUT = Table(
    "Rollout",
    ("argoproj.io/v1alpha1",),
    (
        Row("apiVersion", EQUAL, "`argoproj.io/v1alpha1`; others are refused", of="text"),
        Row("kind", EQUAL, "what is read", of="text"),
        Row("metadata", EQUAL, "`name` is `release_name`, `namespace` is `release_namespace`; the rest is left alone"),
        Row("status", EQUAL, "left alone: the release has a record of its own"),
        Row("spec.workloadRef.apiVersion", EQUAL, "apps/v1", of="text"),
        Row("spec.workloadRef.kind", EQUAL, "Deployment; others are refused", of="text"),
        Row("spec.workloadRef.name", EQUAL, "`release_workload`", of="text"),
        Row(
            "spec.workloadRef.scaleDown",
            BETTER,
            "the Deployment runs the pods itself, so it is never scaled down; scale it up before the first release",
            told=True,
            of="text",
        ),
        Row(
            "spec.template",
            EQUAL,
            "with `release_workload` the version, as `release_manifests`. Without it refused, with the command that makes a Deployment of the Rollout",
        ),
        Row("spec.selector", EQUAL, "the Deployment's own"),
        Row("spec.replicas", EQUAL, "the Deployment's own", of="whole"),
        Row("spec.minReadySeconds", EQUAL, "the Deployment's own", of="whole"),
        Row("spec.revisionHistoryLimit", EQUAL, "the Deployment's own", of="whole"),
        Row("spec.paused", EQUAL, "true is refused: a paused Rollout releases nothing", of="truth"),
        Row("spec.progressDeadlineSeconds", EQUAL, "`release_ready_timeout_seconds`, 600 when it is left out", of="whole"),
        Row("spec.progressDeadlineAbort", BETTER, "always: pods that are not ready in time return traffic", of="truth"),
        Row("spec.restartAt", BETTER, "no release; kubectl rollout restart does it", told=True, of="text"),
        Row("spec.rollbackWindow", BETTER, "a way back is a release, as every other: nothing skips the gates", told=True),
        Row("spec.analysis", BETTER, _ANALYSIS_RUNS),
        Row(
            "spec.strategy.canary.canaryService",
            EQUAL,
            "`{canary_service}` in queries: the release makes `<service>-canary` and removes it",
            of="text",
        ),
        Row("spec.strategy.canary.stableService", EQUAL, "`release_traffic.service`", of="text"),
        Row("spec.strategy.canary.steps[].setWeight", EQUAL, "an item of `release_steps`; they must grow, and 100 ends them", of="whole"),
        Row("spec.strategy.canary.steps[].pause", EQUAL, "an item of `release_steps`; it is `approve` when it has no duration"),
        Row("spec.strategy.canary.steps[].pause.duration", EQUAL, "`bake_seconds` of the step; before any weight `release_match_seconds`"),
        Row("spec.strategy.canary.steps[].setCanaryScale.matchTrafficWeight", EQUAL, "always so", of="truth"),
        Row(
            "spec.strategy.canary.steps[].setCanaryScale.weight",
            REFUSED,
            f"nothing: the canary has the pods that its share of the traffic needs. {_OUT}",
        ),
        Row(
            "spec.strategy.canary.steps[].setCanaryScale.replicas",
            REFUSED,
            f"nothing: the canary has the pods that its share of the traffic needs. {_OUT}",
        ),
        Row("spec.strategy.canary.steps[].setHeaderRoute.name", BETTER, "the rule gets a name of the release's own", of="text"),
        Row(
            "spec.strategy.canary.steps[].setHeaderRoute.match",
            EQUAL,
            "`release_match`, from the first traffic until the version is everywhere",
        ),
        Row(
            "spec.strategy.canary.steps[].setMirrorRoute.name",
            BETTER,
            "with `release_strategy: shadow`: a name of the release's own",
            of="text",
        ),
        Row(
            "spec.strategy.canary.steps[].setMirrorRoute.percentage",
            EQUAL,
            "with `release_strategy: shadow` its step, 100 when it is left out; else refused",
            of="whole",
        ),
        Row("spec.strategy.canary.steps[].setMirrorRoute.match", REFUSED, f"nothing: a shadow copies a share of all requests. {_OUT}"),
        *_analysis("spec.strategy.canary.steps[].analysis", "gates; the step also waits for their measurements"),
        Row(
            "spec.strategy.canary.steps[].experiment",
            REFUSED,
            f"nothing: stable and the canary are compared under the same traffic all the time. {_OUT}",
        ),
        Row(
            "spec.strategy.canary.steps[].plugin",
            REFUSED,
            f"nothing: plugins of the controller run in the controller. {_OUT}, or make it a check or a webhook",
        ),
        *_analysis("spec.strategy.canary.analysis", "gates, judged from the first traffic on"),
        Row(
            "spec.strategy.canary.analysis.startingStep",
            BETTER,
            "gates look from the first traffic on: harm is found before the step",
            told=True,
            of="whole",
        ),
        Row(
            "spec.strategy.canary.maxSurge",
            EQUAL,
            "`release_rolling.max_surge` where there are no steps; with steps the canary is a Deployment beside stable's",
        ),
        Row(
            "spec.strategy.canary.maxUnavailable",
            EQUAL,
            "`release_rolling.max_unavailable` where there are no steps; with steps stable loses no pod",
        ),
        Row(
            "spec.strategy.canary.antiAffinity",
            REFUSED,
            f"nothing: both versions are placed as their template says. {_OUT}, or put the affinity into the template",
        ),
        Row("spec.strategy.canary.canaryMetadata", REFUSED, _EPHEMERAL),
        Row("spec.strategy.canary.stableMetadata", REFUSED, _EPHEMERAL),
        Row(
            "spec.strategy.canary.scaleDownDelaySeconds",
            EQUAL,
            "`release_verify_seconds`: stable is whole so long with all traffic on the canary, watched",
            of="whole",
        ),
        Row("spec.strategy.canary.scaleDownDelayRevisionLimit", BETTER, "not needed: there is one version beside stable", of="whole"),
        Row("spec.strategy.canary.abortScaleDownDelaySeconds", EQUAL, "`release_drain_seconds`", of="whole"),
        Row(
            "spec.strategy.canary.dynamicStableScale",
            BETTER,
            "stable stays whole until the verdict, so that going back needs no new pods",
            told=True,
            of="truth",
        ),
        Row("spec.strategy.canary.pingPong", REFUSED, f"nothing: stable keeps its Service. {_OUT}"),
        Row(
            "spec.strategy.canary.minPodsPerReplicaSet",
            REFUSED,
            f"nothing: the canary has the pods that its share of the traffic needs, at least one. {_OUT}",
        ),
        Row(
            "spec.strategy.canary.replicaProgressThreshold", BETTER, "all pods that the weight needs are awaited before it rises", told=True
        ),
        Row("spec.strategy.canary.trafficRouting.managedRoutes", BETTER, "rules of a release have names of their own and go with it"),
        Row("spec.strategy.canary.trafficRouting.maxTrafficWeight", REFUSED, f"nothing: weights are percentages. {_OUT}"),
        Row(
            "spec.strategy.canary.trafficRouting.istio.virtualService.name",
            EQUAL,
            "`release_traffic.virtual_service`; one of another namespace is refused",
            of="text",
        ),
        Row("spec.strategy.canary.trafficRouting.istio.virtualService.routes", EQUAL, "`release_traffic.route`; one"),
        Row("spec.strategy.canary.trafficRouting.istio.virtualService.tlsRoutes", REFUSED, f"nothing: http routes are steered. {_OUT}"),
        Row("spec.strategy.canary.trafficRouting.istio.virtualService.tcpRoutes", REFUSED, f"nothing: http routes are steered. {_OUT}"),
        Row(
            "spec.strategy.canary.trafficRouting.istio.virtualServices",
            REFUSED,
            "virtualService: one route is steered, so name the one that users take",
        ),
        Row(
            "spec.strategy.canary.trafficRouting.istio.destinationRule.name", EQUAL, "`release_traffic.subsets.destination_rule`", of="text"
        ),
        Row(
            "spec.strategy.canary.trafficRouting.istio.destinationRule.canarySubsetName",
            EQUAL,
            "`release_traffic.subsets.canary`",
            of="text",
        ),
        Row(
            "spec.strategy.canary.trafficRouting.istio.destinationRule.stableSubsetName",
            EQUAL,
            "`release_traffic.subsets.stable`",
            of="text",
        ),
        Row(
            "spec.strategy.canary.trafficRouting.istio.destinationRule.additionalSubsetNames",
            REFUSED,
            f"nothing: the route has stable's destination alone. {_OUT}",
        ),
        Row(
            "spec.strategy.canary.trafficRouting.plugins.argoproj-labs/gatewayAPI.httpRoute",
            EQUAL,
            "`release_traffic.http_route`",
            of="text",
        ),
        Row(
            "spec.strategy.canary.trafficRouting.plugins.argoproj-labs/gatewayAPI.httpRoutes[].name",
            EQUAL,
            "`release_traffic.http_route`; one",
            of="text",
        ),
        Row(
            "spec.strategy.canary.trafficRouting.plugins.argoproj-labs/gatewayAPI.httpRoutes[].useHeaderRoutes",
            BETTER,
            "always: matched requests have a rule of their own",
            of="truth",
        ),
        Row(
            "spec.strategy.canary.trafficRouting.plugins.argoproj-labs/gatewayAPI.grpcRoute",
            EQUAL,
            "`release_traffic.grpc_route`",
            of="text",
        ),
        Row(
            "spec.strategy.canary.trafficRouting.plugins.argoproj-labs/gatewayAPI.grpcRoutes[].name",
            EQUAL,
            "`release_traffic.grpc_route`; one",
            of="text",
        ),
        Row(
            "spec.strategy.canary.trafficRouting.plugins.argoproj-labs/gatewayAPI.grpcRoutes[].useHeaderRoutes",
            BETTER,
            "always",
            of="truth",
        ),
        Row(
            "spec.strategy.canary.trafficRouting.plugins.argoproj-labs/gatewayAPI.namespace",
            EQUAL,
            "the Rollout's; another one is refused",
            of="text",
        ),
        Row("spec.strategy.canary.trafficRouting.plugins", REFUSED, _NO_ROUTER),
        *(
            Row(f"spec.strategy.canary.trafficRouting.{name}", REFUSED, _NO_ROUTER)
            for name in ("nginx", "alb", "smi", "ambassador", "appMesh", "traefik", "apisix")
        ),
        Row("spec.strategy.blueGreen.activeService", EQUAL, "`release_traffic.service`, with `provider: service`", of="text"),
        Row(
            "spec.strategy.blueGreen.previewService",
            BETTER,
            "the release makes `<service>-canary` and removes it; checks ask there",
            told=True,
            of="text",
        ),
        Row(
            "spec.strategy.blueGreen.previewReplicaCount",
            BETTER,
            "the new version has its full size before it gets traffic",
            told=True,
            of="whole",
        ),
        Row("spec.strategy.blueGreen.autoPromotionEnabled", EQUAL, "false is `release_approve: [traffic]`", of="truth"),
        Row(
            "spec.strategy.blueGreen.autoPromotionSeconds",
            REFUSED,
            f"nothing: a switch waits for people or for checks, never for a time alone. {_OUT}, or say autoPromotionEnabled: false",
        ),
        Row("spec.strategy.blueGreen.maxUnavailable", BETTER, "stable loses no pod"),
        Row(
            "spec.strategy.blueGreen.scaleDownDelaySeconds",
            EQUAL,
            "`release_verify_seconds`: the old version stays whole so long after the switch, and is watched",
            of="whole",
        ),
        Row("spec.strategy.blueGreen.scaleDownDelayRevisionLimit", BETTER, "not needed: there is one version beside stable", of="whole"),
        Row("spec.strategy.blueGreen.abortScaleDownDelaySeconds", EQUAL, "`release_drain_seconds`", of="whole"),
        Row(
            "spec.strategy.blueGreen.antiAffinity",
            REFUSED,
            f"nothing: both versions are placed as their template says. {_OUT}, or put the affinity into the template",
        ),
        Row("spec.strategy.blueGreen.previewMetadata", REFUSED, _EPHEMERAL),
        Row("spec.strategy.blueGreen.activeMetadata", REFUSED, _EPHEMERAL),
        *_analysis(
            "spec.strategy.blueGreen.prePromotionAnalysis",
            "`release_checks` of Jobs and of GETs to the new version; queries are refused, for it has no requests yet",
        ),
        *_analysis("spec.strategy.blueGreen.postPromotionAnalysis", "gates, which watch after the switch"),
    ),
)

_ROWS = (
    Row("apiVersion", EQUAL, "`argoproj.io/v1alpha1`; others are refused", of="text"),
    Row("kind", EQUAL, "what is read", of="text"),
    Row("metadata", EQUAL, "`name`, as templateName says it"),
    Row("spec.args[].name", EQUAL, "`{{ args.name }}`", of="text"),
    Row("spec.args[].value", EQUAL, "its value, unless the Rollout says another"),
    Row("spec.args[].valueFrom.fieldRef", EQUAL, "as in the Rollout"),
    Row(
        "spec.args[].valueFrom.secretKeyRef",
        REFUSED,
        f"nothing: secrets are not read out of the cluster. {_OUT}, and give release_prometheus what it needs",
    ),
    Row("spec.dryRun", REFUSED, f"nothing: every gate decides. {_OUT}, with the metric or without"),
    Row("spec.measurementRetention", BETTER, _ANALYSIS_RUNS),
    Row("spec.templates", EQUAL, "the metrics of those templates, too"),
    Row("spec.metrics[].name", EQUAL, "the gate's name, in lower case", of="text"),
    Row("spec.metrics[].interval", EQUAL, "`looks.interval_seconds`; without it one measurement"),
    Row("spec.metrics[].initialDelay", EQUAL, "`looks.initial_delay_seconds`"),
    Row("spec.metrics[].count", EQUAL, "`looks.count`; at a later step than the first weight the gate looks on until the end"),
    Row("spec.metrics[].successCondition", EQUAL, "`min` and `max` of the query; see the forms below"),
    Row("spec.metrics[].failureCondition", EQUAL, "`min` and `max`; with successCondition `fails_below` and `fails_above`"),
    Row("spec.metrics[].failureLimit", EQUAL, "`looks.threshold`, one more; 0 for -1"),
    Row("spec.metrics[].inconclusiveLimit", EQUAL, "`looks.inconclusive_limit`, 0 when it is left out"),
    Row("spec.metrics[].consecutiveErrorLimit", EQUAL, "`looks.consecutive_error_limit`, 4 when it is left out"),
    Row("spec.metrics[].consecutiveSuccessLimit", EQUAL, "`looks.consecutive_success_limit`"),
    Row(
        "spec.metrics[].provider.prometheus.address",
        EQUAL,
        "`release_prometheus`, unless that is given; the name of a Service is reached through the API server",
        of="text",
    ),
    Row(
        "spec.metrics[].provider.prometheus.query", EQUAL, "`promql`; the name of canaryService in it becomes `{canary_service}`", of="text"
    ),
    Row("spec.metrics[].provider.prometheus.timeout", EQUAL, "`release_prometheus.timeout_seconds`", of="whole"),
    Row("spec.metrics[].provider.prometheus.insecure", EQUAL, "`release_prometheus.validate_certs: false`", of="truth"),
    Row("spec.metrics[].provider.prometheus.headers[].key", EQUAL, "`release_prometheus.headers`", of="text"),
    Row("spec.metrics[].provider.prometheus.headers[].value", EQUAL, "`release_prometheus.headers`", of="text"),
    Row("spec.metrics[].provider.prometheus.authentication", REFUSED, f"nothing: give release_prometheus a token or a certificate. {_OUT}"),
    Row("spec.metrics[].provider.prometheus.rangeQuery", REFUSED, "a query with one number at one time, such as avg_over_time(...)"),
    Row("spec.metrics[].provider.job.metadata", BETTER, "the Job bears the release's own name and labels", told=True),
    Row("spec.metrics[].provider.job.spec", EQUAL, "before any traffic a check, `release_checks` with `job: {spec}`; later refused"),
    Row(
        "spec.metrics[].provider.web.url", EQUAL, "before any traffic a check, `http`, of a GET to the preview or canary Service", of="text"
    ),
    Row("spec.metrics[].provider.web.method", EQUAL, "GET", of="text"),
    Row("spec.metrics[].provider.web.timeoutSeconds", EQUAL, "`http.timeout_seconds`", of="whole"),
    Row("spec.metrics[].provider.web", REFUSED, "a GET to the preview or canary Service; what it answers is compared by release_checks"),
    *(
        Row(f"spec.metrics[].provider.{name}", REFUSED, "prometheus: no other source of metrics is read")
        for name in ("kayenta", "datadog", "wavefront", "newRelic", "cloudWatch", "graphite", "influxdb", "skywalking", "plugin")
    ),
)
ANALYSIS_TEMPLATE = Table("AnalysisTemplate", ("argoproj.io/v1alpha1",), _ROWS)
CLUSTER_ANALYSIS_TEMPLATE = Table("ClusterAnalysisTemplate", ("argoproj.io/v1alpha1",), _ROWS)
