#!/usr/bin/python
# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: replay
short_description: Say what a release's gates would have decided on past traffic
version_added: 1.0.0
description:
  - Reads the past hours of stable's counters from Prometheus and gives them to the gates as if a part of stable were a canary. That part
    runs the same version, so each time the gates return it is a false rollback; how often that happens is told, with when and on what.
  - Then the same with a canary that errs more, for each of O(replay_ratios) - how often it is caught, after how long and how many errors.
  - Each pod in turn plays the canary against the others where the source counts by pod. Where it does not (a gateway's counters), a share of the
    requests is drawn at random; errors that come in clusters are then spread more evenly than they are, so the real rate may be higher.
  - The same data always give the same answer. Changes nothing.
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
    description: The workload, as V(Deployment/name).
    type: str
  replay_hours:
    description: How many hours back to look, 1 to 744.
    type: int
    default: 6
  replay_window_seconds:
    description: How long one trial may last, in seconds or as V(10m). One that ends undecided counts as undecided.
    type: str
    default: "600"
  replay_step_seconds:
    description: Seconds between two looks; not less than Prometheus' scrape interval.
    type: str
    default: "15"
  replay_share_percent:
    description: The canary's share where requests are drawn at random.
    type: int
    default: 10
  replay_ratios:
    description:
      - How many times as often as stable a canary errs that the gates should catch. Where stable errs less than a tenth of a gate's limit,
        that tenth is taken in its place.
    type: list
    elements: int
    default: [2, 5, 10]
"""

EXAMPLES = r"""
- name: What would our gates have cost us yesterday?
  progressive.delivery.replay:
    release_namespace: shop
    release_workload: Deployment/shop
    release_traffic: {provider: istio, service: shop}
    release_prometheus: {service: "monitoring/prometheus:9090"}
    release_gates:
      - {name: errors, error_rate: {max: 0.5%}}
    replay_hours: 24
  register: past

- name: Go no further with gates that cry wolf
  ansible.builtin.assert:
    that: past.rolled_back_percent < 2
"""

RETURN = r"""
trials:
  description: How many trials the past was long enough for.
  returned: success
  type: int
rolled_back:
  description: How many of them returned a version that was no worse.
  returned: success
  type: int
rolled_back_percent:
  description: The same as a percentage of the trials; RV(rolled_back_percent_interval) is its 95 % interval.
  returned: success
  type: float
rolled_back_percent_interval:
  description: Lower and upper end.
  returned: success
  type: list
  elements: float
advanced:
  description: How many would have let the version go on.
  returned: success
  type: int
seconds_to_advance:
  description: After how many seconds, the median; null when none did.
  returned: success
  type: float
undecided:
  description: How many were not decided within the window.
  returned: success
  type: int
shared_incidents:
  description: How many were stopped because stable itself was burning.
  returned: success
  type: int
rate_percent:
  description: Events by request of each gate over the whole time, in percent.
  returned: success
  type: dict
split:
  description: V(by_pod) or V(at_random).
  returned: success
  type: str
false_rollbacks:
  description: When each false rollback would have been, of which pod, on how many requests and events.
  returned: success
  type: list
  elements: dict
detection:
  description: The same figures for a canary that errs RV(detection[].ratio) times as often.
  returned: success
  type: list
  elements: dict
  contains:
    ratio:
      description: How many times as often.
      type: int
      returned: always
"""
