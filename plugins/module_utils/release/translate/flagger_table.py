# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of each field of Flagger's Canary and MetricTemplate. Data alone."""

from __future__ import annotations

from .table import BETTER, EQUAL, REFUSED, Row, Table

_NOT_GENERATED = "only for the commands of a refusal: the Service and its route are yours, and nothing of them is generated or rewritten"
_OTHER_PROVIDER = "belongs to a provider that has no router here; istio, gateway_api, linkerd and service have one"

CANARY = Table(
    "Canary",
    ("flagger.app/v1beta1",),
    (
        Row("apiVersion", EQUAL, "`flagger.app/v1beta1`; others are refused", of="text"),
        Row("kind", EQUAL, "what is read", of="text"),
        Row("metadata", EQUAL, "`name` is `release_name`, `namespace` is `release_namespace`; the rest is left alone"),
        Row("status", EQUAL, "left alone: the release has a record of its own"),
        Row(
            "spec.provider",
            EQUAL,
            "`release_traffic.provider` for istio, gatewayapi:v1, gatewayapi:v1beta1, linkerd and kubernetes",
            of="text",
        ),
        Row(
            "spec.metricsServer",
            EQUAL,
            "`release_prometheus`; the name of a Service in the cluster is reached through the API server",
            of="text",
        ),
        Row("spec.targetRef", EQUAL, "`release_workload`; apps/v1 Deployment alone"),
        Row("spec.autoscalerRef.apiVersion", BETTER, "not needed: an autoscaler of the Deployment is found and only its least is raised"),
        Row("spec.autoscalerRef.kind", BETTER, "as apiVersion; HorizontalPodAutoscaler and ScaledObject"),
        Row("spec.autoscalerRef.name", BETTER, "as apiVersion"),
        Row(
            "spec.autoscalerRef.primaryScalerQueries",
            BETTER,
            "not needed: stable keeps its own name and autoscaler, so that no second one needs queries of its own",
            told=True,
        ),
        Row(
            "spec.autoscalerRef.primaryScalerReplicas",
            BETTER,
            "not needed: stable keeps its own autoscaler with its own numbers",
            told=True,
        ),
        Row("spec.ingressRef", REFUSED, f"nothing: it {_OTHER_PROVIDER}"),
        Row("spec.routeRef", REFUSED, f"nothing: it {_OTHER_PROVIDER}"),
        Row("spec.upstreamRef", REFUSED, f"nothing: it {_OTHER_PROVIDER}"),
        Row("spec.progressDeadlineSeconds", EQUAL, "`release_ready_timeout_seconds`, 600 when it is left out", of="whole"),
        Row("spec.skipAnalysis", EQUAL, "true: no gates and no webhooks but those that are told, one step to 100 %", of="truth"),
        Row("spec.revertOnDeletion", BETTER, "not needed: every ending leaves stable and its route as they were", of="truth"),
        Row("spec.suspend", EQUAL, "true is refused: a suspended Canary releases nothing", of="truth"),
        Row("spec.canaryAnalysis", REFUSED, "nothing: Flagger has called it spec.analysis for years; rename it"),
        Row("spec.service.name", EQUAL, "`release_traffic.service`; the target's name when it is left out", of="text"),
        Row("spec.service.port", BETTER, _NOT_GENERATED, of="whole"),
        Row("spec.service.portName", BETTER, _NOT_GENERATED, of="text"),
        Row("spec.service.targetPort", BETTER, _NOT_GENERATED),
        Row("spec.service.appProtocol", BETTER, _NOT_GENERATED, of="text"),
        Row("spec.service.portDiscovery", BETTER, _NOT_GENERATED, of="truth"),
        Row("spec.service.headless", BETTER, _NOT_GENERATED, of="truth"),
        Row("spec.service.timeout", BETTER, _NOT_GENERATED, of="text"),
        Row("spec.service.gateways", BETTER, _NOT_GENERATED),
        Row("spec.service.gatewayRefs", BETTER, _NOT_GENERATED),
        Row("spec.service.hosts", BETTER, _NOT_GENERATED),
        Row("spec.service.delegation", BETTER, _NOT_GENERATED, of="truth"),
        Row("spec.service.trafficPolicy", BETTER, "stable's DestinationRule is copied for the canary; keep the policy there", told=True),
        Row("spec.service.match", BETTER, _NOT_GENERATED),
        Row("spec.service.rewrite", BETTER, _NOT_GENERATED),
        Row("spec.service.retries", BETTER, _NOT_GENERATED),
        Row("spec.service.headers", BETTER, _NOT_GENERATED),
        Row("spec.service.corsPolicy", BETTER, _NOT_GENERATED),
        Row("spec.service.mirror", BETTER, _NOT_GENERATED),
        Row("spec.service.apex", BETTER, "nothing is generated that could bear these labels", told=True),
        Row("spec.service.primary", BETTER, "nothing is generated that could bear these labels", told=True),
        Row("spec.service.canary", BETTER, "nothing is generated that could bear these labels", told=True),
        Row("spec.service.unmanagedMetadata", BETTER, "foreign labels and annotations stay as they are"),
        Row("spec.service.meshName", REFUSED, f"nothing: it {_OTHER_PROVIDER}"),
        Row("spec.service.backends", REFUSED, f"nothing: it {_OTHER_PROVIDER}"),
        Row(
            "spec.analysis.interval",
            EQUAL,
            "`release_looks.interval_seconds`; not raised to 10 s, and a text that is no duration is refused",
            of="text",
        ),
        Row(
            "spec.analysis.threshold",
            EQUAL,
            "`release_looks.threshold`; traffic returns at that look, and not at the one after it",
            of="whole",
        ),
        Row("spec.analysis.maxWeight", EQUAL, "with stepWeight `release_steps`, and 100 after them, watched", of="whole"),
        Row("spec.analysis.stepWeight", EQUAL, "`release_steps`: 20 up to 50 is 20, 40, 60, as Flagger counts", of="whole"),
        Row("spec.analysis.stepWeights", EQUAL, "`release_steps`, and 100 after them, watched"),
        Row(
            "spec.analysis.stepWeightPromotion",
            BETTER,
            "not needed: stable takes the version while the canary carries all traffic, and gets it back when all of its pods are ready",
            told=True,
            of="whole",
        ),
        Row("spec.analysis.iterations", EQUAL, "`release_looks.iterations`; with match the time of the matched requests alone", of="whole"),
        Row("spec.analysis.match[].headers", EQUAL, "`release_match`, with exact, prefix and regex; suffix becomes a regex"),
        Row("spec.analysis.match[].queryParams", EQUAL, "`release_match`, with exact and regex"),
        Row("spec.analysis.match[].sourceLabels", REFUSED, "headers: no router here tells requests by the labels of who sends them"),
        Row(
            "spec.analysis.mirror",
            EQUAL,
            "with `release_strategy: shadow`, a release of its own that promotes nothing; else refused",
            of="truth",
        ),
        Row("spec.analysis.mirrorWeight", EQUAL, "with mirror the step of the shadow, 100 when it is left out", of="whole"),
        Row(
            "spec.analysis.sessionAffinity",
            REFUSED,
            "nothing: weights draw every request anew, so a canary is not sticky. Leave it out (release_from.leave_out), or give "
            "release_strategy: ab_test with release_ab, whose groups are drawn once, by a cookie",
        ),
        Row("spec.analysis.primaryReadyThreshold", BETTER, "all pods of stable are awaited", told=True, of="whole"),
        Row(
            "spec.analysis.canaryReadyThreshold",
            BETTER,
            "all pods that the weight needs are awaited before it rises",
            told=True,
            of="whole",
        ),
        Row(
            "spec.analysis.metrics[].name",
            EQUAL,
            "the gate's name in lower case; `request-success-rate` and `request-duration` are built in",
            of="text",
        ),
        Row(
            "spec.analysis.metrics[].interval",
            BETTER,
            "`{{ interval }}` of a query; built-in metrics count what came since the look before, no sliding window",
            of="text",
        ),
        Row(
            "spec.analysis.metrics[].threshold",
            EQUAL,
            "as Flagger reads it: the least success rate, the most of anything else",
            of="number",
        ),
        Row(
            "spec.analysis.metrics[].thresholdRange.min",
            EQUAL,
            "`min` of the query; of the success rate the `max` of the error rate",
            of="number",
        ),
        Row(
            "spec.analysis.metrics[].thresholdRange.max",
            EQUAL,
            "`max` of the query; of the duration the `max` of its p99 in milliseconds",
            of="number",
        ),
        Row("spec.analysis.metrics[].query", EQUAL, "a gate with this query at the release's Prometheus", of="text"),
        Row("spec.analysis.metrics[].templateRef", EQUAL, "the MetricTemplate of that name, among the documents or in the cluster"),
        Row("spec.analysis.metrics[].templateVariables", EQUAL, "`{{ variables.name }}` of its query"),
        Row("spec.analysis.webhooks[].type", EQUAL, "`type`, of all eight types; `rollout` when it is left out", of="text"),
        Row("spec.analysis.webhooks[].name", EQUAL, "`name`", of="text"),
        Row(
            "spec.analysis.webhooks[].url",
            EQUAL,
            "`url`, asked by the control node: one that only the cluster can reach has no answer",
            of="text",
        ),
        Row("spec.analysis.webhooks[].timeout", EQUAL, "`timeout`", of="text"),
        Row("spec.analysis.webhooks[].retries", EQUAL, "`retries`", of="whole"),
        Row("spec.analysis.webhooks[].metadata", EQUAL, "`metadata`"),
        Row("spec.analysis.webhooks[].muteAlert", EQUAL, "`mute_alert`", of="truth"),
        Row("spec.analysis.webhooks[].disableTLS", EQUAL, "`disable_tls`", of="truth"),
        Row(
            "spec.analysis.alerts",
            REFUSED,
            "nothing: no AlertProvider is read. Leave it out (release_from.leave_out), and have a webhook of type event in release_webhooks tell your chat",
        ),
    ),
)

METRIC_TEMPLATE = Table(
    "MetricTemplate",
    ("flagger.app/v1beta1",),
    (
        Row("apiVersion", EQUAL, "`flagger.app/v1beta1`; others are refused", of="text"),
        Row("kind", EQUAL, "what is read", of="text"),
        Row("metadata", EQUAL, "`name` and `namespace`, as templateRef says them"),
        Row("status", EQUAL, "left alone"),
        Row("spec.provider.type", EQUAL, "prometheus; others are refused", of="text"),
        Row(
            "spec.provider.address",
            EQUAL,
            "`release_prometheus`, unless that is given; the name of a Service is reached through the API server",
            of="text",
        ),
        Row("spec.provider.insecureSkipVerify", EQUAL, "`release_prometheus.validate_certs: false`", of="truth"),
        Row(
            "spec.provider.secretRef",
            REFUSED,
            "nothing: secrets are not read out of the cluster. Give release_prometheus with token or username and password, and leave it out "
            "(release_from.leave_out)",
        ),
        Row(
            "spec.provider.headers", REFUSED, "nothing: give them as release_prometheus.headers, and leave it out (release_from.leave_out)"
        ),
        Row("spec.provider.region", REFUSED, "nothing: it belongs to a provider other than prometheus"),
        Row(
            "spec.query",
            EQUAL,
            "the gate's `promql`. `{{ target }}` is the canary's Deployment, `{{ target }}-primary` stable's, `{{ service }}-canary` the canary's Service; "
            "name, namespace, service, interval and variables as they are, everything else in `{{ }}` is refused",
            of="text",
        ),
    ),
)
