#!/usr/bin/python
# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: report
short_description: Write down what happened in a release, for people and for CI
version_added: 1.0.0
description:
  - Makes a page of HTML, a Markdown comment, JUnit XML and JSON lines of a release, however it ended, and of one that has not.
  - Everything is read from the releases' records, so that it can be made after the runner has died. With the JSON lines of C(release_log_dir)
    there is more in it - every look with its numbers, where the record keeps the last ones.
  - The page needs no scripts and nothing from elsewhere. It prints.
  - The files are in a folder named after the release's id. Each is written whole or not at all, and only where it would be another one.
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
  releases:
    description:
      - What M(progressive.delivery.release_info) returned in each target, by host. Of several releases the one of O(results), else the newest.
      - When neither this nor O(results) nor O(fleet) is given, the record of this host is read, of O(release_name) or the newest in
        O(release_namespace).
    type: dict
  results:
    description:
      - What M(progressive.delivery.release) returned in each target, by host. It tells of a release that was refused, which has no record.
      - A target that had nothing to do, because the version serves already, is left out.
    type: dict
  fleet:
    description:
      - What tells of a fleet - C(name), C(release_id), C(outcome), C(reason), C(started_at), C(ended_at), C(stopped) with C(by), C(reason) and
        C(at), and C(waves). Each wave has C(group), C(share_percent), C(bake_seconds), C(state), C(started_at), C(ended_at) and C(targets), and
        each of these C(target), C(state), C(outcome) and C(reason).
    type: dict
  formats:
    description: What is written.
    type: list
    elements: str
    choices: [html, markdown, junit, jsonl]
    default: [html, markdown, junit, jsonl]
  release_report_dir:
    description: The folder on the control node in which each release has its own.
    type: path
    default: releases
  release_log_dir:
    description: The folder with the releases' JSON lines. Defaults to O(release_report_dir).
    type: path
"""

EXAMPLES = r"""
- name: Write down how shop's last release went
  progressive.delivery.report:
    release_name: shop
    release_namespace: shop

- name: Read the records of all regions
  progressive.delivery.release_info:
    release_name: shop
    release_namespace: shop
  register: shop_status

- name: One report of all regions
  progressive.delivery.report:
    releases: "{{ dict(ansible_play_hosts | zip(ansible_play_hosts | map('extract', hostvars, 'shop_status'))) }}"
    release_report_dir: /srv/reports
  run_once: true
  register: shop_report

- name: Show it where AWX shows artifacts
  ansible.builtin.set_stats:
    data:
      release_report_paths: "{{ shop_report.paths }}"
    per_host: false
"""

RETURN = r"""
written:
  description: Whether there is a report. V(false) in check mode, and where no target has a release.
  returned: success
  type: bool
outcome:
  description: How the release ended, V(running) while it is unfinished. Of several targets the worst.
  returned: when there is a release
  type: str
  sample: rolled_back
said:
  description: What happened, in one sentence.
  returned: success
  type: str
  sample: shop 1.3.0 was rolled back in eu_west_1 at 10 % of the traffic.
folder:
  description: The release's folder.
  returned: when there is a release
  type: str
  sample: /srv/project/releases/shop-ab3aec
paths:
  description: The files, by format.
  returned: success
  type: dict
  sample: {html: /srv/project/releases/shop-ab3aec/report.html}
summary:
  description: The Markdown, for a comment or a message.
  returned: when there is a release
  type: str
troubles:
  description: What could not be read and is not in the report.
  returned: success
  type: list
  elements: str
"""
