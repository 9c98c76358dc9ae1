"""The same portrait and sound in two built-in styles; writes plain.mp4 and lively.mp4."""

from pathlib import Path

from stylehead import Options, animate, demo_media

with demo_media.files() as (image, audio):
    for style in ("plain", "lively"):
        options = Options(overwrite=True)
        made = animate(image, audio, Path(f"{style}.mp4"), style=style, options=options)
        print(made.output)
