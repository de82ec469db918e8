# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificates of a mesh: a trust anchor that proxies believe in, and the issuer that signs their identities in its name.

Made and read with the library that ansible-core itself needs for its vault, so that a controller has it. No file and no clock.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any

try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    WHY_NOT = ""
except ImportError as error:  # pragma: no cover (an ansible-core without its own requirement)
    x509 = None  # type: ignore[assignment]
    WHY_NOT = f"the Python library cryptography, which ansible-core requires, cannot be imported on the controller: {error}"

CLOCK_SKEW = datetime.timedelta(minutes=5)  # a certificate made now counts on a cluster whose clock is behind by this


class CertificateError(Exception):
    """What is wrong with certificates, one sentence each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(" ".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Pair:
    """A certificate and its private key, as PEM text."""

    certificate: str
    key: str


@dataclass(frozen=True)
class Chain:
    """What a mesh is told: its trust anchors, its issuer certificate (intermediates may follow it), and the issuer's key where it is known."""

    anchors: list[x509.Certificate]
    issuer: list[x509.Certificate]
    key: str | None = None


def make_anchor(name: str, days: int, now: datetime.datetime) -> Pair:
    """A self-signed certificate authority with a P-256 key, valid for that many days."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = named(name)
    built = (
        authority(subject, key, now, now + datetime.timedelta(days=days))
        .issuer_name(subject)
        .add_extension(constraints(None), critical=True)
    )
    return pair(built.sign(key, hashes.SHA256()), key)


def make_issuer(anchor: Pair, name: str, days: int, now: datetime.datetime) -> Pair:
    """A certificate authority signed by the anchor. Its DNS name is what Linkerd's identity demands; it never outlives the anchor."""
    signer = x509.load_pem_x509_certificate(anchor.certificate.encode())
    key = ec.generate_private_key(ec.SECP256R1())
    end = min(now + datetime.timedelta(days=days), ends(signer))
    built = authority(named(name), key, now, end).issuer_name(signer.subject).add_extension(constraints(0), critical=True)
    built = built.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    built = built.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public_key(signer)), critical=False)
    return pair(built.sign(private_key(anchor.key, "trust anchor's key"), hashes.SHA256()), key)


def authority(
    subject: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime.datetime, end: datetime.datetime
) -> x509.CertificateBuilder:
    """What anchor and issuer have in common."""
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)  # sign certificates and revocation lists
    builder = x509.CertificateBuilder().subject_name(subject).public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - CLOCK_SKEW).not_valid_after(end)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    return builder.add_extension(usage, critical=True)


def named(name: str) -> x509.Name:
    """A subject of one common name."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def constraints(path_length: int | None) -> x509.BasicConstraints:
    """That a certificate may sign others, and how many may follow."""
    return x509.BasicConstraints(ca=True, path_length=path_length)


def pair(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Pair:
    """Both as text; the key as openssl and Linkerd read it (SEC 1, not encrypted)."""
    text = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
    return Pair(pem([certificate]), text.decode())


def pem(certificates: list[x509.Certificate]) -> str:
    """Certificates as text, in their order."""
    return "".join(certificate.public_bytes(serialization.Encoding.PEM).decode() for certificate in certificates)


def certificates_of(text: str, what: str) -> list[x509.Certificate]:
    """Every certificate of a PEM text; raises CertificateError when there is none or one cannot be read."""
    begin = "-----BEGIN CERTIFICATE-----"
    try:
        found = [x509.load_pem_x509_certificate((begin + part).encode()) for part in text.split(begin)[1:]]
    except ValueError as error:
        raise CertificateError([f"{what} cannot be read: {error}."]) from error
    if not found:
        raise CertificateError([f"{what} holds no certificate: it must begin with {begin}."])
    return found


def private_key(text: str, what: str) -> ec.EllipticCurvePrivateKey:
    """A key that is not encrypted; raises CertificateError, which never quotes it."""
    try:
        key = serialization.load_pem_private_key(text.encode(), password=None)
    except (ValueError, TypeError) as error:
        raise CertificateError([f"the {what} cannot be read: it must be a private key in PEM that is not encrypted."]) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise CertificateError([f"the {what} is no ECDSA key; Linkerd takes ECDSA P-256 alone."])
    return key


def public_key(certificate: x509.Certificate) -> Any:
    """The key that a certificate speaks for."""
    return certificate.public_key()


def ends(certificate: x509.Certificate) -> datetime.datetime:
    """When it ends, in UTC; libraries before 42 tell it without the zone."""
    told = getattr(certificate, "not_valid_after_utc", None)
    return told or certificate.not_valid_after.replace(tzinfo=datetime.timezone.utc)


def begins(certificate: x509.Certificate) -> datetime.datetime:
    """When it begins, in UTC."""
    told = getattr(certificate, "not_valid_before_utc", None)
    return told or certificate.not_valid_before.replace(tzinfo=datetime.timezone.utc)


def days_left(certificate: x509.Certificate, now: datetime.datetime) -> int:
    """Whole days until it ends, below 0 afterwards."""
    return (ends(certificate) - now).days


def sha256(certificate: x509.Certificate) -> str:
    """The fingerprint by which people and this module tell certificates apart."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def told(certificate: x509.Certificate, now: datetime.datetime) -> dict[str, Any]:
    """What a task tells of a certificate; nothing of it is secret."""
    return {
        "subject": certificate.subject.rfc4514_string(),
        "sha256": sha256(certificate),
        "not_after": ends(certificate).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "days_left": days_left(certificate, now),
    }


def is_of(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> bool:
    """Whether a key is the certificate's own."""
    public = public_key(certificate)
    return isinstance(public, ec.EllipticCurvePublicKey) and public.public_numbers() == key.public_key().public_numbers()


def is_signed_by(certificate: x509.Certificate, signer: x509.Certificate) -> bool:
    """Whether the signer's key made the certificate's signature."""
    key, algorithm = public_key(signer), certificate.signature_hash_algorithm
    if certificate.issuer != signer.subject or not isinstance(key, ec.EllipticCurvePublicKey) or algorithm is None:
        return False
    try:
        key.verify(certificate.signature, certificate.tbs_certificate_bytes, ec.ECDSA(algorithm))
    except InvalidSignature:
        return False
    return True


def anchor_of(chain: Chain) -> x509.Certificate | None:
    """The trust anchor that stands for the issuer, by way of intermediates where there are some; None when no anchor does."""
    current, ahead = chain.issuer[0], chain.issuer[1:]
    while True:
        for anchor in chain.anchors:
            if sha256(anchor) == sha256(current) or is_signed_by(current, anchor):
                return anchor
        signers = [candidate for candidate in ahead if is_signed_by(current, candidate)]
        if not signers:
            return None
        current, ahead = signers[0], [candidate for candidate in ahead if candidate is not signers[0]]
