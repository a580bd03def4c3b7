"""Export of trained segmenters for programs without this package: one module per format.

A module declares FILE, the file by which a directory is recognised as a model of the format. It has the functions
`save(segmenter, path, description, frozen)` and `load(path) -> ServedModel`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from udas_tf import plugins
from udas_tf.errors import UserError

if TYPE_CHECKING:  # it brings TensorFlow, which the help of `export` does without
    from udas_tf.serving._served import ServedModel

PACKAGE = "udas_tf.serving"
DEFAULT = "saved_model"


def load(path: Path) -> ServedModel:
    """Loads an exported model of any format; UserError when there is none in the directory, or a damaged one."""
    for name in plugins.names(PACKAGE):
        if (path / plugins.declarations(PACKAGE, name).constants["FILE"]).is_file():
            return plugins.load(PACKAGE, name, "format").load(path)
    raise UserError(
        f"{path} is not a model that `udas export` wrote; run first: "
        f"bin/udas export --stage=student --round=1 --output={path}"
    )
