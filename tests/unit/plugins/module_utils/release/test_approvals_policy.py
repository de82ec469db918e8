# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifest that a playbook applies is the policy that releases compare with."""

from pathlib import Path

import yaml
from ansible_collections.progressive.delivery.plugins.module_utils.release import approvals_policy

MANIFEST = Path(__file__).parents[5] / "playbooks" / "files" / "approvals-policy.manifest"


def test_the_manifest_and_the_code_say_the_same():
    assert list(yaml.safe_load_all(MANIFEST.read_text(encoding="utf-8"))) == [approvals_policy.policy(), approvals_policy.binding()]
