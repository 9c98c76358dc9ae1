"""Keys that videos are signed with: one's own, made on first use, or a bought one."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from stylehead import files
from stylehead.errors import ConfigError
from stylehead.files.locks import lock
from stylehead.weights.store import home

KEY, CHAIN, ROOT = "signing-key.pem", "certificates.pem", "root.pem"
ORGANISATION = "self-made key"
YEARS = 10
DAY = datetime.timedelta(days=1)
CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key, and the certificates that say whose it is."""

    algorithm: str
    """COSE's name, as es256."""
    key: bytes
    """PEM, not encrypted."""
    chain: bytes
    """PEM: the key's certificate, then those of who vouches for it."""


def folder() -> Path:
    """Return the folder of one's own key."""
    return home() / "keys"


def own_root() -> str | None:
    """Return the certificate (PEM) that vouches for one's own key; None while there is none."""
    path = folder() / ROOT
    return path.read_text(encoding="ascii") if path.is_file() else None


def own_key() -> SigningKey:
    """Return one's own key, which is made where there is none that is valid for another day.

    Raises MediaError where it cannot be stored.
    """
    files.make_folder(folder())
    with lock(folder() / "lock"):
        found = _stored()
        if found is None:
            _make()
            found = _stored()
    assert found
    return found


def given_key(key: Path, chain: Path) -> SigningKey:
    """Return a key from PEM files, as authorities sell them.

    Raises MediaError for what cannot be read, ConfigError for an encrypted or unknown kind of key,
    and for certificates that are not its own or not valid now.
    """
    for path, kind in ((key, "key"), (chain, "certificate")):
        files.check_file(path, kind)
    try:
        private = load_pem_private_key(key.read_bytes(), None)
    except (ValueError, TypeError, NotImplementedError) as error:
        raise ConfigError(
            f"{key} is no private key that can be read.",
            remedy="Give one in PEM, without a password.",
        ) from error
    algorithm = _algorithm(private)
    if algorithm is None:
        raise ConfigError(
            f"{key} is a kind of key that C2PA does not sign with.",
            remedy="Use an elliptic curve (P-256), Ed25519 or RSA.",
        )
    certificates = _certificates(chain)
    if _public(certificates[0]) != _of(private.public_key()):
        raise ConfigError(
            f"The first certificate of {chain} is not that of {key}.",
            remedy="Put the key's own certificate first, then those that vouch for it.",
        )
    if not _valid(certificates[0]):
        raise ConfigError(f"The certificate {chain} is not valid today.", remedy="Renew it.")
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return SigningKey(algorithm, pem, b"".join(map(_pem, certificates)))


def _certificates(chain: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(chain.read_bytes())
    except ValueError as error:
        raise ConfigError(
            f"{chain} holds no certificate that can be read.", remedy="Give a chain in PEM."
        ) from error


def _algorithm(private: object) -> str | None:
    if isinstance(private, ec.EllipticCurvePrivateKey):
        return CURVES.get(private.curve.name)
    if isinstance(private, ed25519.Ed25519PrivateKey):
        return "ed25519"
    return "ps256" if isinstance(private, rsa.RSAPrivateKey) else None


def _of(public: object) -> bytes:
    encode = getattr(public, "public_bytes")  # noqa: B009 (every kind of key has it, without a type)
    return encode(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _public(certificate: x509.Certificate) -> bytes:
    return _of(certificate.public_key())


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


def _valid(certificate: x509.Certificate, ahead: datetime.timedelta = 0 * DAY) -> bool:
    now = datetime.datetime.now(datetime.timezone.utc)
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return begin <= now and now + ahead < end


def _stored() -> SigningKey | None:
    """Return the key that is kept; None for none, a damaged one, or one that ends tomorrow."""
    try:
        key, chain = ((folder() / name).read_bytes() for name in (KEY, CHAIN))
        certificate = x509.load_pem_x509_certificates(chain)[0]
        private = load_pem_private_key(key, None)
    except (OSError, ValueError, TypeError):
        return None
    fits = _public(certificate) == _of(private.public_key()) and _valid(certificate, DAY)
    return SigningKey("es256", key, chain) if fits else None


def _make() -> None:
    """Make a root, and a key that it vouches for; the root's own key is not kept.

    C2PA wants two levels: a certificate that signs must not vouch for itself.
    """
    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root_name, name = (_name(f"stylehead {kind}") for kind in ("root", "signer"))
    of_root = x509.SubjectKeyIdentifier.from_public_key(root_key.public_key())
    root = (
        _dated(root_name, root_name, root_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(vouches=True), critical=True)
        .add_extension(of_root, critical=False)
        .sign(root_key, hashes.SHA256())
    )
    mail = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
    own = (
        _dated(name, root_name, key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(vouches=False), critical=True)
        .add_extension(mail, critical=False)  # one of the purposes that C2PA accepts
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(of_root), critical=False
        )
        .sign(root_key, hashes.SHA256())
    )
    _write(ROOT, _pem(root))
    _write(CHAIN, _pem(own) + _pem(root))
    _write(KEY, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def _name(common: str) -> x509.Name:
    """Return a name without anything that tells whose computer it is."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANISATION),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def _dated(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.timezone.utc)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)  # clocks differ
        .not_valid_after(now + 365 * YEARS * DAY)
    )


def _usage(*, vouches: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not vouches,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=vouches,
        crl_sign=vouches,
        encipher_only=False,
        decipher_only=False,
    )


def _write(name: str, content: bytes) -> None:
    with files.atomic(folder() / name) as part:
        part.chmod(0o600)  # while it is empty
        part.write_bytes(content)
