"""What a signed video says of itself, in C2PA's words."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stylehead import files
from stylehead.media.marks import MADE
from stylehead.version import __version__

RUN = "org.stylehead.run"
"""Label of what only stylehead says."""
SHA256 = "sha256:"


@dataclass(frozen=True, slots=True)
class Ingredient:
    """What a video was made from: a name and a digest, nothing of its contents."""

    role: str
    """As portrait, recording or style."""
    title: str
    """A file's name without its folder."""
    sha256: str

    @staticmethod
    def of(role: str, path: Path) -> Ingredient:
        """Return a file as an ingredient; raises OSError when it cannot be read."""
        return Ingredient(role, files.as_text(path.name), files.digest(path))


def manifest_of(
    title: str, ingredients: Sequence[Ingredient], run: Mapping[str, object]
) -> dict[str, Any]:
    """Return a manifest as c2pa takes it: who made the video, by which means, and from what.

    `run` is said besides. Ingredients are named and not read by c2pa, which would copy their own
    manifests, with pictures of them.
    """
    agent = {"name": "stylehead", "version": __version__}
    created = {
        "action": "c2pa.created",
        "digitalSourceType": MADE,
        "softwareAgent": agent,
        "description": "A portrait animated by a trained model; what it shows was never filmed.",
    }
    roles = [{"role": one.role, "title": one.title, "sha256": one.sha256} for one in ingredients]
    return {
        "claim_generator_info": [agent],
        "title": title,
        "ingredients": list(_unique(ingredients)),
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": [created]}},
            {"label": RUN, "data": {**run, "made_from": roles}},
        ],
    }


def _unique(ingredients: Iterable[Ingredient]) -> Iterable[dict[str, str]]:
    """Yield each ingredient once, as C2PA names it: the digest stands where an identifier does."""
    for one in {one.sha256: one for one in ingredients}.values():
        kind = mimetypes.guess_type(one.title)[0] or "application/octet-stream"
        yield {
            "title": one.title,
            "format": kind,
            "instance_id": f"{SHA256}{one.sha256}",
            "relationship": "inputTo",
        }


def read_manifest(store: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the active manifest of what c2pa has read, and what stylehead said in it, if any.

    Both may be empty: of a damaged signature not all can be read.
    """
    active: dict[str, Any] = store.get("manifests", {}).get(store.get("active_manifest"), {})
    said = [one.get("data") for one in active.get("assertions", ()) if one.get("label") == RUN]
    return active, said[0] if said and isinstance(said[0], dict) else {}
