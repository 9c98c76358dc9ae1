"""What a video was made from is named as what it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from stylehead.media.audio import open_audio
from stylehead.options import Options
from stylehead.pipeline.origin import ingredients_of
from stylehead.pipeline.result import Source
from stylehead.pipeline.singers import Take
from stylehead.pipeline.song import Singer
from stylehead.style.file import find_style
from stylehead.style.mix import as_mix
from stylehead.types import Style
from tests.stand_ins.faces import performed_motion


def roles(style: Style, image: Path, audio: Path) -> dict[str, str]:
    mix = as_mix(style)
    singer = Singer(face=None, sound=open_audio(audio), mix=mix)
    source = Source([Take(motion=performed_motion(1), mix=mix, singer=singer)], "whisper", ())
    return {one.title: one.role for one in ingredients_of(image, audio, source, Options())}


def test_the_clip_of_a_built_in_style_is_not_taken_for_the_users(
    portrait: Path, speech: Path
) -> None:
    plain = find_style("plain")
    given = {"portrait.png": "portrait", "speech.wav": "recording"}
    assert roles(plain, portrait, speech) == given | {"plain": "clip of a built-in style"}
    own = replace(plain, provenance={**plain.provenance, "source_sha256": "ab" * 32})
    assert roles(own, portrait, speech) == given | {"plain": "style clip"}
