"""Streets, the built-in data set: procedural street scenes seen from a driving car, in three domains.

- `sim`: regular streets, rendered cleanly.
- `real`: the same world with other layouts, light and weather, taken by a camera with noise and blur.
- `game`: a simulator to train on for photographs, with towns, light, weather and cameras of every kind.

A picture is a pure function of its domain, split, index and seed. No picture is stored.

The modules, from the layout to the pixels:

- `plan` draws a street's figures; `layout` and `town` place patches of ground and items.
- `shapes`, `town_shapes` and `materials` define what items look like.
- `domains` and `game` draw the light and the camera.
- `faces` sorts the faces, `render` rasterises them, `shading` colours the pixels.
- `camera` projects, and turns light into an image.
"""

from __future__ import annotations

import numpy as np

from udas_tf.data.streets.domains import find
from udas_tf.data.streets.render import render_scene
from udas_tf.errors import UserError

SPLITS = ("train", "val")
MIN_SIZE = 32


def render(domain: str, split: str, index: int, seed: int, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Renders one picture and its labels.

    The same arguments give the same bytes, in any order and in any process.

    Args:
      domain: "sim", "real", "game", or one of them with parts of others, see `domains.find`.
      split: "train" or "val"; each has its own scenes.
      index: number of the picture within the split, from 0, without an upper limit.
      seed: seed of the whole data set, 0 or more.
      size: (height, width) in pixels, each at least MIN_SIZE. The scene does not depend on it.

    Returns:
      Image uint8 [H, W, 3] RGB, and Cityscapes train ids uint8 [H, W], 255 where there is no class.

    Raises:
      UserError: the domain or split is unknown, the index or seed negative, or the size too small.
    """
    domain_number, parts = find(domain)
    if split not in SPLITS:
        raise UserError(f"Streets has no split {split!r}; use one of {', '.join(SPLITS)}.")
    if index < 0 or seed < 0:
        raise UserError(f"Streets counts pictures and seeds from 0; got index {index} and seed {seed}.")
    if len(size) != 2 or min(size) < MIN_SIZE:
        raise UserError(f"Streets needs a (height, width) of {MIN_SIZE} pixels or more each; got {tuple(size)}.")
    key = [seed, domain_number, SPLITS.index(split), index]
    scene_rng, noise_rng = (np.random.default_rng([*key, stream]) for stream in range(2))
    return render_scene(parts.scene(scene_rng), (int(size[0]), int(size[1])), noise_rng)
