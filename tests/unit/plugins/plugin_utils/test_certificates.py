# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What certificates carry a mesh, and which change of them would cut proxies off."""

from __future__ import annotations

import datetime
import shutil
import subprocess
from pathlib import Path

import pytest
from ansible_collections.progressive.delivery.plugins.plugin_utils import certificate_rules
from ansible_collections.progressive.delivery.plugins.plugin_utils.certificates import (
    CertificateError,
    Chain,
    Pair,
    certificates_of,
    constraints,
    days_left,
    ends,
    make_anchor,
    make_issuer,
    named,
    pair,
    private_key,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

NOW = datetime.datetime(2026, 11, 21, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
NAME = "identity.linkerd.cluster.local"
ANCHOR = make_anchor("root.linkerd.cluster.local", 3650, NOW)
OTHER = make_anchor("root.linkerd.cluster.local", 3650, NOW)
ISSUER = make_issuer(ANCHOR, NAME, 365, NOW)


def chain(anchors: str, issuer: Pair, with_key: bool = True) -> Chain:
    """The chain of PEM texts."""
    return Chain(certificates_of(anchors, "anchor"), certificates_of(issuer.certificate, "issuer"), issuer.key if with_key else None)


def signed(key: ec.EllipticCurvePrivateKey, anchor: Pair = ANCHOR, authority: bool = True, name: str = NAME) -> Pair:
    """A certificate of any key, in the name of an anchor."""
    signer = certificates_of(anchor.certificate, "anchor")[0]
    builder = x509.CertificateBuilder().subject_name(named(name)).issuer_name(signer.subject).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(NOW - DAY).not_valid_after(NOW + 100 * DAY)
    builder = builder.add_extension(constraints(None) if authority else x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    return pair(builder.sign(private_key(anchor.key, "key"), hashes.SHA256()), key)


def test_what_is_made_carries_a_mesh() -> None:
    """P-256 with the DNS name, ten years and one, without a warning."""
    made = chain(ANCHOR.certificate, ISSUER)
    assert certificate_rules.problems(made, NAME, NOW) == []
    assert certificate_rules.warnings(made, 60, NOW) == []
    assert [days_left(made.anchors[0], NOW), days_left(made.issuer[0], NOW)] == [3650, 365]
    assert made.issuer[0].extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 0


@pytest.mark.skipif(shutil.which("openssl") is None, reason="compares with openssl")
def test_openssl_agrees(tmp_path: Path) -> None:
    """Somebody else's implementation verifies the chain and reads the key."""
    for name, text in {"ca.crt": ANCHOR.certificate, "issuer.crt": ISSUER.certificate, "issuer.key": ISSUER.key}.items():
        (tmp_path / name).write_text(text)
    verified = subprocess.run(
        ["openssl", "verify", "-no_check_time", "-CAfile", "ca.crt", "issuer.crt"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "OK" in verified.stdout
    key = subprocess.run(
        ["openssl", "ec", "-in", "issuer.key", "-noout", "-text"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "P-256" in key.stdout


def test_an_issuer_never_outlives_its_anchor() -> None:
    """Identities would end with the anchor, without a word about it."""
    old = make_anchor("root", 100, NOW)
    issuer = certificates_of(make_issuer(old, NAME, 365, NOW).certificate, "issuer")[0]
    assert ends(issuer) == NOW + 100 * DAY


def test_intermediates_lead_to_the_anchor() -> None:
    """The issuer may be signed by what follows it in its file."""
    middle = signed(ec.generate_private_key(ec.SECP256R1()), name="middle")
    issuer = make_issuer(middle, NAME, 30, NOW)
    long = Pair(issuer.certificate + middle.certificate, issuer.key)
    assert certificate_rules.problems(chain(ANCHOR.certificate, long), NAME, NOW) == []
    assert "by none of the trust anchors" in certificate_rules.problems(chain(ANCHOR.certificate, issuer), NAME, NOW)[0]


@pytest.mark.parametrize(
    ("anchors", "issuer", "says"),
    [
        (ANCHOR.certificate, signed(ec.generate_private_key(ec.SECP384R1())), "key of the kind secp384r1; Linkerd takes ECDSA P-256 alone"),
        (ANCHOR.certificate, signed(ec.generate_private_key(ec.SECP256R1()), authority=False), "may sign no certificates"),
        (ANCHOR.certificate, Pair(ISSUER.certificate, OTHER.key), "not of the issuer's key"),
        (OTHER.certificate, ISSUER, "signed by CN=root.linkerd.cluster.local and by none of the trust anchors"),
        (ANCHOR.certificate, make_issuer(ANCHOR, "identity.mesh.cluster.local", 365, NOW), f"demands the DNS name {NAME}"),
        (ANCHOR.certificate, make_issuer(ANCHOR, NAME, 1, NOW - 2 * DAY), "ended at 2026-11-20 12:00 UTC: proxies get no identity"),
        (ANCHOR.certificate, make_issuer(ANCHOR, NAME, 9, NOW + DAY), "counts only from 2026-11-22 11:55 UTC"),
    ],
)
def test_what_carries_no_mesh_is_refused(anchors: str, issuer: Pair, says: str) -> None:
    """One thing is wrong with each, and it is the only one that is told."""
    problems = certificate_rules.problems(chain(anchors, issuer), NAME, NOW)
    assert len(problems) == 1
    assert says in problems[0]


def test_an_anchor_that_has_ended_is_refused_where_it_signs() -> None:
    """Beside one that signs it is only warned of: a rotation leaves it there for a while."""
    ended = make_anchor("root.old", 10, NOW - 20 * DAY)
    by_ended = make_issuer(ended, NAME, 365, NOW - 20 * DAY)
    assert any(
        "trust anchor CN=root.old" in problem for problem in certificate_rules.problems(chain(ended.certificate, by_ended), NAME, NOW)
    )
    both = chain(ended.certificate + ANCHOR.certificate, ISSUER)
    assert certificate_rules.problems(both, NAME, NOW) == []
    assert "CN=root.old" in certificate_rules.warnings(both, 60, NOW)[0]
    assert "has ended" in certificate_rules.warnings(both, 60, NOW)[0]


@pytest.mark.parametrize(("left", "warned"), [(61, False), (60, False), (59, True)])
def test_a_warning_begins_at_its_day(left: int, warned: bool) -> None:
    """Less than the days that were asked for are warned of, with the way to renew."""
    issuer = make_issuer(ANCHOR, NAME, left, NOW)
    said = certificate_rules.warnings(chain(ANCHOR.certificate, issuer), 60, NOW)
    assert bool(said) is warned
    assert not warned or (f"ends in {left} days" in said[0] and "linkerd_issuer_renew_days" in said[0])


BY_OTHER = make_issuer(OTHER, NAME, 365, NOW)
BOTH = ANCHOR.certificate + OTHER.certificate


@pytest.mark.parametrize(
    ("present", "anchors", "issuer", "refused"),
    [
        ("", OTHER.certificate, BY_OTHER, []),  # no mesh
        (ANCHOR.certificate, ANCHOR.certificate, ISSUER, []),  # the same again
        (ANCHOR.certificate, BOTH, ISSUER, []),  # step 1
        (BOTH, BOTH, BY_OTHER, []),  # step 3
        (BOTH, OTHER.certificate, BY_OTHER, ["is not among the trust anchors"]),  # step 4 needs a word
        (ANCHOR.certificate, BOTH, BY_OTHER, ["no proxy in the cluster knows yet"]),  # steps 1 and 3 at once
        (ANCHOR.certificate, OTHER.certificate, BY_OTHER, ["is not among the trust anchors", "no proxy in the cluster knows yet"]),
    ],
)
def test_a_rotation_goes_step_by_step(present: str, anchors: str, issuer: Pair, refused: list[str]) -> None:
    """Whatever would leave running proxies behind is refused, and the way is told."""
    problems = certificate_rules.rotation_problems(certificates_of(present, "present") if present else [], chain(anchors, issuer))
    assert len(problems) == (len(refused) + 1 if refused else 0)
    assert all(says in problem for says, problem in zip(refused, problems[: len(refused)], strict=True))
    assert not refused or problems[-1] == certificate_rules.ROTATE


@pytest.mark.parametrize("text", ["", "nothing", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_what_is_no_certificate_is_named(text: str) -> None:
    """The message says which of them it was."""
    with pytest.raises(CertificateError, match="the trust anchor"):
        certificates_of(text, "the trust anchor")


def test_a_key_is_never_quoted() -> None:
    """Neither one of another kind nor one that cannot be read."""
    other_kind = pair_of_rsa()
    for text in (other_kind, "-----BEGIN EC PRIVATE KEY-----\nc2VjcmV0\n-----END EC PRIVATE KEY-----\n"):
        with pytest.raises(CertificateError) as caught:
            private_key(text, "issuer's key")
        assert "issuer's key" in str(caught.value)
        assert not set(text.splitlines()[1:-1]) & set(str(caught.value).split())


def pair_of_rsa() -> str:
    """A key that Linkerd does not take."""
    key = rsa.generate_private_key(65537, 2048)
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
