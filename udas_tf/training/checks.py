"""Checks between keys of a config, made before a stage is trained.

Types and limits of single keys are in `udas_tf.schema`.
"""

from __future__ import annotations

from ml_collections import ConfigDict

from udas_tf.errors import UserError


def check_training(config: ConfigDict, stage: str) -> None:
    """Raises a UserError that names the keys, where keys of a stage do not go together."""
    section = config[stage]
    for key in ("steps", "checkpoint_every"):
        _require_multiple(f"{stage}.{key}", section[key], f"{stage}.log_every", section.log_every)
    if config.xla and (config.replicas or 1) > 1:
        raise UserError(f"xla=True compiles steps for one device, and replicas={config.replicas}; choose one of them")
    if config.replicas and section.batch_size % config.replicas:
        raise UserError(
            f"{stage}.batch_size={section.batch_size} cannot be shared evenly by replicas={config.replicas}; choose a "
            "multiple, or replicas=none, with which each stage uses as many GPUs as share its batch"
        )


def check_segmenter_training(config: ConfigDict, stage: str) -> None:
    """`check_training`, and what all trainings of a segmenter need besides."""
    check_training(config, stage)
    section = config[stage]
    if section.decay_steps is not None and section.decay_steps < section.steps:
        raise UserError(
            f"{stage}.decay_steps={section.decay_steps} is less than {stage}.steps={section.steps}: the learning rate "
            "would be 0 for the rest; choose at least as many, or none for as many"
        )
    if section.scale_range is not None and section.scale_range[0] > section.scale_range[1]:
        raise UserError(f"{stage}.scale_range={tuple(section.scale_range)}; expected least,greatest")
    if config.evaluate.every is not None:
        _require_multiple("evaluate.every", config.evaluate.every, f"{stage}.log_every", section.log_every)


def _require_multiple(key: str, value: int, of: str, unit: int) -> None:
    if value % unit:
        raise UserError(f"{key}={value} is not a multiple of {of}={unit}; choose one that is")
