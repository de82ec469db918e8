#!/usr/bin/python
# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release_control
short_description: Give a command to a release
version_added: 1.0.0
description:
  - Commands are left on the release's record and obeyed by its runner, wherever that is, within about a second. A runner that is dead or
    asleep obeys when it looks again, or the next one does. None is obeyed twice, and giving one twice changes nothing.
  - V(abort) wins over all others, at any time.
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
options:
  command:
    description:
      - What to do.
      - V(abort) returns traffic. When the runner has not begun to within 5 seconds, its Lease is taken over and traffic returned from here.
      - V(pause) holds the release where it is. Its gates look on, and evidence of harm returns traffic. When nobody ends it in time,
        O(then) decides. V(resume) ends it.
      - V(promote) skips what is left of the waits (C(bake), C(analyze), C(verify)) at the present weight, or of all with O(full).
      - V(approve) and V(reject) answer a step that waits for an approval, or a parked release. A rejection returns traffic like an abort,
        and the outcome is V(rolled_back).
      - V(retry) runs a release from its record in this task, again when it ended without success, on from where it is when nobody
        runs it any more.
      - V(rollback) releases an earlier version in this task, all at once, without checks, approvals and gates. Its pods are watched.
      - V(cleanup) removes what is left of a release, and its record. Refused while its canary has traffic or somebody runs it.
    type: str
    choices: [abort, pause, resume, promote, approve, reject, retry, rollback, cleanup]
    default: abort
  by:
    description: Who says so. Defaults to the user who runs Ansible.
    type: str
  release_reason:
    description: Why, for the record.
    type: str
  for_seconds:
    description: How long a V(pause) lasts, in seconds or with a unit. Defaults to the release's C(release_pause_seconds).
    type: str
  then:
    description: What happens when nobody ends a V(pause) in time. Defaults to the release's C(release_on_pause_end).
    type: str
    choices: [resume, park, roll_back]
  weight_percent:
    description: V(0) returns all traffic to stable during a V(pause). The canary gets its share again afterwards, and is judged there again.
    type: int
  full:
    description: V(promote) straight to 100 percent. Approvals that are asked for on the way are still waited for.
    type: bool
    default: false
  step:
    description:
      - The step that is meant. For V(approve) and V(reject) one such as V(approve-50). Defaults to the one that waits, and may be named before.
      - For V(promote) the weight whose waits are skipped, such as V(weight-50). When the release is elsewhere, nothing happens.
    type: str
  to:
    description: The image to which V(rollback) goes, or V(previous), which ran before the release. Defaults to V(previous).
    type: str
"""

EXAMPLES = r"""
- name: Bring everybody back
  progressive.delivery.release_control:
    command: abort
    release_name: shop
    release_namespace: shop
    release_reason: checkout errors reported by support

- name: Hold the weight for half an hour and go on then
  progressive.delivery.release_control:
    command: pause
    for_seconds: 30m
    then: resume
    release_name: shop
    release_namespace: shop
    release_reason: the database is being moved

- name: Let it rise to the next weight
  progressive.delivery.release_control:
    command: approve
    release_name: shop
    release_namespace: shop
    by: mia
    release_reason: the orders look right

- name: Go straight to 100 percent
  progressive.delivery.release_control:
    command: promote
    full: true
    release_name: shop
    release_namespace: shop
    release_reason: this is the fix

- name: Bring the previous version back after the release
  progressive.delivery.release_control:
    command: rollback
    release_name: shop
    release_namespace: shop
    release_reason: invoices are wrong
"""

RETURN = r"""
outcome:
  description: How the release ended, null while it runs. For V(retry) and V(rollback) as M(progressive.delivery.release) returns it.
  returned: success
  type: str
  sample: aborted
reason:
  description: Why, in one sentence.
  returned: success
  type: str
said:
  description: What the command did, or why it had nothing to do.
  returned: when it was not run in this task
  type: str
  sample: approve-50 is approved
acknowledged:
  description: Whether a runner has obeyed. V(false) when it did not answer within 5 seconds, or there is none; then the next one obeys.
  returned: for V(pause), V(resume), V(promote), V(approve) and V(reject)
  type: bool
next:
  description: The commands to type that make sense now, the likeliest first.
  returned: success
  type: list
  elements: str
"""
