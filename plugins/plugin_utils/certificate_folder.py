# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder on the controller that keeps a mesh's certificates: ca.crt, ca.key, issuer.crt, issuer.key. What is missing is made there."""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import os
import pathlib
from collections.abc import Iterator
from dataclasses import dataclass

from ansible_collections.progressive.delivery.plugins.plugin_utils.certificate_rules import ROTATE, date_problems, dns_names
from ansible_collections.progressive.delivery.plugins.plugin_utils.certificates import (
    CertificateError,
    Chain,
    Pair,
    anchor_of,
    certificates_of,
    days_left,
    is_of,
    make_anchor,
    make_issuer,
    pem,
    private_key,
    x509,
)


@dataclass(frozen=True)
class Wish:
    """What is to be made when it is missing. Days are of validity; an issuer with less than renew_days is made anew."""

    anchor_name: str
    issuer_name: str
    anchor_days: int
    issuer_days: int
    renew_days: int


@dataclass(frozen=True)
class Kept:
    """What the folder holds once files are written; made names what was missing."""

    anchors: str
    issuer: Pair
    made: list[str]
    files: dict[pathlib.Path, str]  # in the order in which they are written: a certificate never without its key

    def write(self) -> None:
        """Each file whole or not at all; keys readable by their owner alone."""
        for path, text in self.files.items():
            write(path, text, 0o600 if path.suffix == ".key" else 0o644)


def kept_in(folder: pathlib.Path, wish: Wish, now: datetime.datetime, anchored: bool) -> Kept:
    """Read the folder and make what is missing, in memory alone.

    anchored: the cluster has a trust anchor, so that another one must not be made. Raises CertificateError.
    """
    anchors, key, made = anchor_in(folder, wish, now, anchored)
    old = issuer_in(folder)
    if old is not None and lasts(old, anchors, wish, now):
        return Kept(anchors, old, [], {})
    issuer = make_issuer(signing(anchors, key, folder, now), wish.issuer_name, wish.issuer_days, now)
    files = {folder / "ca.key": key or "", folder / "ca.crt": anchors} if made else {}
    files.update({folder / "issuer.key": issuer.key, folder / "issuer.crt": issuer.certificate})
    return Kept(anchors, issuer, [*made, "issuer"], files)


def anchor_in(folder: pathlib.Path, wish: Wish, now: datetime.datetime, anchored: bool) -> tuple[str, str | None, list[str]]:
    """The folder's anchors and the key that signs, or new ones; the list says whether they are new."""
    anchors, key = text_of(folder / "ca.crt"), text_of(folder / "ca.key")
    if anchors is not None:
        return anchors, key, []
    if key is not None:
        raise CertificateError([f"{folder}/ca.key is there and ca.crt is not. Put its certificate beside it, or take the key away."])
    if anchored:
        raise CertificateError(
            [
                f"{folder} has no ca.crt, and the cluster trusts an anchor already: another one would cut off every proxy.",
                "Name the folder that made it (linkerd_certificates_folder; in a container it must be one that stays).",
            ]
        )
    new = make_anchor(wish.anchor_name, wish.anchor_days, now)
    return new.certificate, new.key, ["trust anchor"]


def issuer_in(folder: pathlib.Path) -> Pair | None:
    """The issuer and its key, None unless both are there."""
    certificate, key = text_of(folder / "issuer.crt"), text_of(folder / "issuer.key")
    return Pair(certificate, key) if certificate is not None and key is not None else None


def lasts(issuer: Pair, anchors: str, wish: Wish, now: datetime.datetime) -> bool:
    """Whether an issuer need not be made anew: whole, of an anchor, for the name that is asked for, and with days enough."""
    chain = Chain(certificates_of(anchors, "ca.crt"), certificates_of(issuer.certificate, "issuer.crt"), issuer.key)
    anchor = anchor_of(chain)
    if anchor is None or not is_of(chain.issuer[0], private_key(issuer.key, "issuer's key")):
        return False
    left = days_left(chain.issuer[0], now)
    # One that ends with its anchor cannot be made to last longer.
    return wish.issuer_name in dns_names(chain.issuer[0]) and (left >= wish.renew_days or left >= days_left(anchor, now))


def signing(anchors: str, key: str | None, folder: pathlib.Path, now: datetime.datetime) -> Pair:
    """The anchor whose key lies in the folder; a folder may trust several, and signs with one."""
    if key is None:
        raise CertificateError(
            [f"The issuer must be made, and {folder}/ca.key is not there: put the trust anchor's key back, for this run at least."]
        )
    own: list[x509.Certificate] = [
        anchor for anchor in certificates_of(anchors, "ca.crt") if is_of(anchor, private_key(key, "trust anchor's key"))
    ]
    if not own:
        raise CertificateError([f"{folder}/ca.key is the key of none of the certificates in ca.crt."])
    ended = date_problems(own[0], "trust anchor", ROTATE, now)
    if ended:
        raise CertificateError(ended)
    return Pair(pem(own[:1]), key)


def text_of(path: pathlib.Path) -> str | None:
    """A file's text, None when it is not there; raises CertificateError when it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise CertificateError([f"{path} cannot be read: {error}."]) from error


def write(path: pathlib.Path, text: str, mode: int) -> None:
    """Whole or not at all, and never readable by more than mode says."""
    new = path.with_name(path.name + ".new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(new, path)


@contextlib.contextmanager
def locked(folder: pathlib.Path, persist: bool) -> Iterator[None]:
    """One host of a play at a time: all of them may share a folder."""
    if persist:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not folder.is_dir():
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
