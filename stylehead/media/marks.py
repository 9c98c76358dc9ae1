"""What a picture format says about itself in text, where FFmpeg writes none."""

from __future__ import annotations

import zlib
from pathlib import Path
from xml.sax.saxutils import escape

MADE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
"""IPTC's word for pictures that a trained model has made a part of."""
GIF_COMMENT = b"!\xfe"
PNG_NAMES = {"title": "Title", "comment": "Comment", "software": "Software"}
PNG_HEAD = 33  # bytes: the signature, and the chunk that has to be first
XMP_THERE = 0x04  # a flag of WebP's first chunk


def mark_gif(path: Path, metadata: dict[str, str]) -> None:
    """Add a comment to a GIF, before its pictures."""
    text = "\n".join(f"{name}: {value}" for name, value in metadata.items()).encode()
    pieces = [text[at : at + 255] for at in range(0, len(text), 255)]
    blocks = b"".join(bytes([len(piece)]) + piece for piece in pieces)
    data = path.read_bytes()
    # The colours that all pictures share come after the first 13 bytes.
    colours = 3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0
    start = 13 + colours
    path.write_bytes(data[:start] + GIF_COMMENT + blocks + b"\0" + data[start:])


def mark_png(path: Path, metadata: dict[str, str]) -> None:
    """Add texts to a PNG or APNG, before its pictures."""
    chunks = b""
    for name, value in metadata.items():
        key = PNG_NAMES.get(name, name).encode("latin-1")
        data = b"iTXt" + key + b"\0\0\0\0\0" + value.encode()
        chunks += (len(data) - 4).to_bytes(4, "big") + data + zlib.crc32(data).to_bytes(4, "big")
    data = path.read_bytes()
    path.write_bytes(data[:PNG_HEAD] + chunks + data[PNG_HEAD:])


def mark_webp(path: Path, metadata: dict[str, str]) -> None:
    """Add an XMP packet to a WebP of the extended kind, at its end."""
    packet = _xmp(metadata).encode()
    with path.open("r+b") as file:
        head = file.read(21)
        if head[12:16] != b"VP8X":
            raise ValueError("a WebP without the chunk that says what is in it")
        file.seek(20)
        file.write(bytes([head[20] | XMP_THERE]))
        file.seek(0, 2)
        file.write(b"XMP " + len(packet).to_bytes(4, "little") + packet + b"\0" * (len(packet) % 2))
        size = file.tell() - 8
        file.seek(4)
        file.write(size.to_bytes(4, "little"))


def _xmp(metadata: dict[str, str]) -> str:
    def languages(name: str) -> str:
        text = escape(metadata.get(name, ""))
        return f'<rdf:Alt><rdf:li xml:lang="x-default">{text}</rdf:li></rdf:Alt>'

    own = "".join(
        f"<stylehead:{name}>{escape(value)}</stylehead:{name}>"
        for name, value in metadata.items()
        if name not in PNG_NAMES
    )
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" '
        'xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
        'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
        'xmlns:stylehead="urn:stylehead">'
        f"<dc:title>{languages('title')}</dc:title>"
        f"<dc:description>{languages('comment')}</dc:description>"
        f"<xmp:CreatorTool>{escape(metadata.get('software', ''))}</xmp:CreatorTool>"
        f"<Iptc4xmpExt:DigitalSourceType>{MADE}</Iptc4xmpExt:DigitalSourceType>"
        f"{own}</rdf:Description></rdf:RDF></x:xmpmeta>"
    )
