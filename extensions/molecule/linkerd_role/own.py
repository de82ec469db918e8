# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sign an issuer with a folder's trust anchor: own.py FOLDER NAME NEW DAYS. With -1 day it has ended."""

from __future__ import annotations

import datetime
import os
import pathlib
import sys

from ansible.plugins.loader import init_plugin_loader

init_plugin_loader(os.environ["ANSIBLE_COLLECTIONS_PATH"].split(":"))

from ansible_collections.progressive.delivery.plugins.plugin_utils.certificates import Pair, make_issuer
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa


def main(folder: pathlib.Path, name: str, new: pathlib.Path, days: int) -> None:
    """Write ca.crt, issuer.crt and issuer.key into the new folder, and beside them a key of a kind that Linkerd does not take."""
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    anchor = Pair((folder / "ca.crt").read_text(), (folder / "ca.key").read_text())
    began = now if days > 0 else now + datetime.timedelta(days=days - 1)
    issuer = make_issuer(anchor, name, max(days, 1), began)
    new.mkdir(mode=0o700, exist_ok=True)
    other = rsa.generate_private_key(65537, 2048)
    kind = other.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
    texts = {"ca.crt": anchor.certificate, "issuer.crt": issuer.certificate, "issuer.key": issuer.key, "rsa.key": kind}
    for file, text in texts.items():
        (new / file).write_text(text)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3]), int(sys.argv[4]))
