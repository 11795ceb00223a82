"""A certificate for one run, for a platform at 127.0.0.1."""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_DAY = datetime.timedelta(days=1)


def make(folder: Path) -> tuple[Path, Path]:
    """Write a self-signed certificate.

    Returns:
        The file that a server reads, with the key; and the one that a client trusts.
    """
    key = ec.generate_private_key(ec.SECP256R1())  # as cheap to sign with as the platform's own
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bench")])
    now = datetime.datetime.now(datetime.UTC)
    here = x509.IPAddress(ipaddress.IPv4Address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + _DAY)
        .add_extension(x509.SubjectAlternativeName([here]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    written = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    served, trusted = folder / "platform.pem", folder / "trusted.pem"
    served.touch(0o600)
    served.write_bytes(private + written)
    trusted.write_bytes(written)
    return served, trusted


def trusting(trusted: Path) -> dict[str, str]:
    """The variables by which a worker trusts it: OpenSSL's, and that of requests."""
    return {"SSL_CERT_FILE": str(trusted), "REQUESTS_CA_BUNDLE": str(trusted)}
