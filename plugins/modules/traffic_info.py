#!/usr/bin/python
# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: traffic_info
short_description: Read who of a service's clients gets the canary
version_added: 1.0.0
description:
  - Reads the route of one service, whether a release holds it, and whether it is served. Changes nothing.
  - A route that cannot be told, because there is none or several are, is no failure. Then RV(route) is null, RV(problems) says why and
    RV(candidates) lists what there is.
author:
  - progressive.delivery contributors (@progressive-delivery)
extends_documentation_fragment:
  - progressive.delivery.traffic
  - kubernetes.core.k8s_auth_options
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  async:
    support: full
seealso:
  - module: progressive.delivery.traffic
"""

EXAMPLES = r"""
- name: Who gets the canary?
  progressive.delivery.traffic_info:
    namespace: shop
    service: shop
  register: shop_traffic

- name: Wait until no release holds the route and everybody is home
  progressive.delivery.traffic_info:
    namespace: shop
    service: shop
  register: shop_traffic
  until: shop_traffic.fence is none and shop_traffic.route.weight_percent == 0
  retries: 60
  delay: 5
"""

RETURN = r"""
route:
  description: The traffic state that stands. Null when the route cannot be told.
  returned: success
  type: dict
  contains:
    weight_percent:
      description: The canary's share of the traffic. Null for weights that are no whole percent.
      type: int
      returned: always
    matches:
      description: The requests that get the canary, in the words of the option C(match) of M(progressive.delivery.traffic) with headers and query.
      type: list
      elements: dict
      returned: always
    mirror_percent:
      description: The percentage of the requests that is copied to the canary. Null when several mirrors lead to it.
      type: int
      returned: always
object:
  description: The object that holds the route, its C(kind) and C(name). Null when the route cannot be told.
  returned: success
  type: dict
  sample: {kind: VirtualService, name: shop}
fence:
  description: The release that holds the route. Null when none does.
  returned: success
  type: str
  sample: shop-a1b2c3
unserved:
  description: Why a parent of the route (a Gateway or a Service) does not serve it as it is stored. Null when all do, or do not tell.
  returned: success
  type: str
candidates:
  description: The C(kind), C(name) and C(route) (the rule's name) of the route; when it cannot be told, of all that lead to the service.
  returned: success
  type: list
  elements: dict
problems:
  description: Why the route cannot be told, each with C(field), C(value) and C(allowed).
  returned: always
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC
from ansible_collections.progressive.delivery.plugins.module_utils.traffic import declare


def main() -> None:
    """Where the connection is not local: the action runs the same function in its own process otherwise."""
    module = AnsibleModule(argument_spec={**AUTH_ARG_SPEC, **declare.WHICH}, supports_check_mode=True)
    result = declare.traffic_info(module.params)
    (module.fail_json if result.get("failed") else module.exit_json)(**result)


if __name__ == "__main__":
    main()
