"""Discriminators of ADVENT. Its segmenters are adaptsegnet.py's."""

from __future__ import annotations

from udas_tf.models.importers.format import Format

FORMATS = (
    Format(
        "discriminator of ADVENT",
        "output_discriminator",
        "8.weight",
        (
            *((rf"conv{index + 1}", str(2 * index), "") for index in range(4)),
            (r"classifier", "8", ""),
        ),
    ),
)
