"""What a user asks of style -> the blend that is made: names, weights, regions, strength."""

from __future__ import annotations

from collections.abc import Sequence

from stylehead.blend import PARTS, Blend, blend_styles
from stylehead.errors import StyleError
from stylehead.options import DEFAULT_STYLE
from stylehead.style import find_style
from stylehead.types import Style


def choose_blend(
    style: Style | str | Sequence[str] | None, regions: str | None = None, strength: float = 1.0
) -> Blend:
    """Return the blend of a Style, of names or files with weights, or of the default style.

    `a.style:0.7` weighs a style; without a weight it has 1. `regions` is
    `mouth=a,head=b`: those parts take one style each, the rest the others.
    """
    if isinstance(style, Style):
        weighed = [(style, 1.0)]
    else:
        asked = [style] if isinstance(style, str) else list(style or [DEFAULT_STYLE])
        weighed = [_weighed(one) for one in asked]
    if not sum(weight for _, weight in weighed) > 0:
        raise StyleError("The styles' weights add up to nothing.", remedy="Give one above 0.")
    known: dict[str, Style] = {}
    chosen: dict[str, Style] = {}
    for part, name in _regions(regions or ""):
        known.setdefault(name, find_style(name))
        chosen[part] = known[name]
    return blend_styles(weighed, strength, chosen)


def _weighed(asked: str) -> tuple[Style, float]:
    name, _, number = asked.rpartition(":")
    try:
        weight = float(number) if name else 1.0
    except ValueError:  # a drive's letter, or a colon in a name
        name, weight = "", 1.0
    if not 0 <= weight < float("inf"):
        raise StyleError(
            f"The weight in {asked} is not a share.", remedy="Give a number, as in a:0.7."
        )
    return find_style(name or asked), weight


def _regions(text: str) -> list[tuple[str, str]]:
    pairs = [one.partition("=") for one in text.split(",") if one.strip()]
    for part, _, name in pairs:
        if part.strip() not in PARTS or not name.strip():
            raise StyleError(
                f"{part.strip()} is no part of the face with a style of its own.",
                remedy=f"Write PART=STYLE,... with the parts {', '.join(PARTS)}.",
            )
    return [(part.strip(), name.strip()) for part, _, name in pairs]


def name_of(blend: Blend) -> str:
    """Return the names of a blend's styles."""
    return " + ".join(dict.fromkeys(share.style.name for share in blend))


def source_of(blend: Blend) -> str:
    """Return the digests of the clips a blend was learned from."""
    return " ".join(share.style.provenance.get("source_sha256", "") for share in blend)
