# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder of certificates: made once, renewed in time, never another anchor."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from ansible_collections.progressive.delivery.plugins.plugin_utils.certificate_folder import Kept, Wish, kept_in
from ansible_collections.progressive.delivery.plugins.plugin_utils.certificates import (
    CertificateError,
    certificates_of,
    days_left,
    make_anchor,
)

NOW = datetime.datetime(2026, 11, 21, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
WISH = Wish("root.linkerd.cluster.local", "identity.linkerd.cluster.local", anchor_days=3650, issuer_days=365, renew_days=90)


def kept(folder: Path, days: int = 0, wish: Wish = WISH, anchored: bool = False) -> Kept:
    """What a run finds and writes so many days later."""
    found = kept_in(folder, wish, NOW + days * DAY, anchored)
    found.write()
    return found


def test_the_first_run_makes_what_the_second_finds(tmp_path: Path) -> None:
    """Keys are their owner's alone."""
    first, second = kept(tmp_path), kept(tmp_path, days=1)
    assert first.made == ["trust anchor", "issuer"]
    assert (second.made, second.files) == ([], {})
    assert (second.anchors, second.issuer) == (first.anchors, first.issuer)
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in tmp_path.iterdir()}
    assert modes == {"ca.crt": "0o644", "ca.key": "0o600", "issuer.crt": "0o644", "issuer.key": "0o600"}


def test_nothing_is_written_before_it_is_asked_for(tmp_path: Path) -> None:
    """As check mode, and a refusal after it, want it."""
    assert kept_in(tmp_path / "none", WISH, NOW, False).made == ["trust anchor", "issuer"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("day", "made"), [(275, []), (276, ["issuer"])])
def test_an_issuer_is_renewed_in_time_and_the_anchor_never(tmp_path: Path, day: int, made: list[str]) -> None:
    """With 90 of 365 days left it stays, with 89 it goes."""
    first = kept(tmp_path)
    later = kept(tmp_path, days=day)
    assert later.made == made
    assert later.anchors == first.anchors
    assert kept(tmp_path, days=day).made == []


def test_an_issuer_that_ends_with_its_anchor_is_not_made_each_run(tmp_path: Path) -> None:
    """Nothing longer can be made of that anchor: it is warned of, not renewed."""
    wish = Wish("root", WISH.issuer_name, anchor_days=50, issuer_days=365, renew_days=90)
    kept(tmp_path, wish=wish)
    assert kept(tmp_path, days=3, wish=wish).made == []


@pytest.mark.parametrize("broken", ["issuer.crt", "issuer.key", "namespace", "mixed"])
def test_an_issuer_that_does_not_do_is_made_anew(tmp_path: Path, broken: str) -> None:
    """A run that died between two files leaves a pair that does not match."""
    kept(tmp_path)
    wish = WISH
    if broken == "mixed":
        (tmp_path / "issuer.key").write_text(make_anchor("x", 1, NOW).key)
    elif broken == "namespace":
        wish = Wish(WISH.anchor_name, "identity.mesh.cluster.local", 3650, 365, 90)
    else:
        (tmp_path / broken).unlink()
    assert kept(tmp_path, wish=wish).made == ["issuer"]


def test_the_anchors_key_is_needed_only_for_an_issuer(tmp_path: Path) -> None:
    """It may lie in a safe meanwhile."""
    kept(tmp_path)
    (tmp_path / "ca.key").unlink()
    assert kept(tmp_path, days=100).made == []
    with pytest.raises(CertificateError, match="put the trust anchor's key back"):
        kept(tmp_path, days=300)


def test_a_second_anchor_signs_once_its_key_lies_there(tmp_path: Path) -> None:
    """The folder's side of a rotation."""
    first, new = kept(tmp_path), make_anchor("root.new", 3650, NOW)
    (tmp_path / "ca.crt").write_text(first.anchors + new.certificate)
    assert kept(tmp_path).made == []
    (tmp_path / "ca.key").write_text(new.key)
    (tmp_path / "issuer.crt").unlink()
    issuer = certificates_of(kept(tmp_path).issuer.certificate, "issuer")[0]
    assert issuer.issuer.rfc4514_string() == "CN=root.new"


@pytest.mark.parametrize(
    ("files", "anchored", "says"),
    [
        ([], True, "another one would cut off every proxy"),
        (["ca.key"], False, "ca.key is there and ca.crt is not"),
        (["ca.crt", "other.key"], False, "is the key of none of the certificates"),
    ],
)
def test_no_other_anchor_is_made(tmp_path: Path, files: list[str], anchored: bool, says: str) -> None:
    """A folder that was lost is not replaced by a mesh that nobody believes."""
    anchor = make_anchor("root", 3650, NOW)
    texts = {"ca.crt": anchor.certificate, "ca.key": anchor.key, "other.key": make_anchor("other", 3650, NOW).key}
    for name in files:
        (tmp_path / name.replace("other", "ca")).write_text(texts[name])
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(CertificateError, match=says):
        kept(tmp_path, anchored=anchored)
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_an_anchor_that_has_ended_signs_nothing(tmp_path: Path) -> None:
    """The way to another anchor is told."""
    kept(tmp_path, wish=Wish("root", WISH.issuer_name, anchor_days=10, issuer_days=365, renew_days=90))
    (tmp_path / "issuer.crt").unlink()
    with pytest.raises(CertificateError, match="To change the trust anchor"):
        kept(tmp_path, days=11)


def test_days_are_those_that_were_asked_for(tmp_path: Path) -> None:
    """Ten years and one, as the role says."""
    found = kept(tmp_path)
    days = [days_left(certificates_of(text, "certificate")[0], NOW) for text in (found.anchors, found.issuer.certificate)]
    assert days == [3650, 365]
