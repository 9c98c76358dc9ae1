"""Groups of model files; the command line names them without loading the manifest."""

from __future__ import annotations

PROFILES = {
    "embedded": "what every video needs, inside the package",
    "liveportrait": "neural renderer at 512 pixels",
    "liveportrait_safetensors": "the same networks from another source, as safetensors",
    "vid2vid": "face-vid2vid, the paper's own renderer, at 256 pixels",
    "vid2vid_sadtalker": "face-vid2vid without its pose estimator, as SadTalker packs it",
    "vid2vid_authors": "face-vid2vid as the paper's authors link it",
    "training": "a network for a perceptual loss, for training only",
}
"""What a user may fetch in one go -> what it adds."""
