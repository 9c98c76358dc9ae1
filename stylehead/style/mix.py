"""Names, weights and parts of the face -> a mix of styles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stylehead.errors import StyleError
from stylehead.face.landmarks import PARTS
from stylehead.options import DEFAULT_STYLE
from stylehead.style.file import find_style
from stylehead.types import Style, StyleMix, StyleWeight


def as_mix(style: Style | StyleMix | str, *, strength: float = 1.0) -> StyleMix:
    """Return a mix of a Style, a mix, a style file or the name of a known style, scaled.

    Raises StyleError when the style is not known or its file is damaged.
    """
    mix = style if isinstance(style, StyleMix) else choose_mix(style)
    return mix if strength == 1 else mix.scaled(strength)


def choose_mix(style: Style | str | Sequence[str] | None, regions: str | None = None) -> StyleMix:
    """Return the mix of a Style, of names or files with weights, or of the default style.

    `a.style:0.7` weighs a style; without a weight it has 1. `regions` is
    `mouth=a,head=b`: those parts take one style each, the remaining parts the others.
    Raises StyleError when a style is not known, or weights or parts make no sense.
    """
    if isinstance(style, Style):
        weighed = [(style, 1.0)]
    else:
        names = [style] if isinstance(style, str) else list(style or [DEFAULT_STYLE])
        weighed = [_weighed(name) for name in names]
    if not sum(weight for _, weight in weighed) > 0:
        raise StyleError(
            "The weights of the styles add up to 0.", remedy="Give at least one above 0."
        )
    known: dict[str, Style] = {}
    parts: dict[str, Style] = {}
    for part, name in _regions(regions or ""):
        known.setdefault(name, find_style(name))
        parts[part] = known[name]
    return mix_styles(weighed, parts)


def mix_styles(weighed: Sequence[tuple[Style, float]], parts: Mapping[str, Style]) -> StyleMix:
    """Return the mix of styles by weight; a part with a style of its own takes that alone.

    Weights of several styles are brought to a sum of 1. `parts` has keys of PARTS: mouth, brows,
    eyes, head.
    """
    total = sum(weight for _, weight in weighed)
    weights = [
        StyleWeight(style, *(0.0 if part in parts else weight / total for part in PARTS))
        for style, weight in weighed
    ]
    for style in dict.fromkeys(parts.values()):
        own = {part for part, its in parts.items() if its is style}
        weights.append(StyleWeight(style, *(float(part in own) for part in PARTS)))
    return StyleMix(tuple(weight for weight in weights if any(map(weight.of, PARTS))))


def _weighed(asked: str) -> tuple[Style, float]:
    name, _, number = asked.rpartition(":")
    try:
        weight = float(number) if name else 1.0
    except ValueError:  # a drive's letter, or a colon in a name
        name, weight = "", 1.0
    if not 0 <= weight < float("inf"):
        raise StyleError(
            f"The weight in {asked} is not a number of 0 or more.",
            remedy="Write NAME:WEIGHT, as in a.style:0.7.",
        )
    return find_style(name or asked), weight


def _regions(text: str) -> list[tuple[str, str]]:
    pairs = [one.partition("=") for one in text.split(",") if one.strip()]
    for part, sign, name in pairs:
        if part.strip() not in PARTS or not name.strip():
            raise StyleError(
                f"{part.strip()}{sign}{name.strip()} does not give a part of the face a style.",
                remedy=f"Write PART=STYLE,... with the parts {', '.join(PARTS)}.",
            )
    return [(part.strip(), name.strip()) for part, _, name in pairs]
