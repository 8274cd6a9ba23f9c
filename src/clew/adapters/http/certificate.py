"""Create and verify the TLS certificate of the daemon's loopback port.

Any user of the machine can take a port while the daemon is down. So loopback speaks TLS only, with a key that only this user can read,
and callers trust its certificate alone: a foreign listener learns nothing, not even the token.
"""

from __future__ import annotations

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from clew.adapters.daemon_files import DaemonPaths
from clew.files import replace_file

CERTIFICATE_YEARS = 10


def ensure_certificate(paths: DaemonPaths) -> tuple[Path, Path]:
    """Return the paths of certificate and private key; create both where they are missing or do not match. Raises OSError."""
    if not _is_pair(paths):
        _create(paths)
    return paths.certificate, paths.private_key


def create_client_context(paths: DaemonPaths) -> ssl.SSLContext:
    """Return a TLS context that trusts the daemon's certificate and nothing else. Raises OSError where there is no certificate."""
    context = ssl.create_default_context(cafile=str(paths.certificate))
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # it is its own issuer, and no authority
    return context


def write_trust_bundle(paths: DaemonPaths) -> None:
    """Write the trust bundle for clients of the gateway: the certificates they trusted before, and this one. Raises OSError."""
    ensure_certificate(paths)
    others = paths.other_certificates.read_bytes() if paths.other_certificates.is_file() else b""
    replace_file(paths.trust_bundle, others.rstrip(b"\n") + b"\n" * bool(others) + paths.certificate.read_bytes())


def _is_pair(paths: DaemonPaths) -> bool:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(paths.certificate, paths.private_key)
    except (OSError, ssl.SSLError):
        return False
    return True


def _create(paths: DaemonPaths) -> None:
    from cryptography import x509  # lazy: a certificate is made once
    from cryptography.hazmat.primitives import hashes, serialization  # lazy: likewise
    from cryptography.hazmat.primitives.asymmetric import ec  # lazy: likewise

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "clew on loopback")])
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365 * CERTIFICATE_YEARS))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)  # it can vouch for nobody else
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    paths.make_dirs()
    replace_file(paths.private_key, secret)
    replace_file(paths.certificate, certificate.public_bytes(serialization.Encoding.PEM))
