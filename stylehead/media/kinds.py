"""What a file is by its first bytes, so that a file of another kind is called what it is."""

from __future__ import annotations

from pathlib import Path

from stylehead.errors import MediaError

HEAD = 256  # bytes that are looked at
PICTURE, RECORDING, FILM = "a picture", "a recording", "a video or a recording"
PAGE = "a web page"
BEGINNINGS = {
    b"\x89PNG\r\n": PICTURE,
    b"\xff\xd8\xff": PICTURE,
    b"GIF8": PICTURE,
    b"II*\0": PICTURE,
    b"MM\0*": PICTURE,
    b"ID3": RECORDING,
    b"fLaC": RECORDING,
    b"\x1a\x45\xdf\xa3": FILM,
    b"OggS": FILM,
    b"%PDF": "a PDF document",
    b"PK\3\4": "a ZIP archive",
    b"<!doctype html": PAGE,
    b"<html": PAGE,
}
RIFF = {b"WEBP": PICTURE, b"WAVE": RECORDING, b"AVI ": FILM}
BRANDS = {b"avif": PICTURE, b"heic": PICTURE, b"mif1": PICTURE, b"M4A ": RECORDING}
"""Of the files that begin with a box `ftyp`; the others are films."""
REMEDIES = {"picture": "Give a picture, such as a PNG or JPEG file."}


def of_another_kind(path: Path, kind: str) -> MediaError | None:
    """Return what to say of a file that is no picture, recording or video but something else.

    None for a file that is of the kind, by its first bytes, or of no kind that is known here.
    """
    with path.open("rb") as file:
        found = _named(file.read(HEAD))
    if found is None or kind in found:
        return None
    return MediaError(
        f"{path} is {found}, not a {kind}.", remedy=REMEDIES.get(kind, f"Give a {kind}.")
    )


def _named(head: bytes) -> str | None:
    if head[:4] == b"RIFF":
        return RIFF.get(head[8:12])
    if head[4:8] == b"ftyp":
        return BRANDS.get(head[8:12], FILM)
    text = head.lstrip().lower()  # of pages, which may begin with blanks
    for start, name in BEGINNINGS.items():
        if head.startswith(start) or text.startswith(start):
            return name
    return None
