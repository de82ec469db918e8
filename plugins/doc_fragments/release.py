# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation that the verbs share."""

from __future__ import annotations


class ModuleDocFragment:
    """Options and attributes of every verb."""

    DOCUMENTATION = r"""
requirements:
  - kubernetes >= 24.2.0
notes:
  - An option that is left out is read from the variable of the same name, so that a playbook need not repeat them.
  - Runs on the control node, in the worker itself; the connection of the host is not used.
  - The connection options to Kubernetes and their environment variables are those of C(kubernetes.core).
attributes:
  check_mode:
    description: Can run in check mode and say what it would change, without changing anything.
  diff_mode:
    description: Shows the objects as they would become.
  async:
    description: Supports being run in the background by the C(async) keyword.
options:
  release_name:
    description: Name of the release, at most 40 characters; one release of a name runs at a time in a namespace.
    type: str
  release_namespace:
    description: Namespace of the workload.
    type: str
"""
