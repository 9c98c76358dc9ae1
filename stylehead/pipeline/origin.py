"""What a video was made from, as its signature names it."""

from __future__ import annotations

from pathlib import Path

from stylehead.files import is_file
from stylehead.options import Options
from stylehead.pipeline.deliver import title_of, written_to
from stylehead.pipeline.result import Source
from stylehead.pipeline.song import asked
from stylehead.progress import Reporter
from stylehead.provenance.manifest import Ingredient
from stylehead.provenance.seal import Seal
from stylehead.rendering.renderer import LoadedRenderer
from stylehead.style.file import list_styles, load_style

CLIP, BUILT_IN = "style clip", "clip of a built-in style"
"""What a style was learned from is called."""


def seal_of(
    output: Path,
    image: Path,
    audio: Path,
    source: Source,
    renderer: LoadedRenderer,
    options: Options,
    reporter: Reporter,
) -> Seal:
    """Return what signs a video once it is written; the files it was made from are hashed now."""
    return Seal(
        output=written_to(output),
        title=title_of(output),
        ingredients=ingredients_of(image, audio, source, options),
        run={
            "style": source.style,
            "seed": options.seed,
            "encoder": source.encoder,
            "renderer": renderer.name,
            "weights": source.weights_of(renderer),
        },
        options=options,
        reporter=reporter,
    )


def ingredients_of(image: Path, audio: Path, source: Source, options: Options) -> list[Ingredient]:
    """Return portrait, recording, what was given besides, and the clips of styles by their digests.

    A clip is called after its style, for its own name is not kept.
    """
    named = [("portrait", image), ("recording", audio)]
    named += [("voice", path) for _, path, _ in map(asked, options.sing or ())]
    given = {"voice": options.vocals, "matte": options.matte, "lyrics": options.cues}
    behind = options.background
    given["background"] = Path(behind) if behind and is_file(Path(behind)) else None
    named += [(role, path) for role, path in given.items() if path]
    clips = {
        weight.style.provenance["source_sha256"]: weight.style.name
        for mix in source.mixes
        for weight in mix.weights
        if weight.style.provenance.get("source_sha256")
    }
    styles = [Ingredient(_role(name, sha256), name, sha256) for sha256, name in clips.items()]
    return [Ingredient.of(role, path) for role, path in named] + styles


def _role(name: str, sha256: str) -> str:
    """Return what a style's clip is called; one of the user's may bear a built-in style's name."""
    files = [path for known, path, built_in in list_styles() if built_in and known == name]
    ours = any(load_style(path).provenance.get("source_sha256") == sha256 for path in files)
    return BUILT_IN if ours else CLIP
