"""What can be told of a video's origin: its signature, and the mark."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from stylehead import files
from stylehead.errors import MediaError
from stylehead.media.formats import NUMBERED
from stylehead.options import sidecar_of
from stylehead.provenance import sign
from stylehead.provenance.detect import ENOUGH, Found, find_mark
from stylehead.provenance.manifest import read_manifest

EXPECTED = {"signingCredential.untrusted"}
"""Of a self-made key: nobody else vouches for it, which is no change of the file."""


class State(str, Enum):
    """What has become of a file since it was signed."""

    INTACT = "intact"
    ALTERED = "altered"
    """Its signature does not fit, or is gone while the mark is there."""
    NOTHING = "nothing"
    """Neither a signature nor the mark."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was found."""

    file: str
    state: State
    signed: bool
    trusted: bool = False
    """Whether this computer's own root, or one that c2pa knows, vouches for who signed it."""
    signer: str = ""
    """Whom the certificate names."""
    program: str = ""
    """What says it made the file."""
    problems: tuple[str, ...] = ()
    """C2PA's names of what does not fit."""
    run: dict[str, Any] = field(default_factory=dict[str, Any])
    """What stylehead said of how it was made; empty for files of others."""
    mark: Found | None = None
    """None where there was nothing to look for it in."""

    def as_json(self) -> str:
        """Return one line of JSON."""
        mark = asdict(self.mark) | {"found": self.mark.there} if self.mark else None
        return json.dumps(asdict(self) | {"state": self.state.value, "mark": mark})

    def sentences(self) -> list[str]:
        """Return what was found, a sentence a line."""
        said = [self._of_the_signature()]
        if self.run:
            said.append(self._of_the_run())
        if self.mark:
            strength, enough = f"strength {self.mark.strength:.1f}", f"{ENOUGH:.1f}"
            said.append(
                f"stylehead's mark is in it: {strength}, and fewer than one unmarked video in a "
                f"million reaches {enough}."
                if self.mark.there
                else f"stylehead's mark was not found in it: {strength}, and {enough} is needed."
            )
        return said

    def _of_the_signature(self) -> str:
        if not self.signed:
            gone = "; it was encoded again, or made without one" if self.mark_found else ""
            return f"{self.file}: no signature{gone}."
        who = f"by {self.signer or 'somebody unnamed'} with {self.program or 'an unnamed program'}"
        if self.state is State.ALTERED:
            return f"{self.file}: ALTERED since it was signed {who} ({', '.join(self.problems)})."
        known = "known here" if self.trusted else "for whom nobody known here vouches"
        return f"{self.file}: intact since it was signed {who}, {known}."

    @property
    def mark_found(self) -> bool:
        """Whether the mark is there."""
        return self.mark is not None and self.mark.there

    def _of_the_run(self) -> str:
        if not _whole(self.run):
            return "What it says of how it was made is not as stylehead says it."
        made_from = ", ".join(f"{one['title']} ({one['role']})" for one in self.run["made_from"])
        style, seed = self.run["style"], self.run["seed"]
        return f"It says that it was made from {made_from}, in style {style}, with seed {seed}."


def verify(path: Path | str) -> Verdict:
    """Tell whether a video or a folder of pictures is as it was signed, by whom, and marked.

    Raises MediaError for what is not there, DeviceError without c2pa-python.
    """
    path = Path(path)
    path = path.parent if NUMBERED.fullmatch(path.name) else path
    if not path.is_dir():
        files.check_file(path, "video")
    sign.library()  # what is missing is told by its name
    from stylehead.provenance.keys import own_root  # needs cryptography

    store = sign.read(path, sidecar_of(path), own_root())
    mark = _mark_of(path)
    if store is None:
        state = State.ALTERED if mark and mark.there else State.NOTHING
        return Verdict(file=path.name, state=state, signed=False, mark=mark)
    validity = store.get("validation_state")
    state = State.ALTERED if validity == "Invalid" else State.INTACT
    problems = tuple(
        one["code"] for one in store.get("validation_status", ()) if one["code"] not in EXPECTED
    )
    active, run = read_manifest(store)
    if not active:
        state = State.ALTERED
    return Verdict(
        file=path.name,
        state=state,
        signed=True,
        trusted=validity == "Trusted",
        signer=_signer(active),
        program=_program(active),
        problems=problems,
        run=run,
        mark=mark,
    )


def _mark_of(path: Path) -> Found | None:
    if path.is_dir():
        return None
    try:
        return find_mark(path)
    except MediaError:  # a still picture, or a file so damaged that nothing is left to see
        return None


def _whole(run: dict[str, Any]) -> bool:
    """Return whether a run holds what is told of it: damage, or somebody else, may change it."""
    made_from = run.get("made_from")
    return (
        {"style", "seed"} <= run.keys()
        and isinstance(made_from, list)
        and all(isinstance(one, dict) and {"title", "role"} <= one.keys() for one in made_from)
    )


def _signer(active: dict[str, Any]) -> str:
    about = active.get("signature_info", {})
    name, issuer = about.get("common_name") or "", about.get("issuer") or ""
    return f"{name} ({issuer})" if name and issuer else name or issuer


def _program(active: dict[str, Any]) -> str:
    agents = active.get("claim_generator_info") or [{}]
    return " ".join(filter(None, (agents[0].get("name"), agents[0].get("version"))))


def unsigned_sha256(path: Path) -> str:
    """Return the sha256 that a video had before it was signed; of an unsigned one, its own.

    What two runs make from the same things is compared by it, for no two signatures are the same.
    It is what the signature says, where the file is as it was signed. Raises DeviceError without
    c2pa-python.
    """
    store = sign.read(path, sidecar_of(path), None)
    if store is None or store.get("validation_state") == "Invalid":
        return files.digest(path)
    return str(read_manifest(store)[1].get("unsigned_sha256") or files.digest(path))
