"""TLS of the server: one context for all connections, with a certificate that it has signed itself.

pysqlbridge makes a context for each connection, and takes RSA and the curve P-384 as SQL Server does. Perennial signs
in anew for each statement: its shake of hands is ten times as cheap here, and clients see no difference.
"""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

_VALID = timedelta(days=365)


def server_tls() -> ssl.SSLContext:
    """A context with a certificate of its own, made for this process.

    TLS 1.2 without tickets: a ticket of 1.3 comes after the handshake, where TDS no longer has a frame for it.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_TICKET
    context.set_ecdh_curve("prime256v1")
    with TemporaryDirectory(prefix="perennial-lab-") as folder:  # ssl reads from files only
        file = Path(folder) / "server.pem"
        file.write_bytes(_self_signed())
        context.load_cert_chain(file)
    return context


def _self_signed() -> bytes:
    """A certificate of `localhost` and its private key, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _VALID)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private + certificate.public_bytes(Encoding.PEM)
