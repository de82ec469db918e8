#!/usr/bin/python
# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: metric_gate
short_description: Judge a canary by its metrics until there is a verdict
version_added: 1.0.0
description:
  - Looks at gates over a canary and stable, again and again, until they decide, and returns the verdict as data. It needs no release
    around it. Who writes their own playbook moves traffic with M(progressive.delivery.traffic) and judges with this.
  - Gates, judges and sources of counters are those of M(progressive.delivery.release), and so is what they decide on.
  - With O(on_violation=restore) a verdict V(roll_back) sends all traffic home at once, before the task ends, by a JSON Patch that tests
    what it replaces and is read back. So does the end of whoever runs the task (a cancelled job, a signal, a timeout of the task).
  - A route that somebody else changes while it is judged ends the task with V(inconclusive), for the counts would be of two weights.
  - In check mode it reads once and tells the requests a minute and the time that each gate needs.
author:
  - progressive.delivery contributors (@progressive-delivery)
extends_documentation_fragment:
  - progressive.delivery.traffic
  - kubernetes.core.k8s_auth_options
attributes:
  check_mode:
    support: full
    details: Judges nothing, also where the route gives the canary nothing yet.
  diff_mode:
    support: none
  async:
    support: full
options:
  workload:
    description: Stable's workload, as V(Deployment/name). Not needed when O(service) selects the pods of one Deployment.
    type: str
  canary_workload:
    description: The canary's workload, as V(Deployment/name). Not needed when O(canary) selects the pods of one Deployment.
    type: str
  weight:
    description:
      - The canary's share in percent, 1 to 100, where something else than the route of O(provider) splits the traffic. No route is read then.
      - Left out, the route says it. While it gives the canary only chosen requests (a match), or all, gates judge by their limits alone,
        for there is nobody to compare with.
    type: int
  next_weight:
    description:
      - Where V(advance) leads. Below V(50) a proportionally weaker certainty is enough, as in a release, because less is at stake.
      - Left out, the full one is asked for.
    type: int
  gates:
    description: What must hold, at least one gate, in the words of O(progressive.delivery.release#module:release_gates).
    type: list
    elements: dict
    required: true
  looks:
    description: How gates of the judge V(threshold) are looked at, as O(progressive.delivery.release#module:release_looks).
    type: dict
  slo:
    description:
      - The objective that gates on C(burn_rate) are about, as O(progressive.delivery.release#module:release_slo), with a gate on C(error_rate)
        beside them. It limits nothing else here.
    type: dict
  prometheus:
    description: Where Prometheus is, exactly one of the first two. Not needed with O(metrics_source=pods), unless a gate has a C(query).
    type: dict
    suboptions:
      url:
        description: Its URL.
        type: str
      service:
        description: Its Service as V(namespace/name:port), reached through the API server.
        type: str
      path:
        description: What comes before C(/api/v1), such as V(/prometheus) with Mimir.
        type: str
      headers:
        description: Headers of every question, such as V(X-Scope-OrgID), which names a tenant.
        type: dict
      timeout_seconds:
        description: How long an answer may take; V(5) when it is left out.
        type: str
      token:
        description: Bearer token; with O(prometheus.url) alone, as all that follows.
        type: str
      username:
        description: For basic authentication.
        type: str
      password:
        description: For basic authentication.
        type: str
      ca_cert:
        description: File of certificates that vouch for its certificate.
        type: str
      client_cert:
        description: File with the client's certificate.
        type: str
      client_key:
        description: File with the client's key, when it is not in the same file.
        type: str
      validate_certs:
        description: Whether its certificate is verified; V(true) when it is left out.
        type: bool
  metrics_source:
    description: Who counts the requests, as O(progressive.delivery.release#module:release_metrics_source).
    type: raw
    default: auto
  pods:
    description: Where pods are read, for O(metrics_source=pods), as O(progressive.delivery.release#module:release_pods).
    type: dict
  interval_seconds:
    description: Time between two readings of the counters, 0.5 to 60 seconds. Whether to stop is asked every second.
    type: str
    default: "1"
  min_seconds:
    description: Least time at this weight before V(advance), in seconds or with a unit such as V(5m).
    type: str
    default: "0"
  max_hold_seconds:
    description: Longest time without a decision, beyond O(min_seconds); then the verdict is V(inconclusive).
    type: str
    default: "1800"
  no_data_seconds:
    description: Longest time without usable data; then the verdict is V(inconclusive). No data is never V(advance).
    type: str
    default: "120"
  timeout_seconds:
    description:
      - Hand back after this time, with V(hold) when nothing was decided; RV(evidence_state) lets a later task go on.
      - Left out, the task lasts until the gates have decided.
    type: str
  fix_forward:
    description: The canary is the cure of an incident that burns in stable; judge by the comparison alone.
    type: bool
    default: false
  on_violation:
    description:
      - What happens to traffic when the verdict is V(roll_back), or when whoever runs the task is gone. V(report) leaves it to you.
      - V(restore) sends all traffic home, matched requests and mirrors with it, and retries for 15 minutes while the API server does not answer.
    type: str
    choices: [report, restore]
    default: report
  fail_on:
    description: Verdicts that fail the task, with the same result. Without it only bad input does, and a route that cannot be restored.
    type: list
    elements: str
    choices: [roll_back, inconclusive, hold]
    default: []
  evidence_state:
    description:
      - RV(evidence_state) of an earlier task about the same versions and gates; its evidence goes on. Another weight begins a new step, as in a release.
      - The time between the two tasks counts neither as watched nor as lost.
    type: dict
seealso:
  - module: progressive.delivery.traffic
  - module: progressive.delivery.release
"""

EXAMPLES = r"""
- name: Give the canary 10 % of the traffic
  progressive.delivery.traffic:
    namespace: shop
    service: shop
    weight: 10

- name: Judge it; a bad version loses its traffic before the task ends
  progressive.delivery.metric_gate:
    namespace: shop
    service: shop
    next_weight: 25
    gates:
      - {name: errors, error_rate: {max: 0.5%}}
      - {name: slow, latency: {slower_than: 500ms, max: 1%}}
    prometheus: {service: "monitoring/prometheus:9090"}
    min_seconds: 60
    on_violation: restore
  register: at_ten

- name: Go on with the same evidence at 25 %
  progressive.delivery.traffic:
    namespace: shop
    service: shop
    weight: 25
  when: at_ten.verdict == 'advance'

- name: Judge a canary behind a proxy that this collection does not steer for half a minute, by what its pods count
  progressive.delivery.metric_gate:
    namespace: shop
    service: shop
    canary_workload: Deployment/shop-next
    weight: 20
    gates: &gates
      - {name: errors, error_rate: {max: 0.5%}}
    metrics_source: pods
    pods: {family: http}
    timeout_seconds: 30
    fail_on: [roll_back, inconclusive]
  register: first

- name: Buy something
  ansible.builtin.uri:
    url: https://shop.example.com/basket?item=7

- name: Go on until the gates have decided
  progressive.delivery.metric_gate:
    namespace: shop
    service: shop
    canary_workload: Deployment/shop-next
    weight: 20
    gates: *gates
    metrics_source: pods
    pods: {family: http}
    evidence_state: "{{ first.evidence_state }}"
    fail_on: [roll_back, inconclusive]
"""

RETURN = r"""
verdict:
  description:
    - V(advance), the canary is certain to be within its limits; V(roll_back), it is certain to be worse; V(inconclusive), nobody can tell within
      O(max_hold_seconds) or O(no_data_seconds), or somebody said stop; V(hold), not decided within O(timeout_seconds).
    - Null in check mode.
  returned: success
  type: str
  sample: advance
cause:
  description:
    - The reason as a machine word, such as V(certified), V(evidence_of_harm), V(no_data), V(bad_query), V(max_hold), V(route_changed),
      V(runner_stopped).
  returned: when it was judged
  type: str
reason:
  description: Why, in one sentence with the numbers.
  returned: success
  type: str
  sample: "errors 31/62 vs 0/540: at least 44.9x stable's with 99.2 % certainty"
evidence:
  description: The numbers themselves, as in a release.
  returned: when it was judged
  type: dict
looks:
  description: How many looks the verdict rests on, those of O(evidence_state) among them.
  returned: when it was judged
  type: int
seconds:
  description: How long this task has looked.
  returned: when it was judged
  type: float
weight_percent:
  description: The canary's share now. Of a mirror, the share that is copied; 0 while it only gets chosen requests.
  returned: success
  type: float
restored:
  description: Whether this task has sent all traffic home.
  returned: when it was judged
  type: bool
next:
  description: What to do now, with the command where there is one.
  returned: when it was judged
  type: str
retry_after:
  description: After how many seconds the gates may have decided, at today's traffic. Null when they have.
  returned: when it was judged
  type: float
evidence_state:
  description: The evidence, for O(evidence_state) of a later task.
  returned: when it was judged
  type: dict
gates:
  description: What each gate needs.
  returned: in check mode
  type: list
  elements: dict
  contains:
    name:
      description: The gate's name.
      type: str
      returned: always
    judge:
      description: Who judges it.
      type: str
      returned: always
    stable_per_minute:
      description: Stable's requests a minute lately. Null where nobody counts them.
      type: float
      returned: always
    canary_per_minute:
      description: The canary's, as the weights let one expect.
      type: float
      returned: always
    requests:
      description: Requests of the canary that let it advance when it is as good as stable. Null where that cannot be told.
      type: int
      returned: always
    seconds:
      description: How long that takes at least, at this weight.
      type: float
      returned: always
    chances:
      description: >-
        How probably a version with 2, 5 and 10 times as many bad requests as stable is found within C(seconds), by comparing the two
        (from 0 to 1). Null where nothing is compared.
      type: dict
      returned: always
    says:
      description: The same in words.
      type: str
      returned: always
problems:
  description: What is wrong, each with C(field), C(value) and C(allowed).
  returned: when the task is refused
  type: list
  elements: dict
"""

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC
from ansible_collections.progressive.delivery.plugins.module_utils.engine import gate_task, metric_gate
from ansible_collections.progressive.delivery.plugins.module_utils.release.context import Process
from ansible_collections.progressive.delivery.plugins.module_utils.release.stop_signs import StopSigns
from ansible_collections.progressive.delivery.plugins.module_utils.traffic import declare


def main() -> None:
    """Where the connection is not local: the action runs the same function in its own process otherwise."""
    module = AnsibleModule(argument_spec={**AUTH_ARG_SPEC, **declare.WHICH, **gate_task.OPTIONS}, supports_check_mode=True)
    process = Process(clock=time.time, sleep=time.sleep, why_stop=StopSigns().why)
    runner = metric_gate.Runner(lambda line: None, "localhost", process)
    result = metric_gate.metric_gate(module.params, runner, check_mode=module.check_mode)
    (module.fail_json if result.get("failed") else module.exit_json)(**result)


if __name__ == "__main__":
    main()
