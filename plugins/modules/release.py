#!/usr/bin/python
# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release
short_description: Ship a new version of a workload, watch real traffic, finish or return
version_added: 1.0.0
description:
  - Runs one release of one workload in one target (a namespace of a cluster) to its ending, within one task.
  - A canary twin of the Deployment gets growing shares of the traffic while sequential tests compare its error rate and
    latency with stable's. When they show harm, or its pods fail, traffic returns at once and the twin is removed.
  - Every change is journaled in the cluster before and after. A run that was killed is resumed by the next one.
author:
  - progressive.delivery contributors (@progressive-delivery)
extends_documentation_fragment:
  - progressive.delivery.release
  - kubernetes.core.k8s_auth_options
attributes:
  check_mode:
    support: full
    details: Prints the plan, asks the API server with C(dryRun=All).
  diff_mode:
    support: full
  async:
    support: none
options:
  release_workload:
    description:
      - The workload, as V(Deployment/name). With V(release_strategy=rolling) also V(StatefulSet/name) and V(DaemonSet/name).
      - With V(release_engine=argo_rollouts) and V(release_adopt=true) also V(Rollout/name).
    type: str
  release_image:
    description: The new version's image reference, with a tag or a digest. With O(release_manifests) it may be left out.
    type: str
  release_container:
    description: The container that takes O(release_image). Required when the pod has several.
    type: str
  release_template_patch:
    description: Changes to the pod template that belong to the version, merged over it; lists of named items merge by name.
    type: dict
  release_manifests:
    description:
      - The version as Kustomize, Helm or anything else renders it, in place of O(release_template_patch) - a list of objects, or YAML of
        several documents. Of the Deployment that O(release_workload) names the pod template becomes the new version; its image is
        released unless O(release_image) says another one.
      - Config maps and secrets among the objects that the template uses are made when the cluster has none of their name. One that is
        there with other content is only replaced by a copy for the new version, with O(release_config); stable keeps its own.
      - All other objects, and the rest of the Deployment, are left alone; apply them as you always do, before or after.
    type: raw
  release_from:
    description:
      - A C(Canary) of Flagger or a C(Rollout) of Argo Rollouts, with its templates, that says the other variables of the release. No
        controller is needed, and none must look after it at the same time. What a variable says goes over it; of O(release_traffic) and
        O(release_looks) key by key.
      - Documents, as a dictionary, a list of them or YAML of several documents, for instance from the lookup P(ansible.builtin.file#lookup).
        Among them one C(Canary) or C(Rollout), each C(MetricTemplate), C(AnalysisTemplate) and C(ClusterAnalysisTemplate) that it refers
        to, and perhaps the Deployment, whose pod template then is the new version, as in O(release_manifests).
      - Or C(kind), C(name) and C(namespace) of one in the cluster, from where its templates are read, too.
      - C(leave_out), beside C(kind) or beside C(documents), lists paths of fields to pass over, such as V(spec.analysis.alerts) or
        V(MetricTemplate/latency.spec.provider.secretRef). A field that has no counterpart is refused otherwise, with its path and the reason.
      - Every field, and what becomes of it, is in the collection's C(docs/manifests.md).
    type: raw
  release_engine:
    description:
      - Who moves traffic. V(native) is this collection. V(flagger) and V(argo_rollouts) are controllers that run in the cluster and are
        driven by the same verbs. What they cannot do is refused with the option that asks for it, before anything changes.
      - For V(flagger) a Canary and its MetricTemplates are made of the other options, the Deployment's image is changed, and what
        Flagger makes of it is watched and told. Every option and every verb is in the collection's C(docs/engine-flagger.md).
    type: str
    choices: [native, flagger, argo_rollouts]
    default: native
  release_adopt:
    description:
      - Release through the object that the workload has already in the cluster, such as its C(Canary), and leave that as it is. Only the
        workload's image is changed. For O(release_engine=flagger) and O(release_engine=argo_rollouts).
      - The object says the strategy, steps, gates, route and webhooks, so the options for them are refused.
    type: bool
    default: false
  release_config:
    description:
      - Config maps and secrets that travel with the version. Each one that the new pod template uses (C(envFrom), C(env), volumes, projected
        volumes, init containers too) is copied to C(<name>-<ten digits of its SHA-256>), immutable, and the new template refers to the
        copy. Stable keeps what it refers to, so that going back changes no configuration. Left out, nothing is copied.
      - What a template already refers to as a copy is copied from its source again, so edit the source and release.
      - The Deployment owns the copies. A promoted release removes those that no Deployment, kept ReplicaSet or pod refers to, any other
        ending removes its own. C(imagePullSecrets) and tokens of service accounts are never copied, C(kube-root-ca.crt),
        C(istio-ca-root-cert), C(istio-ca-crl) and C(openshift-service-ca.crt) only when they are named.
    type: dict
    suboptions:
      config_maps:
        description: V(true) for all that the template uses, V(false) for none, or a list of names.
        type: raw
        default: true
      secrets:
        description:
          - The same for secrets. A copy does not follow its source, so a secret that somebody rotates is better left out.
          - What is in a secret is never printed and never in the record. The name of a copy holds digits of its hash.
        type: raw
        default: false
      data:
        description: Values of this release, laid over those of its config maps, by config map and key. V(null) removes a key.
        type: dict
  release_profile:
    description:
      - A set of defaults under the other variables, V(production), V(development), V(staged) or one of O(release_profiles). What a variable says
        goes over what the profile says; of O(release_looks) key by key.
      - V(production) needs O(release_business_metric) and the checks C(configuration) and C(load-test) in O(release_checks), and asks for
        an approval before any traffic. Each of C(business), C(configuration), C(load-test) and C(approval) in O(release_skip_gates) is left out.
    type: str
  release_profiles:
    description: Profiles of your own, a dictionary of names and of the variables that each sets. Best kept in C(group_vars).
    type: dict
  release_business_metric:
    description:
      - PromQL for the gate C(business) of O(release_profile=production), one number for the canary in percent, with placeholders as in
        O(release_gates).
    type: str
  release_strategy:
    description:
      - How the version is brought to all users.
      - V(canary) gives it growing shares of the traffic. V(blue_green) builds it up at full size and moves all traffic at once, while the
        old one stays whole for O(release_verify_seconds).
      - V(ab_test) gives it to chosen requests (O(release_match)) or to random clients who keep to it (O(release_ab)), compares both groups,
        and takes it away again. The outcome is V(passed), and C(experiment) in RV(evidence) tells what came of it. Only where
        O(release_ab) says so it is promoted.
      - V(rolling) lets the workload replace its own pods and stops at each share of them until the gates let it go on. It needs no
        mesh, steers no route and makes no twin; the way back is the old template. A Deployment is paused at each share, a StatefulSet
        is steered by its C(partition), and the pods of a DaemonSet, which is C(OnDelete) meanwhile, are evicted node by node.
      - V(shadow) copies growing shares of the requests to it, judges its answers, which nobody sees, and takes it away again; the outcome
        is V(passed). Copies are real requests. What the version writes, sends or charges for, it does twice.
    type: str
    choices: [canary, blue_green, ab_test, shadow, rolling]
    default: canary
  release_promotion:
    description:
      - How the version takes over once it has all traffic. Strategies V(canary) and V(blue_green) know both, but a canary by replicas
        (O(release_traffic.provider=service)) knows V(twin) alone, and so do all other strategies.
      - V(twin), the canary is a copy that goes again. Stable takes the new version, pod by pod, while the canary serves.
      - V(swap), the canary is a Deployment that stays (O(release_swap)), beside the old one, which is not changed and goes
        when O(release_swap.warm_seconds) and its drain are over. Until then the way back is one patch. The next release begins
        from the new Deployment. RV(serves) and the record say which one serves.
      - An autoscaler of the old Deployment scales the new one after the swap. A return gives it back.
    type: str
    choices: [twin, swap]
    default: twin
  release_swap:
    description:
      - The new Deployment of V(release_promotion=swap). What is left out is derived from the old one's name and labels where there is no
        doubt, such as C(shop-v2) with V(version=v2) from C(shop-v1) with V(version=v1), and green from blue. Anything else is refused.
    type: dict
    suboptions:
      workload:
        description: Its name.
        type: str
      label:
        description:
          - The label in which its pods differ. The old Deployment's selector has it, and so has the Service's, unless O(release_traffic.subsets)
            tells the versions apart.
        type: str
      value:
        description: The label's value in the new version's pods.
        type: str
      warm_seconds:
        description: How long the old Deployment stays whole after the swap, while the gates watch, in seconds or with a unit.
        type: str
        default: "0"
      keep:
        description: Scale the old Deployment to 0 in the end, rather than delete it.
        type: bool
        default: false
  release_traffic:
    description: The route that is steered.
    type: dict
    suboptions:
      provider:
        description:
          - The router. V(istio) steers a VirtualService, V(gateway_api) an HTTPRoute or GRPCRoute of C(gateway.networking.k8s.io),
            V(linkerd) an HTTPRoute of C(policy.linkerd.io), V(service) the Service itself, without a mesh.
          - With V(service) a canary's weights are numbers of pods, as near to the weight as they can be; the plan says how near. Everything else
            is its selector, all or nothing.
          - What a router cannot do is refused with those that can. V(service) has neither matches nor mirrors, V(linkerd) no mirrors.
        type: str
        choices: [istio, gateway_api, linkerd, service]
        default: istio
      service:
        description: The Service that clients use. Guessed when exactly one selects the workload's pods.
        type: str
      virtual_service:
        description: The VirtualService. Guessed when exactly one http route leads to the Service.
        type: str
      http_route:
        description: The HTTPRoute, for V(gateway_api) and V(linkerd). Guessed when exactly one rule leads to the Service.
        type: str
      grpc_route:
        description: The GRPCRoute, for V(gateway_api). Guessed when no HTTPRoute leads to the Service.
        type: str
      route:
        description: The name of the route (the rule) in it, when several lead to the Service.
        type: str
      subsets:
        description:
          - Provider V(istio) only. The destinations are subsets of the one host, not two Services. The route names subset C(stable) now.
          - A dictionary of C(stable) and C(canary), names of subsets, and C(destination_rule), which may be left out when there is one for the host.
          - The canary's subset is added when it is missing, as stable's with the canary's label, and removed in the end, unless
            V(release_promotion=swap) makes it stable's.
          - The Service selects the pods of both versions then, so whoever passes the route by gets either. Where that can be seen it is refused.
        type: dict
      max_extra_pods:
        description:
          - The most pods that a canary by replicas may have, V(provider=service) alone. More of them come closer to large weights.
          - As many as the workload has, when it is left out; fewer are not possible, for at 100 % the canary serves alone.
        type: int
  release_rolling:
    description:
      - How V(release_strategy=rolling) replaces pods, written into the workload and put back when the release goes back.
      - Grace periods, probes and hooks belong to the version; give them with O(release_template_patch).
    type: dict
    suboptions:
      max_surge:
        description: Pods above the Deployment's number while it rolls, a number or a percentage. Deployments only.
        type: str
      max_unavailable:
        description: Pods that may be missing meanwhile, a number or a percentage. With V(0) no pod goes before its successor is ready.
          Of a DaemonSet at least one; what its own updateStrategy says when it is left out. Not for a StatefulSet, which replaces one by one.
        type: str
      min_ready_seconds:
        description: How long a new pod must be ready before the next one is replaced.
        type: int
      progress_deadline_seconds:
        description: After how long without progress the rollout has failed. Deployments only.
        type: int
  release_ab:
    description:
      - The experiment of V(release_strategy=ab_test). Variant A is stable, variant B the new version.
      - Gates run all the time as in a canary. Harm ends the experiment and the release, which is V(rolled_back).
    type: dict
    suboptions:
      cookie:
        description:
          - The name of a cookie, for random groups that last. The gateway draws newcomers by O(release_ab.share) and sets the cookie;
            who has it keeps to the group. Its value is of this version of this release, the same in every target.
          - Either this or O(release_match). Routers V(istio) and V(gateway_api) (HTTPRoute) only.
        type: str
      share:
        description: Percent of the newcomers that are drawn into B. With O(release_match) the percent of the requests that B is sized for.
        type: int
        default: 20
      max_age:
        description: How long clients keep the cookie, at least as long as the experiment may take.
        type: str
        default: 30d
      iterations:
        description: A fixed length, as so many times O(release_ab.iteration_seconds).
        type: int
      iteration_seconds:
        description: One of O(release_ab.iterations), in seconds or with a unit.
        type: str
        default: "60"
      until:
        description: Without O(release_ab.iterations) the experiment ends when the difference of the conversions is significant.
        type: str
        choices: [significant]
        default: significant
      at_least:
        description: Least time of an experiment that the evidence ends. People differ by the hour of the day.
        type: str
        default: 1d
      at_most:
        description: Longest time of an experiment that the evidence ends. At most V(28d).
        type: str
        default: 14d
      conversions:
        description: The counter of what B is to raise, a C(metric) of the pods with C(labels) (a dictionary of names and values) that select its series.
        type: dict
      of:
        description: The counter that conversions are compared with, written in the same way. The requests when it is left out.
        type: dict
      winner:
        description: What follows. V(report) tells the result and promotes nothing, V(promote) promotes B where it has won. Random groups only.
        type: str
        choices: [report, promote]
        default: report
      not_worse_than:
        description: With V(release_ab.winner=promote), promote B also where it is certain to convert at most so many percent (such as V(2%)) less than A.
        type: str
      confidence:
        description: Of the test, which may be looked at any number of times, and of the interval of B's conversion rate by A's.
        type: str
        default: 99%
      effect:
        description: The relative difference for which the plan says how many requests and days it needs.
        type: str
        default: 10%
  release_match:
    description:
      - Requests that get the canary first, whatever the weight is, and keep it until the version is everywhere.
        For V(release_strategy=ab_test) the requests of variant B.
        Strategies V(canary) and V(ab_test) only.
      - A list of alternatives. All conditions of an item must hold. C(headers), C(cookies) and C(query) are dictionaries of a name and
        what its value must be, a string, or one of C(exact), C(prefix) and C(regex) (RE2, the whole value). C(user_agent) is a regular expression.
    type: list
    elements: dict
    default: []
  release_match_seconds:
    description: How long only the matched requests get the canary before the first weight, in seconds or with a unit.
    type: str
    default: "0"
  release_steps:
    description:
      - The canary's shares of the traffic in percent, growing, the last one V(100). For V(release_strategy=shadow)
        the shares that are copied, for V(release_strategy=rolling) the shares of the pods.
        V(release_strategy=blue_green) and V(release_strategy=ab_test) have none.
      - An item is a number, or a dictionary of C(weight), C(bake_seconds), the least time at that weight, and C(approve). With C(approve=true)
        people must approve after that weight was judged, at C(weight=100) after the watch, before stable takes the version.
      - C(approve) may say who has to, as C({count 2, of [ana, ben, eva], expires 4h, starter_may false}). C(count) different people of those
        that C(of) names, or of everybody where it is left out; C(expires) is how long an approval counts. Who started the release does
        not count unless C(starter_may). A rejection by one of C(of) returns traffic. See C(docs/approvals.md).
    type: list
    elements: raw
    default: [0, 10, 25, 50, 75, 100]
  release_checks:
    description:
      - What the canary is asked before it gets any traffic, in this order, once its pods are ready. A check that fails ends the release.
        Nothing was switched then, and the outcome is V(rolled_back).
      - An item has a C(name), which calls its step C(check-<name>), and one of C(http), C(job) and C(webhook).
      - C(http) is a GET to the Service C(<service>-canary), sent through the API server, with C(path) (default V(/)), C(port) (name or number,
        default the Service's first), C(status) (one or a list, default V(200)), C(contains) (a text of the body), C(header) (names and what
        their values must be, as in O(release_match)), C(timeout_seconds) (V(10)), C(attempts) (V(3)) and C(pause_seconds) (V(1)). The API server
        is no member of a mesh. Where mutual TLS is strict, use a C(job).
      - C(job) is a Job that must complete within C(timeout_seconds) (V(600)), made C(from_cronjob) (its name) or from C(spec), that of a Job of
        C(batch/v1). Its containers get E(CANARY_SERVICE), E(STABLE_SERVICE), E(RELEASE_ID) and E(IMAGE). It is called
        C(<release_name>-check-<name>), runs once unless its C(backoffLimit) says otherwise, and is removed when the release ends.
        C(point_of_no_return) beside it says that what it does, such as a migration, cannot be taken back. The plan says so too, and a later check
        must have C(against=stable), or O(release_no_way_back) says why not.
      - C(against=stable) beside C(http) asks stable's Service instead, whether the old version works with what a check before has changed. Beside
        C(job) it says that the Job does so; it knows the Service as E(STABLE_SERVICE).
      - C(webhook) is a POST to C(url) with C(headers), C(timeout_seconds) (V(10)) and C(attempts) (V(3)), of JSON with C(release_name),
        C(release_id), C(namespace), C(workload), C(image), C(canary_service) and C(phase). 2xx passes. Of C(url) only scheme and host, and of
        C(headers) no value is ever printed. The record keeps their hashes.
      - A runner that takes over runs the check again in which the other one died. It takes up the Job that it finds.
    type: list
    elements: dict
    default: []
  release_webhooks:
    description:
      - Who is asked, and told, while the release runs. A list of webhooks as Flagger's C(spec.analysis.webhooks) has it, so that
        existing ones work unchanged. Each question is a POST of JSON with C(name) (the O(release_name)), C(namespace), C(phase), C(checksum)
        and C(metadata). 200 to 202 is a yes, everything else, also no answer, a refusal.
      - An item has a C(type), a C(name) and a C(url), and may have C(timeout) (V(10s)), C(retries) (V(0), for no answer and statuses 429, 500,
        502, 503 and 504), C(metadata) (names and texts), C(headers), C(hmac) (C(secret) signs the body with HMAC-SHA256 in C(header), by default
        C(X-Signature-256)), C(ca_cert), C(client_cert), C(client_key) (files on the control node), C(validate_certs) (V(true)), C(mute_alert)
        (its refusals are no events), and C(disable_tls), Flagger's word for no C(validate_certs).
      - V(confirm-rollout) is asked before anything is created, V(confirm-traffic-increase) before each rise, V(confirm-promotion) before the
        promotion, every C(interval) (V(10s)) until it agrees. When it has not within C(deadline) (V(1h)), C(on_deadline) (V(roll_back) or
        V(park)) decides.
      - V(pre-rollout) is asked once before the canary gets requests. A refusal ends the release with nothing switched.
      - V(rollout), the default, is asked every C(interval) while the canary has requests. The weight rises only after it agreed to the
        present one. C(threshold) (V(5)) refusals in the whole release return traffic. When nobody answered the last one,
        O(release_on_inconclusive) decides.
      - V(rollback) is asked every C(interval) as long as the release runs. A yes returns traffic.
      - V(post-rollout) is told how the release ended, V(event) whatever happens. Their answers change nothing.
      - Of C(url) only scheme and host, and of C(headers), C(metadata) and C(hmac) no value is ever printed. The record keeps their hashes.
    type: list
    elements: dict
    default: []
  release_no_way_back:
    description:
      - Why nobody needs to ask stable after a check that is a C(point_of_no_return), such as that the migration only adds tables. Kept in the record.
    type: str
  release_gates:
    description:
      - What must hold. An item has a C(name) and one of C(error_rate) with C(max), C(latency) with C(slower_than) and C(max),
        C(latency) with a quantile such as C(p99) with C(max), C(request_rate) with C(min) (requests of the canary in a second), C(query), and C(burn_rate).
      - C(max) is a percentage of requests with its sign. C(slower_than) is a duration that is a bucket bound of the histogram. The C(max)
        of a quantile is a duration below the largest bound; where it is no bound itself the quantile is a guess, and the plan says so.
      - A C(query) has C(promql), which gives one number for the canary, with C(min), C(max) or both, in C(unit), which is only
        shown. C({namespace}), C({workload}), C({stable}), C({canary}), C({service}), C({canary_service}), C({stable_pods}),
        C({canary_pods}) and C({interval}) in it are filled in. With a C(baseline) (PromQL for stable) the canary's number may lie at
        most C(tolerance) (a percentage of stable's) beyond it in the bad C(direction), one of V(increase), V(decrease) and V(either).
        Between C(min) and C(fails_below), and C(max) and C(fails_above), it is neither passed nor failed.
      - C(burn_rate) with C(over), a list of V(1h), V(6h), V(1d) and V(3d), is the whole service's spending of the budget of O(release_slo). A
        window counts together with its twelfth, and its limit is 14.4, 6, 3 and 1 times at 30 days. Its judge, V(burn_rate), returns traffic
        when one begins to burn that did not before the release.
      - C(cpu), C(memory) and C(per_pod) with C(promql) and C(unit) compare a number of each pod, canary against stable. C(cpu) and C(per_pod)
        take C(per), V(pod) or V(request); C(cpu) and C(memory) take one C(container).
      - C(restarts) with C(max) compares how often pods restart. Without such a gate a single restart of a pod of the canary returns traffic
        at once.
      - C(all), C(any) with a list, and C(not), combine gates by their names; those in them no longer decide alone.
      - No series, several series, no finite number, a warning and a query that Prometheus refuses hold the weight, each with its own
        cause. They are never a pass.
      - C(judge) is V(sequential), the default for C(error_rate) and for C(latency) with C(slower_than), V(threshold), or V(mann_whitney), the
        only one for C(cpu), C(memory) and C(per_pod), which a C(query) with a C(baseline) may have, too.
      - A gate with C(looks) of its own (as O(release_looks), which they go over) is looked at apart from the others.
      - C(samples) of a gate that V(mann_whitney) judges may have C(min_samples) (V(50)), C(sample_seconds) (V(60)), C(judgements) (V(3)),
        C(initial_delay_seconds), and most options of P(progressive.delivery.mann_whitney#filter).
      - All judges must agree before the weight rises; one of them is enough to hold it, or to return traffic.
    type: list
    elements: dict
    default: [{name: errors, error_rate: {max: 1%}}]
  release_looks:
    description:
      - How gates whose C(judge) is V(threshold) are looked at. They are looked at together, and a look in which any of them
        fails is one failed look. A failed look holds the weight; each weight needs a passed one of its own.
    type: dict
    suboptions:
      interval_seconds:
        description: The time between two looks. Each judges what was counted in it.
        type: str
        default: "60"
      threshold:
        description: So many failed looks return traffic, in the whole release. With V(0) none do.
        type: int
        default: 1
      consecutive:
        description: Count failed looks in a row instead; one that passes begins anew.
        type: bool
        default: false
      iterations:
        description: The least number of looks in the whole release before the canary gets all traffic.
        type: int
        default: 0
      min_requests:
        description: A look at fewer requests of the canary is neither passed nor failed.
        type: int
        default: 1
      initial_delay_seconds:
        description: How long after the first traffic the first look begins.
        type: str
        default: "0"
      count:
        description: After so many looks the gates have passed for good. With V(0) they are looked at until the end.
        type: int
        default: 0
      consecutive_success_limit:
        description: After so many passed looks in a row the gates have passed for good. With V(0) they are looked at until the end.
        type: int
        default: 0
      inconclusive_limit:
        description: More looks that neither passed nor failed are inconclusive; O(release_on_inconclusive) decides. Left out, only time is.
        type: int
      consecutive_error_limit:
        description: More looks in a row without data return traffic. Left out, O(release_no_data_seconds) decides.
        type: int
      no_data:
        description: Whether a look without data only holds the weight, or is a failed look.
        type: str
        choices: [hold, fail]
        default: hold
  release_slo:
    description:
      - The service level objective whose error budget the release lives on. Needs a gate on C(error_rate), where its cost is counted.
      - Before the start the budget that is left chooses how to go. Above 50 % nothing changes. From 50 to 20 % every rise is half as large
        (strategies V(canary) and V(rolling)) and needs twice the requests. Below 20 %, at 0 %, and while the budget burns 14.4 times
        too fast over both an hour and five minutes, the release is refused, unless C(budget_override) says why it must be.
      - While it runs, traffic returns when the canary has caused more failures than C(allowance) lets it, beyond those that stable's rate
        explains. After the switch it returns when the budget burns 14.4 times too fast over both C(watch) and its twelfth.
    type: dict
    suboptions:
      objective:
        description: The share of requests that must be good, a percentage such as V(99.9%). Required.
        type: str
      period:
        description: The time over which the objective is kept, 1 to 92 days.
        type: raw
        default: 30d
      source:
        description:
          - Where the budget's numbers are. V(raw) reads the counters of the release's own gates over the whole period, V(sloth) and
            V(pyrra) the series that these tools record.
        type: str
        choices: [raw, sloth, pyrra]
        default: raw
      series:
        description: With V(pyrra), what the names of its recorded series begin with, such as V(http_requests).
        type: str
      labels:
        description: With V(sloth) and V(pyrra), the labels that choose one objective, such as C(sloth_id) or C(slo).
        type: dict
      errors:
        description: With V(pyrra), a matcher of the failed requests in its increase series. Left out, C(code=~"5..").
        type: str
      allowance:
        description: The share of what is left of the budget that this release may spend, a percentage.
        type: str
        default: 0.1%
      watch:
        description:
          - How long the budget is watched after the switch, while the old version is whole. The step C(verify) lasts at least so long.
            V(0) watches no longer than O(release_verify_seconds), and by the gates alone.
        type: raw
        default: 1h
      budget_override:
        description: Why the release must be in spite of its budget. The record and the lines of the release keep it.
        type: str
  release_alerts:
    description:
      - Alerts that return traffic. One that fires in Prometheus with the label C(action=rollback) and all of C(matchers) ends the release,
        from its first share of the traffic to the end of the watch. Prometheus itself is asked and not Alertmanager, so that a silence
        hides nothing.
      - An alert that fires before the start refuses the release. While the alerts cannot be read no weight rises.
    type: dict
    suboptions:
      matchers:
        description: Labels that name the release. Left out, the label C(release) with O(release_name).
        type: dict
      silence:
        description:
          - Where Alertmanager is. Alerts with C(matchers) and without C(action=rollback) are silenced there while the release runs. A silence
            lasts ten minutes, is prolonged, and is removed by every ending. What goes wrong with it is told and stops nothing.
        type: dict
        suboptions:
          url:
            description: Its URL, without a password.
            type: str
          service:
            description: Its Service, as V(namespace/name:port), through the API server. One of both.
            type: str
  release_skip_gates:
    description: Names of gates to leave out this time.
    type: list
    elements: str
    default: []
  release_on_inconclusive:
    description: What to do when the gates cannot decide in time (no data, too little traffic, a bad query).
    type: str
    choices: [roll_back, promote, ask]
    default: roll_back
  release_rollback:
    description:
      - How traffic comes back when a release goes back. The ending says which way it went.
      - V(instant) returns all of it with one patch.
      - V(capacity_first) brings stable to the pods that it had at the start before, and waits until they are ready, at most
        O(release_ready_timeout_seconds).
      - V(stepped) gives it back by the release's own weights, downwards, O(release_rollback_step_seconds) apart, when nobody is hurt by the
        canary (an abort, the deadline, gates that cannot decide, a runner that must stop). Evidence of harm, failing pods, an
        edited route, a resumed release and a second abort return the rest at once. Strategy V(canary) with weights only.
    type: str
    choices: [instant, capacity_first, stepped]
    default: instant
  release_rollback_step_seconds:
    description: How long each step of V(release_rollback=stepped) lasts, in seconds or with a unit.
    type: str
    default: "5"
  release_on_no_stable:
    description:
      - What to do when traffic is to return and stable has had no ready pod for two minutes while the canary has.
      - V(return) returns it all the same and says so. V(keep) leaves the canary serving, and the release is V(parked) at that weight.
    type: str
    choices: [return, keep]
    default: return
  release_prometheus:
    description:
      - Where Prometheus is. Exactly one of the two. Required when there are gates, unless O(release_metrics_source=pods).
      - With O(release_metrics_source=pods) it only tells the history, from which the gates learn how errors cluster.
    type: dict
    suboptions:
      url:
        description: Its URL, reached from the control node.
        type: str
      service:
        description: Its Service as V(namespace/name:port), reached through the API server.
        type: str
      path:
        description: What comes before C(/api/v1), such as V(/prometheus) with Mimir.
        type: str
      headers:
        description: Headers of every question, such as V(X-Scope-OrgID), which names a tenant. The record keeps hashes of their values.
        type: dict
      timeout_seconds:
        description: How long an answer may take. An answer in part, as Thanos may give, is none.
        type: str
        default: "5"
      token:
        description: Bearer token; with O(release_prometheus.url) alone, as all that follows. Keep it in a vault; the record keeps a hash.
        type: str
      username:
        description: For basic authentication.
        type: str
      password:
        description: For basic authentication. The record keeps a hash.
        type: str
      ca_cert:
        description: File of certificates, on the control node, that vouch for its certificate.
        type: path
      client_cert:
        description: File of our certificate, for servers that ask for one; it may hold the key, too.
        type: path
      client_key:
        description: File of its key.
        type: path
      validate_certs:
        description: Whether its certificate must be vouched for.
        type: bool
        default: true
  release_metrics_source:
    description:
      - Where requests are counted. One of V(auto), V(istio_destination), V(istio_source), V(istio_ambient), V(linkerd), V(linkerd_route),
        V(linkerd_grpc_route), V(envoy), V(ingress_nginx), V(http) and V(pods), or a dictionary with counters of your own.
      - V(auto) takes the first of V(istio_destination), V(istio_source) and V(istio_ambient) that has data; with the router V(linkerd) of
        V(linkerd), V(linkerd_route) and V(linkerd_grpc_route); for
        V(release_strategy=rolling) and the router V(service), which need the pods' own counters, and for V(release_strategy=shadow), whose
        copies are counted by who gets them, of V(istio_destination) and V(http). Whether V(istio_source) counts copies depends on the
        proxy's telemetry. Istio's own does not. Only V(pods) can tell the versions of a StatefulSet or a DaemonSet apart.
      - V(ingress_nginx) is for C(replay) and C(slo_rules) alone. No router of a release moves the weights of an Ingress.
      - Of counters of your own, C(requests) names the counter, C(failed) the labels and values that are failures (default C(code) with
        C(5..|0)), C(latency) a histogram, C(unit) that of its bounds (C(s) or C(ms), default C(s)), C(stable) and C(canary) labels that
        only one version's series have, and C(labels) those that both have. Values are regular expressions that match as a whole, with the
        placeholders of a query, such as C({namespace}) and C({canary_pods}).
      - V(pods) reads the counters straight from the pods of both versions once a second, through the API server, as O(release_pods) says.
        It waits for no scrape and needs no Prometheus, but the right to C(get) C(pods/proxy) and, on the control node, the Python package
        C(prometheus-client).
    type: raw
    default: auto
  release_pods:
    description: Where pods are read, for O(release_metrics_source=pods).
    type: dict
    suboptions:
      family:
        description:
          - Whose counters they are. V(istio) are those of Istio's sidecar (C(istio_requests_total)), V(envoy) those of an Envoy sidecar
            without Istio's filters (C(envoy_cluster_upstream_rq) of its C(inbound) clusters), V(http) those of the application
            (C(http_requests_total) by C(code), C(http_request_duration_seconds_bucket)).
          - Envoy merges its histograms every five seconds, so latency gates hear of new requests that often with V(istio) and V(envoy).
        type: str
        choices: [istio, envoy, http]
        default: istio
      port:
        description: The port, its number or its name in the pod. Default V(15090) for V(istio) and V(envoy), the container's first port for V(http).
        type: raw
      path:
        description: The path. Default V(/stats/prometheus) for V(istio) and V(envoy), V(/metrics) for V(http).
        type: str
      scheme:
        description: How the API server speaks to the port.
        type: str
        choices: [http, https]
        default: http
  release_minimum_step_seconds:
    description: Least time at every weight, in seconds or with a unit.
    type: str
    default: "0"
  release_verify_seconds:
    description: How long to watch with all traffic on the canary before stable takes the new version.
    type: str
    default: "60"
  release_no_data_seconds:
    description: How long to hold without data before O(release_on_inconclusive) decides.
    type: str
    default: "120"
  release_max_hold_seconds:
    description: How long to wait for evidence at one weight before O(release_on_inconclusive) decides.
    type: str
    default: "1800"
  release_ready_timeout_seconds:
    description: How long pods may take to become ready.
    type: str
    default: "300"
  release_drain_seconds:
    description: How long the canary's pods stay after their traffic has moved.
    type: str
    default: "10"
  release_deadline_seconds:
    description: The whole release must end within this time, or traffic returns.
    type: str
    default: "14400"
  release_fix_forward:
    description: The release is the cure of a running incident, so it is judged against stable alone.
    type: bool
    default: false
  release_approve:
    description:
      - Moments at which the release waits for an approval (M(progressive.delivery.release_control)), beside those of O(release_steps).
        V(traffic) is before the canary gets any traffic, after the checks, V(promote) after the watch with all traffic on the canary,
        before stable takes the version.
      - An item may also say who has to, as C({promote {count 2, of [ana, ben]}}), with the keys of C(approve) of O(release_steps).
      - While it waits the gates look on, and evidence of harm returns traffic.
    type: list
    elements: raw
    default: []
  release_approval_sources:
    description:
      - Where approvals come from beside the command line. Each item is one of C({configmap name}), C({file path}) and C({webhook {url ...}}).
      - A ConfigMap is one of the release's namespace, called C(approvals-...). Its entries count only while the admission policy is in force
        that C(progressive.delivery.approvals_policy) installs, which makes sure that everybody writes only in their own name.
      - A file is one of YAML on the control node, with an absolute path. A webhook is asked by POST, every C(interval), and answers with JSON;
        it has the options of O(release_webhooks) for its request.
    type: list
    elements: dict
    default: []
  release_freezes:
    description:
      - When nobody is to release. A release that would begin in such a time, or by its plan would not be over when one begins, is refused.
      - An item is C({name, from, to, timezone}), C({name, rrule, start, duration, timezone}) with a rule of RFC 5545, C({ical path or text}), a
        calendar whose events are such times, or C({file path}), a file of YAML with such items. See C(docs/freezes.md).
    type: list
    elements: dict
    default: []
  release_freeze_override:
    description: Release all the same, for this reason, which the record keeps with who said so.
    type: str
  release_on_freeze:
    description:
      - What happens to a release that is under way when a freeze begins. V(go_on) says so and goes on. V(park) and V(roll_back) return traffic;
        a parked one is taken up again by a run after the freeze. Once stable takes the version, it always goes on.
    type: str
    choices: [go_on, park, roll_back]
    default: go_on
  release_denied_digests:
    description:
      - Versions that are never to be released. An item is C({digest sha256:..., reason}), or C({file path}), a file of YAML with such items.
      - A digest in O(release_image) is refused before anything changes, a tag that stands for one as soon as the canary's pods run, before they
        get traffic. Pods of C(strategy=rolling) get traffic as they become ready, and are rolled back at once.
    type: list
    elements: dict
    default: []
  release_approval_seconds:
    description: How long an approval is waited for before O(release_on_no_approval) decides, in seconds or with a unit.
    type: str
    default: "3600"
  release_on_no_approval:
    description:
      - What happens when nobody approves in time. V(park) leaves the canary with the share O(release_parked_weight), and the run ends as
        V(parked). Once it is approved, run the release again. V(roll_back) ends the release.
    type: str
    choices: [park, roll_back]
    default: park
  release_pause_seconds:
    description: How long a pause lasts whose command says nothing of that, in seconds or with a unit.
    type: str
    default: "3600"
  release_on_pause_end:
    description: What happens when nobody ends a pause in time. V(resume) goes on, the others are as in O(release_on_no_approval).
    type: str
    choices: [resume, park, roll_back]
    default: park
  release_parked_seconds:
    description: How long a parked release may be taken up again. A run after that time returns it to stable, unless it was approved in time.
    type: str
    default: "86400"
  release_parked_weight:
    description:
      - The canary's share in percent, at most, while a release is parked that waits for people. Nobody looks after it meanwhile.
      - Strategy V(canary) with a router that has weights only. What the gates park has no traffic.
    type: int
    default: 0
  release_guard:
    description:
      - The guard, for the case that the runner dies and nobody runs the release again. A Job in the release's namespace returns its traffic
        when the release's Lease, which a living runner renews every few seconds, was not renewed for as long as this says. Left out, there is none.
      - It is there before the first traffic moves, and goes with the release. Its account may read and change the objects of this release alone.
      - While stable takes the new template the canary serves everybody, so that the guard leaves traffic there as long as the canary is ready.
      - Not for strategy V(rolling), which has no route to return.
    type: dict
    suboptions:
      image:
        description: An image that has C(python3), 3.9 or newer. Nothing else of it is used.
        type: str
        required: true
      after_seconds:
        description: How long the Lease may go without being renewed, at least 30 s. Waiting runners renew it too, stopped ones
          (O(release_stop_after)) do not.
        type: str
        default: "120"
  release_stuck_seconds:
    description:
      - How long a step may take, beyond what was asked of it, before the release says that it is stuck and O(release_on_inconclusive) decides.
        With V(release_on_inconclusive=promote) only a step that waits for evidence goes on. Waiting for people does not count.
      - Left out, 30 minutes, and at least O(release_max_hold_seconds) and O(release_ready_timeout_seconds).
    type: str
  release_share_check:
    description:
      - What to do when the canary's share of the requests that arrive is not its weight.
      - V(hold) holds the weight and says both shares, V(report) only says them, V(off) compares nothing. The last two are for services with
        clients that bypass the route, for instance pods outside of the mesh, whose requests all arrive at stable.
    type: raw
    choices: [hold, report, 'off']
    default: hold
  release_stop_after:
    description: Stop after the step of this name and leave everything as it is; the next run goes on.
    type: str
  release_log_dir:
    description:
      - A folder on the control node for the release's JSON lines, a file I(release_id).jsonl.
      - They hold what the gates were given at each look and what they said, so that M(progressive.delivery.replay) can recompute every verdict.
      - Defaults to C(release_report_dir) where that is set, for M(progressive.delivery.report) tells more with them.
    type: path
"""

EXAMPLES = r"""
- name: Ship shop 2.4.0
  progressive.delivery.release:
    release_name: shop
    release_namespace: shop
    release_workload: Deployment/shop
    release_image: registry.example/shop:2.4.0
    release_traffic: {provider: istio, service: shop}
    release_prometheus: {service: "monitoring/prometheus:9090"}
    release_gates:
      - {name: errors, error_rate: {max: 0.5%}}
      - {name: slow, latency: {slower_than: 500ms, max: 1%}}
  register: release_result

- name: Ship shop 2.4.0 while fewer than 3 looks of a minute fail, and paid orders stay within 5 % of stable's
  progressive.delivery.release:
    release_name: shop
    release_namespace: shop
    release_workload: Deployment/shop
    release_image: registry.example/shop:2.4.0
    release_prometheus: {service: "monitoring/prometheus:9090"}
    release_looks: {interval_seconds: 60, threshold: 3, iterations: 10}
    release_gates:
      - {name: errors, error_rate: {max: 0.5%}, judge: threshold}
      - {name: p99, latency: {p99: {max: 500ms}}}
      - name: paid
        query:
          promql: avg(shop_paid_percent{namespace="{namespace}",pod=~"{canary_pods}"})
          baseline: avg(shop_paid_percent{namespace="{namespace}",pod=~"{stable_pods}"})
          min: 90
          tolerance: 5%
          direction: decrease
          unit: "%"

- name: Ship shop 2.4.0 by the profile for production, with a limit of its own
  progressive.delivery.release:
    release_name: shop
    release_namespace: shop
    release_workload: Deployment/shop
    release_image: registry.example/shop:2.4.0
    release_prometheus: {service: "monitoring/prometheus:9090"}
    release_profile: production
    release_business_metric: avg(shop_paid_percent{namespace="{namespace}",pod=~"{canary_pods}"})
    release_looks: {threshold: 3}
    release_checks:
      - {name: configuration, http: {path: /configuration/valid}}
      - {name: load-test, job: {from_cronjob: shop-load, timeout_seconds: 10m}}

- name: Ship shop 2.4.0 as its Canary of Flagger says, without Flagger
  progressive.delivery.release:
    release_from: "{{ lookup('ansible.builtin.file', 'canary.yml') }}"
    release_image: registry.example/shop:2.4.0
    release_prometheus: {service: "monitoring/prometheus:9090"}

- name: Ship shop 2.4.0 with a configuration of its own, which goes back with it
  progressive.delivery.release:
    release_name: shop
    release_namespace: shop
    release_workload: Deployment/shop
    release_image: registry.example/shop:2.4.0
    release_config: {data: {shop-env: {CHECKOUT_LIMIT: "50"}}}
    release_prometheus: {service: "monitoring/prometheus:9090"}

- name: Let a fifth of the visitors use shop 2.4.0 until it is certain whether more of them buy
  progressive.delivery.release:
    release_name: shop
    release_namespace: shop
    release_workload: Deployment/shop
    release_image: registry.example/shop:2.4.0
    release_strategy: ab_test
    release_ab:
      cookie: shop-ab
      share: 20
      conversions: {metric: shop_orders_total, labels: {state: paid}}
      at_least: 2d
      at_most: 14d
    release_traffic: {provider: istio, service: shop}
    release_prometheus: {service: "monitoring/prometheus:9090"}

- name: Ship shop 2.4.0 at once, after the new version was asked, its tables were migrated and the change calendar agreed
  progressive.delivery.release:
    release_name: shop
    release_namespace: shop
    release_workload: Deployment/shop
    release_image: registry.example/shop:2.4.0
    release_strategy: blue_green
    release_checks:
      - {name: smoke, http: {path: "/basket?item=7", contains: basket, header: {x-version: "2.4.0"}}}
      - {name: migrate, job: {from_cronjob: shop-migrate, timeout_seconds: 15m}, point_of_no_return: true}
      - {name: still-sells, http: {path: "/basket?item=7"}, against: stable}
      - {name: calendar, webhook: {url: "https://changes.example/allow", headers: {Authorization: "Bearer {{ token }}"}}}
    release_prometheus: {service: "monitoring/prometheus:9090"}

- name: Ship shop 2.4.0 with the webhooks that a Canary of Flagger had
  progressive.delivery.release:
    release_name: shop
    release_namespace: shop
    release_workload: Deployment/shop
    release_image: registry.example/shop:2.4.0
    release_webhooks:
      - {type: confirm-rollout, name: start gate, url: "https://gates.example/gate/check", deadline: 8h, on_deadline: park}
      - {type: pre-rollout, name: acceptance, url: "https://tests.example/", timeout: 3m, metadata: {type: bash, cmd: "bats /tests/shop.bats"}}
      - {type: rollout, name: load, url: "https://tests.example/", metadata: {cmd: "hey -z 1m -q 10 -c 2 https://shop.example/"}}
      - {type: event, name: chat, url: "https://chat.example/hook", hmac: {secret: "{{ chat_secret }}"}}
    release_prometheus: {service: "monitoring/prometheus:9090"}

- name: Ship shop 2.4.0 where no Prometheus is, judged every second by what its pods count
  progressive.delivery.release:
    release_name: shop
    release_namespace: shop
    release_workload: Deployment/shop
    release_image: registry.example/shop:2.4.0
    release_metrics_source: pods
    release_pods: {family: http, port: metrics}
"""

RETURN = r"""
cause:
  description: Of a release that went back, why in a word, such as V(aborted), V(freeze) or V(api_server); empty otherwise.
  returned: when the release has run
  type: str
outcome:
  description:
    - How the release ended, one of V(promoted), V(passed) (a shadow or an experiment), V(rolled_back), V(aborted), V(parked), V(refused).
    - V(running) after O(release_stop_after), null in check mode.
  returned: always
  type: str
  sample: promoted
reason:
  description: Why, in one sentence with the numbers.
  returned: always
  type: str
weight_percent:
  description: The canary's share of the traffic now.
  returned: always
  type: int
release_name:
  description: The name of the release, also where O(release_from) gives it.
  returned: unless the release is refused
  type: str
release_id:
  description: What identifies this attempt.
  returned: success
  type: str
serves:
  description: The workload whose pods users get, as V(Deployment/name).
  returned: when there was something to release
  type: str
  sample: Deployment/shop-v2
image:
  description: The version's image reference.
  returned: unless the release is refused
  type: str
route:
  description: The object whose traffic would be steered; empty where none is.
  returned: in check mode, unless the release has begun
  type: str
seconds:
  description: How long the release takes at least by its plan, at today's traffic; null where nobody knows, for there is no traffic.
  returned: in check mode, unless the release has begun
  type: float
steps:
  description: The steps with their times; in check mode the plan.
  returned: success
  type: list
  elements: dict
costs:
  description:
    - What the release has cost. C(switch_ms) is how long it took to give all traffic to the new version, from the write of the route until it
      was read back; C(extra_pod_seconds) is the time of pods that would not have been there without the release (none for V(release_strategy=rolling)).
    - C(requests) and C(failed_requests) are those of both versions while the gates looked, as the first gate on errors counted them; null without one.
  returned: success
  type: dict
evidence:
  description:
    - The numbers behind the last verdict.
    - After V(release_strategy=ab_test) C(experiment) holds C(winner) (V(a), V(b) or V(none)), C(ratio) and C(difference) of B's conversion rate
      and A's, C(interval) of the ratio at C(confidence), C(no_difference_larger_than), C(evidence) and C(p_value), which hold however often
      they are read, C(requests) and C(conversions) by group, C(sample_ratio), C(seconds) and a C(sentence) that says it all.
  returned: success
  type: dict
problems:
  description: What is wrong with the arguments or the target, each with C(field), C(value) and C(allowed).
  returned: when the release is refused
  type: list
  elements: dict
next:
  description: Commands to look and to abort.
  returned: success
  type: dict
"""
