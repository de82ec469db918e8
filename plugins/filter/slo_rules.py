# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter slo_rules; its documentation is in slo_rules.yml."""

from __future__ import annotations

from typing import Any, Callable

from ansible.errors import AnsibleFilterError
from ansible_collections.progressive.delivery.plugins.module_utils.metrics import slo_rules as rules


def slo_rules(objective: Any) -> dict[str, Any]:
    """The Prometheus rules of an objective."""
    try:
        return rules.slo_rules(objective)
    except rules.WrongRules as wrong:
        raise AnsibleFilterError(f"progressive.delivery.slo_rules: {wrong}") from wrong


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters of this file by name."""
        return {"slo_rules": slo_rules}
