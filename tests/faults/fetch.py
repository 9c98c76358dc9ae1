"""`stylehead weights get stand-in` with a list of one file, from a server on this machine."""

from __future__ import annotations

import hashlib
import sys

from stylehead.__main__ import main
from stylehead.weights import manage
from stylehead.weights.manifest import WebFile, WeightsEntry
from tests.faults.kills import CONTENT


def entry(url: str) -> WeightsEntry:
    """Return the only entry."""
    return WeightsEntry(
        name="stand-in",
        file="stand-in.bin",
        role="test",
        licence="MIT",
        commercial="yes",
        origin="a test",
        format="pth",
        profile="liveportrait",
        bytes=len(CONTENT),
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        sources=(WebFile(url),),
    )


if __name__ == "__main__":
    listed = {"stand-in": entry(sys.argv[1])}
    manage.read_manifest = lambda path=None: listed
    sys.argv[1:] = ["weights", "get", "stand-in"]
    main()
