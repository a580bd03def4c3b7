"""Streets, the embedded data set: procedural street scenes seen from a driving car, in three domains.

`sim` is the clean rendering of regular streets, `real` the same world through other layouts, light, weather
and a camera with faults, `game` a simulator to train on for photographs: towns, light, weather and cameras of
every kind. A picture is a pure function of its domain, split, index and seed; none is stored.

From layout to pixels: `plan`, `layout` and `town` place things, `shapes`, `town_shapes` and `materials` say
what they look like, `domains` and `game` draw light and camera, `faces` sorts, `render` rasterises, `shading`
colours, `camera` develops.
"""

from __future__ import annotations

import numpy as np

from udas_tf.data.streets.domains import find
from udas_tf.data.streets.render import render_scene
from udas_tf.errors import UserError

SPLITS = ("train", "val")
MIN_SIZE = 32


def render(
    domain: str, split: str, index: int, seed: int, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """One picture with its labels; the same bytes for the same arguments, in any order and process.

    Args:
      domain: "sim", "real" or "game", or one with parts of others, see `domains.find`.
      split: "train" or "val"; each has its own scenes.
      index: which picture of the split, from 0; there is no last one.
      seed: of the whole data set, from 0.
      size: (height, width) in pixels, each at least 32. The scene does not depend on it.

    Returns:
      Image uint8 [H, W, 3] RGB, and Cityscapes train ids uint8 [H, W], 255 where there is no class.

    Raises:
      UserError: unknown domain or split, negative index or seed, size too small.
    """
    number, drawn = find(domain)
    if split not in SPLITS:
        raise UserError(f"Streets has no split {split!r}; use one of {', '.join(SPLITS)}.")
    if index < 0 or seed < 0:
        raise UserError(f"Streets counts pictures and seeds from 0; got index {index} and seed {seed}.")
    if len(size) != 2 or min(size) < MIN_SIZE:
        raise UserError(
            f"Streets needs a (height, width) of {MIN_SIZE} pixels or more each; got {tuple(size)}."
        )
    key = [seed, number, SPLITS.index(split), index]
    scene_rng, noise_rng = (np.random.default_rng([*key, stream]) for stream in range(2))
    return render_scene(drawn.scene(scene_rng), (int(size[0]), int(size[1])), noise_rng)
