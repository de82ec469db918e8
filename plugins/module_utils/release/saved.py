# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A spec as a record keeps it, made a spec again. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..traffic.route import matches_from
from .ab_spec import ab_from
from .alerts_spec import alerts_from
from .calendar_spec import calendar_from
from .checks_spec import checks_from
from .config_spec import config_from
from .control_spec import control_from
from .gates_spec import LooksSpec, gate_from
from .guard_spec import guard_from
from .manifests import manifests_from
from .parts import PodsSpec, steps_from
from .prometheus_spec import access_from
from .share_spec import HOLD
from .slo_spec import slo_from
from .source_spec import own_from
from .spec import Spec
from .subsets_spec import subsets_from
from .swap_spec import swap_from
from .webhooks_spec import webhooks_from


def spec_from(saved: Mapping[str, Any]) -> Spec:
    """The spec of a record."""
    fields = {"workload_kind": "Deployment", **saved}
    fields["steps"] = steps_from(fields["steps"])
    fields["checks"] = checks_from(fields["checks"])
    fields["webhooks"] = webhooks_from(fields.get("webhooks"))
    fields["config"] = config_from(fields.get("config"))
    fields["manifests"] = manifests_from(fields.get("manifests"))
    fields["swap"] = swap_from(fields.get("swap"))
    fields["subsets"] = subsets_from(fields.get("subsets"))
    fields["ab"] = ab_from(fields.get("ab"))
    fields["guard"] = guard_from(fields.get("guard"))
    fields["control"] = control_from(fields["control"])
    fields["calendar"] = calendar_from(fields.get("calendar"))
    fields = {"max_extra_pods": None, "no_way_back": None, "promotion": "twin", **fields}  # what younger releases know
    fields["matches"] = matches_from(fields["matches"])
    fields["gates"] = tuple(gate_from(one) for one in fields["gates"])
    fields["looks"] = LooksSpec(**fields["looks"])
    fields["slo"] = slo_from(fields.get("slo"))
    fields["alerts"] = alerts_from(fields.get("alerts"))
    fields.setdefault("share_check", HOLD)  # of a record that an earlier version began
    fields["own_source"] = own_from(fields.get("own_source"))
    if fields["pods"] is not None:
        fields["pods"] = PodsSpec(**fields["pods"])
    fields["prometheus_access"] = access_from(fields["prometheus_access"])
    if fields["prometheus_service"] is not None:
        fields["prometheus_service"] = tuple(fields["prometheus_service"])
    return Spec(**fields, stop_after=None)
