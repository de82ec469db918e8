# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation that the verbs of a route share."""

from __future__ import annotations


class ModuleDocFragment:
    """Which route."""

    DOCUMENTATION = r"""
requirements:
  - kubernetes >= 24.2.0
notes:
  - Runs in Ansible's own process when the host's connection is local and the task asks for neither become, nor environment,
    nor async, nor another interpreter; else as a module on the host. Both give the same result.
  - The variables C(kubeconfig) and C(context) of the inventory are used when the task does not say. Paths are those of the host
    that the module runs on.
  - The connection options to Kubernetes and their environment variables are those of C(kubernetes.core).
attributes:
  check_mode:
    description: Can run in check mode and say what it would change, without changing anything.
  diff_mode:
    description: Shows the objects as they would become.
  async:
    description: Supports being run in the background by the C(async) keyword.
options:
  namespace:
    description: The namespace of the service and its route.
    type: str
    required: true
  service:
    description: The Service that clients use. Its pods are stable.
    type: str
    required: true
  provider:
    description:
      - The router. V(istio) steers a VirtualService, V(gateway_api) an HTTPRoute or GRPCRoute of C(gateway.networking.k8s.io),
        V(linkerd) an HTTPRoute of C(policy.linkerd.io), V(service) the selector of the Service, all or nothing, without a mesh.
      - For V(service) the canary Service must select what O(service) selects, but for one label, whose value ends with V(-canary).
    type: str
    choices: [istio, gateway_api, linkerd, service]
    default: istio
  virtual_service:
    description: The VirtualService. Not needed when exactly one http route leads to the service.
    type: str
  http_route:
    description: The HTTPRoute, for V(gateway_api) and V(linkerd). Not needed when exactly one rule leads to the service.
    type: str
  grpc_route:
    description: The GRPCRoute, for V(gateway_api). Not needed when no HTTPRoute leads to the service.
    type: str
  route:
    description: The name of the route (the rule) in it, when several lead to the service.
    type: str
  canary:
    description: The second Service. Defaults to O(service) and V(-canary).
    type: str
"""
