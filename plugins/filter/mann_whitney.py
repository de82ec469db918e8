# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter mann_whitney; its documentation is in mann_whitney.yml."""

from __future__ import annotations

from typing import Any, Callable

from ansible.errors import AnsibleFilterError
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.kayenta_config import numbers
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.mann_whitney_options import Wrong, options_from
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.sample_finding import judge_samples


def mann_whitney(experiment: Any, control: Any, **options: Any) -> dict[str, Any]:
    """Compare one metric's samples of the canary with those of the baseline."""
    try:
        finding = judge_samples(numbers("experiment", experiment), numbers("control", control), options_from(options))
    except Wrong as wrong:
        raise AnsibleFilterError(f"progressive.delivery.mann_whitney: {wrong}") from wrong
    return {"verdict": finding.verdict, "critical": finding.critical, "reason": finding.reason, **finding.evidence}


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters of this file by name."""
        return {"mann_whitney": mann_whitney}
