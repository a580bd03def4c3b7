"""Backbones: from images to feature maps at strides 4, 8, 16 and 32. One module each, found by its name.

A module NAME.py, chosen by the config's `model.backbone`, has

  a docstring whose first line says what it is;
  OUTPUT_STRIDES, the output strides that it can be built with, a tuple of literals;
  optionally KERAS_APPLICATION or WEIGHTS_PACKAGE, where its ImageNet weights come from (stages/weights.py): a
    class of keras.applications, or a package of the registry with a PyTorch checkpoint in its folder models/;
  optionally Config, a frozen dataclass of keys of its own;
  build(images, output_stride, keys) -> Features (models/features.py);
  map_size(pixels, output_stride) -> int, cells of the last stage along a side of so many pixels.

`images` is RGB in 0..255, float32 [B, H, W, 3] of any size: the backbone normalises it. `keys` is the
module's Config, or None where it has none. Layers within blocks are named as models/features.py says
(`block_name`); their names are in every file of weights and never change. No layer's statistics may cross
images in training, or the docstring says so.

Files that start with an underscore hold what several backbones share.
"""
