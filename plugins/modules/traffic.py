#!/usr/bin/python
# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: traffic
short_description: Declare who of a service's clients gets the canary
version_added: 1.0.0
description:
  - Brings the route of one service to the stated weight, matches and mirror. What is left out is none of it, so that a task
    without O(weight), O(match) and O(mirror) sends all traffic home.
  - Only destinations, mirrors and the rule for matched requests are written, by a JSON Patch that tests what it replaces. Other rules,
    retries, timeouts and filters stay as they are.
  - An existing split is read as one when its two destinations differ in nothing but the Service and the weight, stable's first. Anything
    else is refused.
  - A route that a running release holds is refused. To send traffic home, nothing is asked of the canary.
  - An original weight of an only destination is not restored. Istio and Gateway API send everything to an only destination with any weight above 0.
  - In routes of Gateway API whose rule has no name, an unnamed rule just before it is taken for the rule for matched requests when it leads to the
    canary only and is a narrowing of that rule. In Istio that rule is known by its name, that of the route and C(-canary).
author:
  - progressive.delivery contributors (@progressive-delivery)
extends_documentation_fragment:
  - progressive.delivery.traffic
  - kubernetes.core.k8s_auth_options
attributes:
  check_mode:
    support: full
    details: Asks the API server with C(dryRun=All).
  diff_mode:
    support: full
  async:
    support: full
options:
  weight:
    description:
      - The canary's share of the traffic in percent, a whole number from 0 to 100.
      - V(provider=service) knows V(0) and V(100) only.
    type: int
    default: 0
  match:
    description:
      - Requests that get the canary whatever the weight is.
      - A list of alternatives. All conditions of an item must hold. C(headers), C(cookies) and C(query) are dictionaries of a name and
        what its value must be, a string, or one of C(exact), C(prefix) and C(regex) (RE2, the whole value). C(user_agent) is a regular expression.
    type: list
    elements: dict
    default: []
  mirror:
    description:
      - The percentage of stable's requests that is copied to the canary, whose answers nobody sees. A whole number from 0 to 100.
      - V(provider=istio) and V(provider=gateway_api) only.
    type: int
    default: 0
seealso:
  - module: progressive.delivery.traffic_info
  - module: progressive.delivery.release
"""

EXAMPLES = r"""
- name: Give the canary 10 % of the traffic, and all of ours
  progressive.delivery.traffic:
    namespace: shop
    service: shop
    weight: 10
    match:
      - headers: {x-team: qa}
      - cookies: {canary: {regex: "yes|always"}}

- name: Send everybody home
  progressive.delivery.traffic:
    namespace: shop
    service: shop

- name: Copy 20 % of the requests to another Service by Gateway API
  progressive.delivery.traffic:
    namespace: shop
    service: shop
    provider: gateway_api
    http_route: shop
    canary: shop-next
    mirror: 20
"""

RETURN = r"""
route:
  description: The traffic state that stands now; in check mode, that would stand.
  returned: success
  type: dict
  contains:
    weight_percent:
      description: The canary's share of the traffic. Null for weights that are no whole percent.
      type: int
      returned: always
    matches:
      description: The requests that get the canary, in the words of O(match) with headers and query. Null for a rule that is none of ours any more.
      type: list
      elements: dict
      returned: always
    mirror_percent:
      description: The percentage of the requests that is copied to the canary. Null when several mirrors lead to it.
      type: int
      returned: always
before:
  description: The traffic state before, in the same words.
  returned: success
  type: dict
object:
  description: The object that holds the route, its C(kind) and C(name).
  returned: success
  type: dict
  sample: {kind: VirtualService, name: shop}
put_ms:
  description: Milliseconds from sending the change to reading back what the API server stored. Null when nothing was changed.
  returned: success
  type: float
problems:
  description: What is wrong, each with C(field), C(value) and C(allowed).
  returned: when the task is refused
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC
from ansible_collections.progressive.delivery.plugins.module_utils.traffic import declare


def main() -> None:
    """Where the connection is not local: the action runs the same function in its own process otherwise."""
    module = AnsibleModule(argument_spec={**AUTH_ARG_SPEC, **declare.WHICH, **declare.STATE}, supports_check_mode=True)
    result = declare.traffic(module.params, check_mode=module.check_mode, diff=module._diff)
    (module.fail_json if result.get("failed") else module.exit_json)(**result)


if __name__ == "__main__":
    main()
