#!/usr/bin/python
# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release_info
short_description: Read where releases stand
version_added: 1.0.0
description:
  - Reads the records that releases keep in their namespace. Works while a release runs and after its runner has died.
author:
  - progressive.delivery contributors (@progressive-delivery)
extends_documentation_fragment:
  - progressive.delivery.release
  - kubernetes.core.k8s_auth_options
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  async:
    support: none
"""

EXAMPLES = r"""
- name: Where does shop stand?
  progressive.delivery.release_info:
    release_name: shop
    release_namespace: shop
  register: status
"""

RETURN = r"""
releases:
  description: One dictionary for each record, newest first; empty when there is none.
  returned: success
  type: list
  elements: dict
  contains:
    release_id:
      description: What identifies the attempt.
      type: str
      returned: always
    phase:
      description: One of running, returning, parked, ended.
      type: str
      returned: always
    outcome:
      description: How it ended, null while it runs.
      type: str
      returned: always
    weight_percent:
      description: The canary's share of the traffic.
      type: int
      returned: always
    strategy:
      description: How it was released, such as V(canary).
      type: str
      returned: always
    gates:
      description: The gates with their limits C(most) and C(least), null where there is none; shares of the requests when C(is_share), else in C(unit).
      type: list
      elements: dict
      returned: always
    costs:
      description: What the release has cost so far, as M(progressive.delivery.release) returns it.
      type: dict
      returned: always
    paused:
      description: By whom, why, since and until when, and what follows (C(then)); null when it is not paused.
      type: dict
      returned: always
    waiting:
      description: The step that waits for an approval, since and until when; null when none does.
      type: dict
      returned: always
    approvals:
      description:
        - Every approval of the plan, with its C(step), whom it asks (C(count), C(of), C(expires_seconds)), whether it is C(approved), how many are
          C(missing), the same in words (C(said)), who has C(given) one, whose words are C(ignored) and C(why), and who C(rejected) it.
        - Each word has C(by), C(reason), C(at), C(source) and C(verified). Those of other places than the command line are as the runner saw them last.
      type: list
      elements: dict
      returned: always
    started_by:
      description: The names of the one who started the release; the second one is that by which the API server knows the runner, where it was asked.
      type: list
      elements: str
      returned: always
    freeze_override:
      description: The C(freeze) that was overridden, C(until) when it lasts, C(by) whom and for what C(reason); null when none was.
      type: dict
      returned: always
    crossing:
      description: Of a release that is one target's of a fleet, who let its wave begin, when, and on what evidence; null where there is no fleet.
      type: dict
      returned: always
    parked:
      description: Since and until when a parked release may be taken up again; null when it is not parked.
      type: dict
      returned: always
    stuck:
      description: The step that makes no progress, for how long and why; null when it does.
      type: str
      returned: always
    commands:
      description: The commands that were obeyed or refused, the last 20, each with C(by), C(reason), C(at) and what it did (C(said)).
      type: list
      elements: dict
      returned: always
    commands_pending:
      description: Those that no runner has answered yet.
      type: list
      elements: dict
      returned: always
    next:
      description: The commands to type that make sense now, the likeliest first.
      type: list
      elements: str
      returned: always
    guard:
      description: What the guard in the cluster did with the traffic (C(did) is returned or left), at what time (C(at)) and C(why);
        null when it did nothing.
      type: dict
      returned: always
    engine:
      description: Who moves the traffic, where that is not this collection itself.
      type: str
      returned: where another engine does
    warnings:
      description: What keeps the other engine from going on, and what others have changed of its objects, in sentences.
      type: list
      elements: str
      returned: where another engine moves the traffic
    flagger:
      description: What the Canary says of itself; null where it cannot be read.
      type: dict
      returned: where Flagger moves the traffic
    rollout:
      description: What the Rollout says of itself; null where it cannot be read.
      type: dict
      returned: where Argo Rollouts moves the traffic
    webhooks:
      description: The last refusals of webhooks, each with C(said), C(at), C(last_at) and C(times).
      type: list
      elements: dict
      returned: always
"""
