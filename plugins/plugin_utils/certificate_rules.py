# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What keeps certificates from carrying a mesh, and what they may not change under the proxies that run. No file and no clock."""

from __future__ import annotations

import datetime

from ansible_collections.progressive.delivery.plugins.plugin_utils.certificates import (
    Chain,
    anchor_of,
    begins,
    days_left,
    ends,
    is_of,
    private_key,
    public_key,
    sha256,
    x509,
)

RENEW_ISSUER = (
    "In linkerd_certificates_folder this role makes a new one when less than linkerd_issuer_renew_days are left (with ca.key there); "
    "your own you renew in linkerd_issuer_certificate_pem and linkerd_issuer_key_pem, and what keeps the Secret renews it itself."
)
ROTATE = (
    "To change the trust anchor: 1. put the new one beside the old one (linkerd_trust_anchors_pem, or ca.crt in the folder) and run this role; "
    "2. restart every meshed workload, so that its proxy believes in both; 3. sign the issuer with the new one (in the folder: its key as ca.key, "
    "and without issuer.crt), run this role and restart once more; 4. take the old one out and run this role with "
    "linkerd_replace_trust_anchors=true."
)


def problems(chain: Chain, name: str, now: datetime.datetime) -> list[str]:
    """Why Linkerd could give no identity with these; empty when it can. name: the DNS name that it demands of its issuer."""
    found = [sentence for anchor in chain.anchors for sentence in kind_problems(anchor, "trust anchor")]
    issuer, signer = chain.issuer[0], anchor_of(chain)
    found += kind_problems(issuer, "issuer certificate")
    if name not in dns_names(issuer):
        found.append(
            f"The issuer certificate is for {', '.join(dns_names(issuer)) or 'no DNS name'}; identity demands the DNS name {name} "
            "(subjectAltName), made of linkerd_namespace and linkerd_identity_trust_domain."
        )
    if chain.key is not None and not is_of(issuer, private_key(chain.key, "issuer's key")):
        found.append("The issuer certificate is not of the issuer's key.")
    if signer is None:
        anchors = ", ".join(short(anchor) for anchor in chain.anchors)
        found.append(f"The issuer certificate is signed by {issuer.issuer.rfc4514_string()} and by none of the trust anchors: {anchors}.")
    for certificate, what, remedy in [(issuer, "issuer certificate", RENEW_ISSUER)] + (
        [(signer, "trust anchor", ROTATE)] if signer else []
    ):
        found += date_problems(certificate, what, remedy, now)
    return found


def kind_problems(certificate: x509.Certificate, what: str) -> list[str]:
    """Linkerd takes ECDSA P-256 alone, of certificates that may sign others."""
    found = []
    key = public_key(certificate)
    if getattr(getattr(key, "curve", None), "name", "") != "secp256r1":
        kind = getattr(getattr(key, "curve", None), "name", type(key).__name__)
        found.append(f"The {what} {short(certificate)} has a key of the kind {kind}; Linkerd takes ECDSA P-256 alone.")
    try:
        signs = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        signs = False
    if not signs:
        found.append(f"The {what} {short(certificate)} may sign no certificates (basicConstraints CA:TRUE is missing).")
    return found


def date_problems(certificate: x509.Certificate, what: str, remedy: str, now: datetime.datetime) -> list[str]:
    """A certificate counts only between its two dates."""
    if ends(certificate) <= now:
        return [f"The {what} {short(certificate)} ended at {ends(certificate):%Y-%m-%d %H:%M} UTC: proxies get no identity. {remedy}"]
    if begins(certificate) > now:
        return [f"The {what} {short(certificate)} counts only from {begins(certificate):%Y-%m-%d %H:%M} UTC."]
    return []


def warnings(chain: Chain, least_days: int, now: datetime.datetime) -> list[str]:
    """What ends soon, or has ended and only lies there: one sentence each."""
    found = []
    ageing = [(chain.issuer[0], "issuer certificate", RENEW_ISSUER)] + [(anchor, "trust anchor", ROTATE) for anchor in chain.anchors]
    for certificate, what, remedy in ageing:
        left = days_left(certificate, now)
        if left < least_days:
            how = f"ends in {left} days" if left >= 0 else "has ended"
            found.append(f"The {what} {short(certificate)} {how} ({ends(certificate):%Y-%m-%d %H:%M} UTC). {remedy}")
    return found


def rotation_problems(present: list[x509.Certificate], chain: Chain) -> list[str]:
    """What would cut off the proxies that run: they know the anchors of their start, and nothing tells them others before they are restarted."""
    if not present:
        return []
    trusted = {sha256(anchor) for anchor in present}
    gone = [anchor for anchor in present if sha256(anchor) not in {sha256(other) for other in chain.anchors}]
    signer = anchor_of(chain)
    found = [f"The cluster's proxies trust {short(anchor)}, and it is not among the trust anchors that were given." for anchor in gone]
    if signer is not None and sha256(signer) not in trusted:
        found.append(f"The issuer would be of the trust anchor {short(signer)}, which no proxy in the cluster knows yet.")
    return [*found, ROTATE] if found else []


def dns_names(certificate: x509.Certificate) -> list[str]:
    """The names a certificate is for; its common name counts no more."""
    try:
        names: list[str] = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(
            x509.DNSName
        )
    except x509.ExtensionNotFound:
        return []
    return names


def short(certificate: x509.Certificate) -> str:
    """A certificate in a sentence."""
    return f"{certificate.subject.rfc4514_string()} (SHA-256 {sha256(certificate)[:16]}…)"
