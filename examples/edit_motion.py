"""Predict a motion, raise the eyebrows once, render both; writes before.mp4 and after.mp4."""

import numpy as np

from stylehead import Options, animate, demo_files

BROWS = slice(17, 27)  # of the 68 landmarks
WHEN, HOW_LONG, HOW_HIGH = 3.0, 0.4, 0.08  # seconds, seconds, distances of the outer eye corners

image, audio = demo_files()
options = Options(overwrite=True)
motion = animate(image, audio, "before.mp4", options=options).motion
seconds = np.arange(len(motion)) / float(motion.fps)
hump = np.exp(-np.square((seconds - WHEN) / HOW_LONG)).astype(np.float32)
landmarks = motion.landmarks.copy()
landmarks[:, BROWS, 1] -= HOW_HIGH * hump[:, None]  # y points down
animate(image, audio, "after.mp4", motion=motion.with_(landmarks=landmarks), options=options)
print(f"before.mp4 and after.mp4: the brows go up at {WHEN:.0f} s")
