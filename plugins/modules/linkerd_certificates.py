#!/usr/bin/python
# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: linkerd_certificates
short_description: Make and check the certificates of a Linkerd mesh
version_added: 1.0.0
description:
  - Reads a trust anchor and an issuer certificate, or makes them in a folder of the controller where they are missing, and says what would
    keep Linkerd from giving identities with them.
  - Refuses keys other than ECDSA P-256, certificates that may not sign, an issuer of no trust anchor, of another key or for another name,
    and what has ended. Warns of what ends soon.
  - Compares the trust anchors with those that a cluster's proxies know already, and refuses a change that would cut them off, with the way to do it.
  - A private key is never in the result.
  - Runs on the controller, whatever the connection, with the Python library that ansible-core itself requires (C(cryptography)).
author:
  - progressive.delivery contributors (@progressive-delivery)
attributes:
  check_mode:
    support: full
    description: Makes in memory what is missing, so that what follows can be checked, and writes nothing.
  diff_mode:
    support: none
    description: Shows no difference, since a key would be part of it.
  async:
    support: none
    description: Runs in the worker's process and takes milliseconds.
options:
  folder:
    description:
      - Folder on the controller with C(ca.crt), C(ca.key), C(issuer.crt) and C(issuer.key). Created with what is missing.
      - C(ca.crt) may hold several trust anchors. C(ca.key) is the key of one of them, which signs; it is needed only when an issuer is made.
    type: path
  anchors_pem:
    description: One trust anchor or several, instead of O(folder).
    type: str
  certificate_pem:
    description: The issuer certificate, with intermediates after it where there are some.
    type: str
  key_pem:
    description: The issuer's private key. Without it the certificate is not compared with one.
    type: str
  issuer_name:
    description: The DNS name that identity demands of its issuer, C(identity.<namespace>.<trust domain>).
    type: str
    required: true
  anchor_name:
    description: Common name of a trust anchor that is made.
    type: str
    default: root.linkerd.cluster.local
  anchor_days:
    description: Days that a trust anchor lasts which is made.
    type: int
    default: 3650
  issuer_days:
    description: Days that an issuer lasts which is made; never longer than its trust anchor.
    type: int
    default: 365
  renew_days:
    description: An issuer in O(folder) with less days left is made anew.
    type: int
    default: 90
  warning_days:
    description: Less days left are warned of.
    type: int
    default: 60
  present_anchors_pem:
    description: The trust anchors that the cluster's proxies know. Empty when there is no mesh.
    type: str
    default: ""
  replace_anchors:
    description: Whether trust anchors of the cluster may go, or be ignored.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Certificates of the mesh, made by the first run
  progressive.delivery.linkerd_certificates:
    folder: /srv/mesh/production
    issuer_name: identity.linkerd.cluster.local
  register: certificates

- name: When they end
  ansible.builtin.debug:
    msg: "{{ certificates.issuer.not_after }}, {{ certificates.anchors | map(attribute='not_after') | join(', ') }}"
"""

RETURN = r"""
anchors_pem:
  description: The trust anchors.
  returned: success
  type: str
certificate_pem:
  description: The issuer certificate.
  returned: success
  type: str
anchors:
  description: Each trust anchor's C(subject), C(sha256), C(not_after) and C(days_left).
  returned: success
  type: list
  elements: dict
issuer:
  description: The same of the issuer certificate.
  returned: success
  type: dict
made:
  description: What was made, or would be in check mode, C(trust anchor) and C(issuer).
  returned: success
  type: list
  elements: str
problems:
  description: What is wrong, one sentence each.
  returned: failure
  type: list
  elements: str
"""
