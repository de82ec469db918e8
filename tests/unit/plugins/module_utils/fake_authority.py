# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate authority for tests that speak TLS over 127.0.0.1."""

import datetime
import ipaddress
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
PEM = serialization.Encoding.PEM


class Authority:
    """A certificate authority of its own; its files are in a folder."""

    def __init__(self, folder):
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "ca")])
        self.file = self._write("ca.pem", self._certificate(self.name, self.key.public_key(), is_authority=True).public_bytes(PEM))

    def issue(self, name):
        """(certificate, key), two files."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = self._certificate(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]), key.public_key(), is_authority=False)
        text = key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return self._write(f"{name}.pem", made.public_bytes(PEM)), self._write(f"{name}.key", text)

    def _certificate(self, name, public, *, is_authority):
        begun = x509.CertificateBuilder().subject_name(name).issuer_name(self.name).public_key(public)
        dated = begun.serial_number(x509.random_serial_number()).not_valid_before(NOW).not_valid_after(NOW + datetime.timedelta(days=36500))
        address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        full = dated.add_extension(address, critical=False)
        return full.add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True).sign(self.key, hashes.SHA256())

    def _write(self, name, content):
        path = self.folder / name
        path.write_bytes(content)
        return str(path)

    def server(self):
        """What a server needs that lets in only who has a certificate of this authority."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.issue("server"))
        context.load_verify_locations(self.file)
        context.verify_mode = ssl.CERT_REQUIRED
        return context
