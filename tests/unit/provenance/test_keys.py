"""The key on first use, and given ones."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from stylehead.errors import ConfigError, MediaError, StyleheadError
from stylehead.options import Options
from stylehead.provenance import keys, sign
from stylehead.provenance.seal import check_signing


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of keys, of a home where nothing was signed yet."""
    monkeypatch.setenv("STYLEHEAD_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "keys"


def save_key(path: Path, private: Any, password: bytes | None = None) -> Path:
    hidden = BestAvailableEncryption(password) if password else NoEncryption()
    path.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, hidden))
    return path


def test_a_key_is_made_once_and_only_its_owner_can_read_it(own):
    assert keys.own_root() is None
    made = keys.own_key()
    assert keys.own_key() == made
    assert made.algorithm == "es256"
    assert str(keys.own_root()) in made.chain.decode()
    if os.name == "posix":
        for name in (keys.KEY, keys.CHAIN, keys.ROOT):
            assert stat.S_IMODE((own / name).stat().st_mode) == 0o600
    sign.try_key(made, own / keys.KEY)


def test_those_who_sign_first_at_the_same_time_get_one_key(own):
    del own
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: keys.own_key(), range(4)))
    assert len(set(found)) == 1


def test_a_damaged_key_or_one_that_ends_is_made_anew(own, monkeypatch):
    first = keys.own_key()
    (own / keys.KEY).write_text("-----BEGIN")
    second = keys.own_key()
    assert second != first
    monkeypatch.setattr(keys, "DAY", 400 * keys.YEARS * keys.DAY)
    assert keys._stored() is None


def test_a_certificate_names_nobody(own):
    del own
    chain = keys.own_key().chain
    subjects = [one.subject.rfc4514_string() for one in keys.x509.load_pem_x509_certificates(chain)]
    assert subjects == ["CN=stylehead signer,O=self-made key", "CN=stylehead root,O=self-made key"]


def test_a_given_key_signs(own, tmp_path):
    keys.own_key()
    found = keys.given_key(own / keys.KEY, own / keys.CHAIN)
    assert found == keys.own_key()
    check_signing(Options(sign_key=own / keys.KEY, sign_cert=own / keys.CHAIN))


def test_what_cannot_sign_is_refused_before_any_work(own, tmp_path):
    keys.own_key()
    chain, root = own / keys.CHAIN, own / keys.ROOT
    stranger = save_key(tmp_path / "other.pem", ec.generate_private_key(ec.SECP256R1()))
    hidden = save_key(tmp_path / "hidden.pem", ed25519.Ed25519PrivateKey.generate(), b"secret")
    odd = save_key(tmp_path / "odd.pem", x25519.X25519PrivateKey.generate())
    (tmp_path / "text.pem").write_text("no certificate")
    wrong: list[tuple[Path, Path, type[StyleheadError], str]] = [
        (tmp_path / "none.pem", chain, MediaError, "does not exist"),
        (chain, chain, ConfigError, "no private key that can be read"),
        (hidden, chain, ConfigError, "no private key that can be read"),
        (odd, chain, ConfigError, "does not sign with"),
        (stranger, chain, ConfigError, "is not that of"),
        (own / keys.KEY, root, ConfigError, "is not that of"),
        (own / keys.KEY, tmp_path / "text.pem", ConfigError, "no certificate that can be read"),
    ]
    for key, certificates, kind, said in wrong:
        with pytest.raises(kind, match=said):
            check_signing(Options(sign_key=key, sign_cert=certificates))


def test_a_certificate_of_yesterday_is_refused(own, monkeypatch):
    keys.own_key()
    real = keys._valid
    monkeypatch.setattr(keys, "_valid", lambda one, ahead=keys.DAY: real(one, 4000 * keys.DAY))
    with pytest.raises(ConfigError, match="not valid today"):
        keys.given_key(own / keys.KEY, own / keys.CHAIN)


def test_certificates_that_c2pa_refuses_are_refused_first(own, tmp_path):
    """A root that signs by itself: C2PA wants somebody else to vouch for it."""
    keys.folder().mkdir(parents=True)
    private = ec.generate_private_key(ec.SECP256R1())
    name = keys._name("stranger")
    certificate = keys._dated(name, name, private).sign(private, keys.hashes.SHA256())
    (tmp_path / "cert.pem").write_bytes(keys._pem(certificate))
    key = save_key(tmp_path / "key.pem", private)
    with pytest.raises(ConfigError, match="cannot be signed with"):
        check_signing(Options(sign_key=key, sign_cert=tmp_path / "cert.pem"))
