"""Save a motion, raise the eyebrows once, render again; writes before.mp4 and after.mp4."""

from pathlib import Path

import numpy as np

from stylehead import Options, animate, demo_media

BROWS = slice(17, 27)  # of the 68 landmarks
WHEN, HOW_LONG, HOW_HIGH = 3.0, 0.4, 0.08  # seconds, seconds, distances of the outer eye corners

options = Options(overwrite=True)
saved, edited = Path("motion.npz"), Path("edited.npz")
with demo_media.files() as (image, audio):
    animate(image, audio, Path("before.mp4"), save_motion_to=saved, options=options)
    with np.load(saved) as file:
        fields = {name: file[name] for name in file.files}
    rate = fields["fps"][0] / fields["fps"][1]
    seconds = np.arange(len(fields["landmarks"])) / rate
    hump = np.exp(-np.square((seconds - WHEN) / HOW_LONG))
    fields["landmarks"][:, BROWS, 1] -= HOW_HIGH * hump[:, None]  # y points down
    np.savez(edited, allow_pickle=False, **fields)
    animate(image, audio, Path("after.mp4"), motion=edited, options=options)
print(f"before.mp4 and after.mp4: the brows go up at {WHEN:.0f} s")
