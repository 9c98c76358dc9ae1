"""The last thing that happens to a video before it takes its name: it is hashed, then signed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stylehead import files
from stylehead.errors import StyleheadError
from stylehead.options import Options, sidecar_of
from stylehead.progress import Reporter
from stylehead.provenance import sign
from stylehead.provenance.manifest import Ingredient, manifest_of

INSIDE, BESIDE = "inside", "beside"
"""Where a video's signature is."""


@dataclass(slots=True)
class Seal:
    """Signs one video, and remembers what it was before."""

    output: Path
    """What the video will be called; a folder of pictures."""
    title: str
    ingredients: list[Ingredient]
    run: Mapping[str, object]
    """What is said of how it was made."""
    options: Options
    reporter: Reporter
    sha256: str = ""
    """Of the video before it was signed, which is the same in each run; of a folder, of its
    listing. Empty for what goes to standard output."""
    signed: str = ""
    """Where the signature is: inside or beside it; empty for none."""

    def __call__(self, part: Path) -> None:
        """Hash and sign what was written to `part`, and will be `output`.

        A video that cannot be signed is still a video: why is said in one line. A failure of the
        disk is raised, for it may have left half of a file. A signature beside the video that a run
        has left which was killed before the video had its name is replaced or removed.
        """
        folder = part.is_dir()
        self.sha256 = hashlib.sha256(sign.listing(part)).hexdigest() if folder else ""
        self.sha256 = self.sha256 or files.digest(part)
        beside = sidecar_of(self.output)
        try:
            signature = self._signed(part)
        except StyleheadError as failure:
            self.reporter.say(f"Note: {self.output.name} is not signed: {failure} {failure.remedy}")
            beside.unlink(missing_ok=True)
            return
        self.signed = INSIDE if signature is None else BESIDE
        if signature is None:
            beside.unlink(missing_ok=True)  # it would be believed before the one inside
            return
        with files.atomic(beside) as stored:
            stored.write_bytes(signature)

    def _signed(self, part: Path) -> bytes | None:
        """Sign in place, or return what is to be kept beside it."""
        kind = None if part.is_dir() else sign.kind_of(self.output)
        manifest = self._manifest()
        key = signing_key(self.options)
        if kind is None:
            return sign.sign_beside(part, manifest, key)
        sign.sign(part, kind, manifest, key)
        return None

    def _manifest(self) -> dict[str, Any]:
        facts = {**self.run, "mark": self.options.mark, "unsigned_sha256": self.sha256}
        return manifest_of(self.title, self.ingredients, facts)


def signing_key(options: Options) -> Any:
    """Return the key that is asked for, or one's own; raises StyleheadError for none."""
    sign.library()  # what is missing is told by its name
    from stylehead.provenance import keys  # cryptography: for a finished video alone

    if options.sign_key and options.sign_cert:
        return keys.given_key(options.sign_key, options.sign_cert)
    return keys.own_key()


def check_signing(options: Options) -> None:
    """Refuse a given key that could not sign, before long work.

    Raises DeviceError, MediaError or ConfigError. Without a given key nothing is looked at.
    """
    if options.sign_key:
        sign.try_key(signing_key(options), options.sign_key)
