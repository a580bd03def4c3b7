"""keras-cv, an optional dependency."""

from __future__ import annotations

from types import ModuleType

from udas_tf.errors import UserError


def keras_cv(what: str) -> ModuleType:
    """The package; UserError where it is not installed, naming `what` needs it."""
    try:
        import keras_cv
    except ModuleNotFoundError as error:
        if error.name != "keras_cv":
            raise
        raise UserError(
            f"{what} needs keras-cv, which is not installed; run: pip install 'udas_tf[baselines]'"
        ) from error
    return keras_cv
