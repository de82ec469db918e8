#!/usr/bin/python
# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: replay
short_description: Say what gates would have decided on past traffic, or recompute what they decided in a release
version_added: 1.0.0
description:
  - Reads the past hours of stable's counters from Prometheus and gives them to the gates as if a part of stable were a canary. That part
    runs the same version, so each time the gates return it is a false rollback; how often that happens is told, with when and on what.
  - Then the same with a canary that errs more, for each of O(replay_ratios) - how often it is caught, after how long and how many errors.
  - Each pod in turn plays the canary against the others where the source counts by pod. Where it does not (a gateway's counters), a share of the
    requests is drawn at random; errors that come in clusters are then spread more evenly than they are, so the real rate may be higher.
  - The same data always give the same answer. Changes nothing but the page in O(release_report_dir).
  - With O(release_log) or O(replay_record) no traffic of the past is read. What a release's gates were given at each look is given to them again, and
    each verdict is compared with the one that was made, to the last bit. Whatever comes out, the task succeeds; RV(differing) says how many differ.
  - Then C(release_gates) and C(release_looks) that are not the release's own are judged on the same looks, too.
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
  release_log:
    description:
      - The JSON lines of a release, I(release_id).jsonl in its C(release_log_dir), or a list of them when several control nodes ran it.
      - Neither a cluster nor Prometheus is asked. With O(release_name) and O(release_namespace) the log of another release is refused.
    type: raw
  replay_record:
    description:
      - Recompute the last looks of the release O(release_name) from its record in the cluster, ten to twenty of them as space allows.
      - With O(release_log) the log is recomputed, and must lead to the record's state.
    type: bool
    default: false
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
  release_report_dir:
    description:
      - A folder on the control node that gets C(replay-<target>.html), a page with a plot of what came of the trials on past traffic. It is made.
      - Not given, or in check mode, nothing is written.
    type: path
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

- name: Recompute what a release decided
  progressive.delivery.replay:
    release_log: "logs/{{ release_result.release_id }}.jsonl"
  register: again

- name: Its verdicts can be trusted
  ansible.builtin.assert:
    that: again.differing == 0

- name: Would a stricter gate have returned it, and when?
  progressive.delivery.replay:
    release_log: logs/shop-d52c83.jsonl
    release_gates:
      - {name: errors, error_rate: {max: 0.1%}}
"""

RETURN = r"""
recomputed:
  description: How many looks were judged again.
  returned: with O(release_log) or O(replay_record)
  type: int
differing:
  description: How many of them came out otherwise.
  returned: with O(release_log) or O(replay_record)
  type: int
differs:
  description: In what, at most 50 of them.
  returned: with O(release_log) or O(replay_record)
  type: list
  elements: dict
  contains:
    look: {description: The number of the look., type: int, returned: always}
    gate: {description: The gate that the number is of; empty when it is of all., type: str, returned: always}
    what: {description: Which part of the verdict., type: str, returned: always}
    logged: {description: What was written down., type: raw, returned: always}
    recomputed: {description: What came out., type: raw, returned: always}
    logged_by: {description: The version of the collection that wrote it., type: str, returned: always}
    recomputed_by: {description: This version of the collection., type: str, returned: always}
verdicts:
  description: Each look's number, time (C(at)), weight, decision, cause and sentence.
  returned: with O(release_log) or O(replay_record)
  type: list
  elements: dict
final:
  description: The last verdict with all its numbers.
  returned: with O(release_log) or O(replay_record)
  type: dict
what_if:
  description:
    - The verdict of other gates on the same looks. Its decision, cause, sentence, look, time and seconds since the first step; C(advanced) says
      for each step after how many seconds they would have let it go on, C(verdicts) what they would have said at each look.
  returned: when C(release_gates) are not the release's own
  type: dict
cut_lines:
  description: How many lines a runner that died left cut short; they are left out.
  returned: with O(release_log) or O(replay_record)
  type: int
source:
  description: V(log), V(record), or the source of the counters of past traffic.
  returned: success
  type: str
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
page:
  description: The page.
  returned: with O(release_report_dir), on past traffic
  type: str
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
