# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter kayenta_judge; its documentation is in kayenta_judge.yml."""

from __future__ import annotations

from typing import Any, Callable

from ansible.errors import AnsibleFilterError
from ansible_collections.progressive.delivery.plugins.module_utils.analysis import kayenta
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.kayenta_config import scale_from
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.mann_whitney_options import Wrong


def kayenta_judge(config: Any, metrics: Any, **arguments: Any) -> dict[str, Any]:
    """Judge the samples of several metrics by a canary configuration of Kayenta's."""
    try:
        return kayenta.kayenta_judge(config, metrics, scale_from(arguments))
    except Wrong as wrong:
        raise AnsibleFilterError(f"progressive.delivery.kayenta_judge: {wrong}") from wrong


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters of this file by name."""
        return {"kayenta_judge": kayenta_judge}
