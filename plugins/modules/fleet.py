#!/usr/bin/python
# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: fleet
short_description: Release a fleet of targets, wave after wave
version_added: 1.0.0
description:
  - A fleet is all targets of a play; a wave is a group of the inventory. Each target runs its own release, as M(progressive.delivery.release)
    does; this verb puts them in order, watches those that have the version, and brings them back.
  - The playbook C(progressive.delivery.release) uses it where C(release_waves) or C(release_train) is set; its commands stand there in their order.
  - A train, C(release_train), is a fleet of several services with an order, each host one of them in one region; its waves are the levels of
    that order.
  - The fleet's record is kept in the cluster of its home, which is the first target unless C(release_fleet_home) names another. A run that
    was killed is gone on with by the next one, from any machine, by that record and those of the targets.
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
      - What to do. Once for all targets (C(run_once)) are V(plan), V(begin), V(enter), V(rest), V(leave), V(turn) and V(end); the others are done in
        each target.
      - V(plan) reads and checks the variables, and prints the waves. V(admit) checks one target with nothing changed.
        V(begin) refuses when one of O(admissions) does, else begins, or goes on with the fleet that has not ended.
      - V(border) watches a target that has the version until the wave may begin, for as long as its hours, freezes and people are waited for.
        V(enter) begins a wave when those before it are done, its hours have begun, no freeze keeps it back and people have agreed, and notes who
        let it begin.
        V(release) runs the release in a target of the wave, and watches a target of a wave before it until all are done.
        V(rest) notes that they are. V(bake) watches for the wave's time. V(leave) ends the wave.
      - V(turn) tells who has to go back. V(return) brings one target back, verified. V(end) notes the ending.
      - V(status) tells the fleets whose records this target keeps. V(stop) sets the stop sign, so that everybody goes back; when nobody runs the
        fleet, this run takes it over. V(approve) and V(reject) answer a wave that waits for people. V(let_go) gives up a target that was
        changed and never answers again, so that the fleet can end.
    type: str
    choices: [plan, admit, begin, border, enter, release, rest, bake, leave, turn, return, end, status, stop, let_go, approve, reject]
    default: status
  wave:
    description: The group that is meant, for V(border), V(enter), V(release), V(rest), V(bake), V(leave), V(approve) and V(reject).
    type: str
  home:
    description: The host whose cluster keeps the fleet's record. Defaults to what C(release_fleet_home) and C(release_waves) say.
    type: str
  admissions:
    description: For V(begin), the results of V(admit) of all targets.
    type: list
    elements: dict
  freezes:
    description: For V(border) and V(enter), the freezes of the wave's targets, as V(begin) returns them with each of its RV(waves).
    type: list
    elements: dict
  lost:
    description: For V(let_go), the host that never answers again. O(release_reason) has to say why.
    type: str
  by:
    description: Who says so. Defaults to the user who runs Ansible.
    type: str
  release_reason:
    description: Why, for the record.
    type: str
"""

EXAMPLES = r"""
- name: Where do the fleets stand?
  progressive.delivery.fleet:
    command: status
    release_namespace: shop
  register: fleets

- name: Everybody goes back
  progressive.delivery.fleet:
    command: stop
    release_name: checkout
    release_namespace: shop
    release_reason: incident 4711
"""

RETURN = r"""
fleets:
  description: The fleets whose records this target's namespace keeps.
  returned: command is V(status)
  type: list
  elements: dict
  contains:
    name: {description: The fleet's name., type: str}
    release_id: {description: Name and six hexadecimal digits that no other attempt has., type: str}
    phase: {description: "V(running), V(returning) or V(ended).", type: str}
    outcome: {description: "V(promoted), V(rolled_back), V(aborted) or V(parked); none while it runs.", type: str}
    reason: {description: "Why, in a sentence.", type: str}
    started_at: {description: UTC., type: str}
    ended_at: {description: UTC., type: str}
    stopped: {description: "The stop sign: scope, by, reason, cause, at, target, wave and waves; none while the fleet goes on.", type: dict}
    approvals: {description: "Of each wave that people have agreed to: by, reason, at and given.", type: dict}
    started_by: {description: The names of the one who began the fleet., type: list, elements: str}
    holder:
      description: "Who holds the fleet's Lease: identity, since, renewed_at, is_dead (certainly, for it ran on this machine), and said, all of it in words."
      type: dict
    waves:
      description:
        - "Of each wave: group, share_percent, begin, bake_seconds, bake_hours, state, started_at, ended_at, waits_for (what it waits for, in words),
          crossing, and targets with target, service, state, outcome, reason and digest."
        - "crossing tells who let the wave begin: at, by, approved (by, reason, at, given), hours, freeze (waited for), and as evidence of each
          wave before it who serves the version, with which digests, and how long it was watched."
      type: list
      elements: dict
    history: {description: Earlier endings under this name., type: list, elements: dict}
waves:
  description: "For the playbook, each wave in its turn: group, waits (whether something may have to be waited for) and freezes."
  returned: command is V(begin)
  type: list
  elements: dict
fleet:
  description: The fleet as it has ended, in the words of RV(fleets).
  returned: command is V(end)
  type: dict
state:
  description: "Where the target is: V(waiting), V(running), V(promoted), V(returned), V(unreachable), V(skipped) or V(let_go)."
  returned: for the commands of one target
  type: str
outcome:
  description: How the release of the target, or the fleet, has ended.
  returned: always
  type: str
reason:
  description: Why, in a sentence.
  returned: always
  type: str
"""
