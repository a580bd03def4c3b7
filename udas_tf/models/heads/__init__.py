"""Heads: from a backbone's features to the logits of each level. One module each, found by its name.

A module NAME.py, chosen by the config's `model.head`, has

  a docstring whose first line says what it is;
  LEVELS, the levels it can have, the primary one first: ("primary",) or ("primary", "auxiliary");
  AT_IMAGE_SIZE, whether its logits have the image's size; otherwise they have the size of the maps it reads;
  optionally Config, a frozen dataclass of keys of its own;
  build(features, num_classes, levels, keys) -> {level: logits} for these levels, float32 [B, h, w, num_classes]
    whatever the dtype policy.

`keys` is the module's Config, or None where it has none. Layers of a level are named "LEVEL_classifier_...",
which makes their variables classifier variables (`segmenter.classifier_variables`). Names never change: they
are in every file of weights.
"""
