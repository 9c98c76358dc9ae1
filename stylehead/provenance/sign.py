"""Signatures by C2PA: into a file, or beside it; and reading them. The only door to c2pa-python."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryFile
from types import ModuleType
from typing import TYPE_CHECKING, Any, BinaryIO

from stylehead import files
from stylehead.errors import ConfigError, DeviceError, MediaError
from stylehead.provenance.manifest import manifest_of

if TYPE_CHECKING:
    from stylehead.provenance.keys import SigningKey

ANY = "application/octet-stream"
"""What c2pa is told of a file that holds no signature: it is hashed as a whole."""
SAME = {"apng": "png"}
"""Endings that c2pa knows by another name."""
QUIET: dict[str, Any] = {"builder": {"thumbnail": {"enabled": False}}}
"""No picture of what was made, or of what it was made from, goes into a manifest."""

ALONE: dict[str, Any] = {"verify": {"remote_manifest_fetch": False, "ocsp_fetch": False}}
"""Nobody is asked over the network."""


def library() -> ModuleType:
    """Return c2pa; raises DeviceError where it is not installed or lacks its compiled part."""
    try:
        import c2pa  # 40 ms, which only a finished video costs
    except (ImportError, OSError, RuntimeError) as error:
        raise DeviceError(
            "c2pa-python is not installed, which signs videos.",
            remedy="Run pip install -c constraints.txt c2pa-python.",
        ) from error
    return c2pa


def kind_of(path: Path) -> str | None:
    """Return c2pa's name for a file that can hold a signature, by its ending; None for others."""
    ending = path.suffix.lower().removeprefix(".")
    kind = SAME.get(ending, ending)
    return kind if kind in library().Builder.get_supported_mime_types() else None


def listing(folder: Path) -> bytes:
    """Return the digests and names of a folder's files, as sha256sum prints them."""
    names = sorted(path for path in folder.iterdir() if path.is_file())
    return "".join(f"{files.digest(path)}  {path.name}\n" for path in names).encode()


def sign(path: Path, kind: str, manifest: Mapping[str, Any], key: SigningKey) -> None:
    """Sign a file in its own format, in place; raises MediaError when c2pa fails.

    What is signed takes shape in a file without a name, so that a kill leaves nothing.
    """
    with TemporaryFile(dir=path.parent) as signed:
        with path.open("rb") as source:
            _signed(manifest, key, kind, source, signed)
        signed.seek(0)
        with path.open("r+b") as target:
            shutil.copyfileobj(signed, target)


def sign_beside(path: Path, manifest: Mapping[str, Any], key: SigningKey) -> bytes:
    """Return the signature of a file, or of a folder's listing, to be kept beside it."""
    if path.is_dir():
        return _signed(manifest, key, None, io.BytesIO(listing(path)), io.BytesIO())
    with path.open("rb") as source, TemporaryFile(dir=path.parent) as copy:
        return _signed(manifest, key, None, source, copy)


def try_key(key: SigningKey, name: Path) -> None:
    """Raise ConfigError for a key with certificates that c2pa refuses."""
    _signed(manifest_of("", [], {}), key, None, io.BytesIO(b"-"), io.BytesIO(), name)


def _signed(
    manifest: Mapping[str, Any],
    key: SigningKey,
    kind: str | None,
    source: BinaryIO,
    target: BinaryIO,
    name: Path | None = None,
) -> bytes:
    c2pa = library()
    info = c2pa.C2paSignerInfo(
        alg=key.algorithm.encode(), sign_cert=key.chain, private_key=key.key, ta_url=None
    )
    try:
        context = c2pa.Context(c2pa.Settings.from_dict(QUIET))
        with (
            c2pa.Signer.from_info(info) as signer,
            c2pa.Builder(json.dumps(manifest), context=context) as builder,
        ):
            if kind is None:
                builder.set_no_embed()
            return builder.sign(signer, kind or ANY, source, target)
    except c2pa.C2paError as error:
        reason = " ".join(str(error).split())
        if name:
            raise ConfigError(
                f"{name} cannot be signed with ({reason}).",
                remedy="Use a certificate for signing content, as C2PA wants it.",
            ) from error
        raise MediaError(
            f"C2PA has failed ({reason}).",
            remedy="Free some space on the disk; report it if there is enough.",
        ) from error


def read(path: Path, beside: Path, root: str | None) -> dict[str, Any] | None:
    """Return what a file's signature says, as c2pa's JSON; None where there is none.

    A signature beside the file counts where there is one. What `root` (PEM) vouches for is trusted.
    """
    c2pa = library()
    trust = {"trust": {"user_anchors": root}} if root else {}
    context = c2pa.Context(c2pa.Settings.from_dict(ALONE | trust))
    stored = beside.read_bytes() if beside.is_file() else None
    kind = kind_of(path) if stored is None else ANY
    if kind is None or (stored is None and path.is_dir()):
        return None
    with io.BytesIO(listing(path)) if path.is_dir() else path.open("rb") as source:
        try:
            with c2pa.Reader(kind, source, stored, context=context) as reader:
                return json.loads(reader.json())
        except c2pa.C2paError.ManifestNotFound:
            return None
        except c2pa.C2paError as error:
            # A signature whose own bytes were changed.
            return {"validation_state": "Invalid", "validation_status": [{"code": str(error)}]}
