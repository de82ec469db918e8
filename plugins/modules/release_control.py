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
  - V(abort) asks the runner of the release to return traffic. When it does not begin within 5 seconds, its Lease is taken
    over and traffic is returned from here. Aborting twice is harmless.
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
    description: What to do.
    type: str
    choices: [abort]
    default: abort
  by:
    description: Who says so. Defaults to the user who runs Ansible.
    type: str
  release_reason:
    description: Why, for the record.
    type: str
"""

EXAMPLES = r"""
- name: Bring everybody back
  progressive.delivery.release_control:
    command: abort
    release_name: shop
    release_namespace: shop
    release_reason: checkout errors reported by support
"""

RETURN = r"""
outcome:
  description: How the release ended.
  returned: success
  type: str
  sample: aborted
reason:
  description: Why, in one sentence.
  returned: success
  type: str
"""
