#!/usr/bin/python
# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: doctor
short_description: Find what would go wrong with a release, before there is one
version_added: 1.0.0
description:
  - Looks at the target of a release and says what would keep the release from starting, cost users requests while it runs, or make its
    gates wait for nothing. Each finding has its fix.
  - Finds what M(progressive.delivery.release) would refuse, and selectors that would catch the canary, policies that would miss it, missing
    rights, GitOps controllers that would revert, probes, grace periods, rollouts and disruption budgets that drop requests, clients that
    bypass the mesh, gates without data and autoscalers at their limit.
  - Prints each finding and its fix, changes nothing, and fails only when the cluster cannot be reached.
author:
  - progressive.delivery contributors (@progressive-delivery)
extends_documentation_fragment:
  - progressive.delivery.release
  - kubernetes.core.k8s_auth_options
notes:
  - Every option of M(progressive.delivery.release) may be given here, too, or be a variable of its name. C(release_name) and
    C(release_image) may be left out.
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  async:
    support: none
options:
  release_workload:
    description: The workload, as V(Deployment/name); with V(release_strategy=rolling) also V(StatefulSet/name) and V(DaemonSet/name).
    type: str
"""

EXAMPLES = r"""
- name: Is shop fit for a release?
  progressive.delivery.doctor:
    release_namespace: shop
    release_workload: Deployment/shop
    release_traffic: {provider: istio, service: shop}
    release_prometheus: {service: "monitoring/prometheus:9090"}
  register: doctor

- name: Go no further where it is not
  ansible.builtin.assert:
    that: doctor.healthy
"""

RETURN = r"""
healthy:
  description: Whether there is no finding of severity V(error).
  returned: success
  type: bool
findings:
  description: What would go wrong, errors first; empty when nothing would.
  returned: success
  type: list
  elements: dict
  contains:
    check:
      description:
        - The rule, one of V(preflight), V(rights), V(canary_caught), V(policy_misses_canary), V(gitops), V(readiness_probe), V(pre_stop),
          V(grace_period), V(rolling_update), V(single_replica), V(disruption_budget), V(mesh_bypass), V(autoscaler), V(gate_without_data),
          V(error_budget), V(alerts), V(alertmanager).
      type: str
      returned: always
    severity:
      description: V(error) when a release would be refused or lose requests, else V(warning).
      type: str
      returned: always
    object:
      description: What it is about, as kind and name, or the option.
      type: str
      returned: always
    problem:
      description: What is wrong, in one sentence.
      type: str
      returned: always
    fix:
      description: A command or YAML that mends it.
      type: str
      returned: always
"""
