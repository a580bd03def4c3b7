"""What would keep a stage of a config from being trained, found before anything is done for it."""

from __future__ import annotations

from collections.abc import Iterable

from udas_tf.data import repeat_factors
from udas_tf.errors import UserError
from udas_tf.losses.adversarial import LOSSES
from udas_tf.losses.segmentation import AGREEMENTS
from udas_tf.methods.output_adaptation import ADVERSARIES
from udas_tf.models.discriminators import OF_OUTPUTS
from udas_tf.models.generators import UPSAMPLING

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
CHOICES = {  # of keys of a segmenter's training
    "optimizer": ("sgd", "adamw"),
    "augment": ("none", "flip", "auto"),
    "augment_mixed": ("none", "flip", "auto"),
    "augment_pseudo": ("none", "flip", "auto"),
    "adversary": ADVERSARIES,
    "adversarial_loss": LOSSES,
    "discriminator": OF_OUTPUTS,
    "discriminator_optimizer": ("adam", "sgd"),
    "kl": AGREEMENTS,
}
SMALLEST_MAP = 32  # pixels that the five halvings of the fully convolutional discriminator leave one of


def check(config, name: str) -> None:
    """UserError naming the key of a section of the config, or of what it needs, that cannot be as it is.

    Args:
      name: of the section: source, supervised, translate, uda or student.
    """
    section = config[name]
    one_of("precision", config.precision, PRECISIONS)
    if section.get("precision"):
        one_of(f"{name}.precision", section.precision, PRECISIONS)
    for key, choices in CHOICES.items():
        if key in section:
            one_of(f"{name}.{key}", section[key], choices)
    _check_steps(config, name)
    _check_batch(config, name)
    _at_least_one(config, "data.shuffle_images")
    if config.data.repeat_below:
        repeat_factors.check_share(config.data.repeat_below)
    if "scale" in section and not 0 < section.scale[0] <= section.scale[1]:
        raise UserError(f"{name}.scale={section.scale}; expected lowest,highest with 0 < lowest <= highest")
    if name == "translate":
        _check_translation(config)
    if name == "uda":
        _check_features(config)
    if name == "student":
        _at_least_one(config, "pseudo_label.views")
        _at_least_one(config, "pseudo_label.batch_size")
        if section.weight_consistency:
            _at_least_one(config, "student.consistency_views")
    _at_least_one(config, "evaluate.batch_size")


def one_of(key: str, value: str, choices: Iterable[str]) -> None:
    """UserError with the choices when the value of a config key is none of them."""
    if value not in choices:
        raise UserError(f"{key}={value!r} is unknown; expected one of {', '.join(choices)}")


def _check_steps(config, name: str) -> None:
    section = config[name]
    _at_least_one(config, f"{name}.log_every")
    for key in ("steps", "checkpoint_every"):
        _multiple(f"{name}.{key}", section[key], f"{name}.log_every", section.log_every)
    if name == "translate":
        return
    if section.schedule_steps < section.steps:
        raise UserError(
            f"{name}.schedule_steps={section.schedule_steps} is less than {name}.steps={section.steps}: the learning rate "
            "would be 0 for the rest; choose at least as many"
        )
    if config.evaluate.every:
        _multiple("evaluate.every", config.evaluate.every, f"{name}.log_every", section.log_every)


def _check_batch(config, name: str) -> None:
    _at_least_one(config, f"{name}.batch_size")
    size = config[name].batch_size
    if config.replicas < 0:
        raise UserError(f"replicas={config.replicas}; expected 0 or more")
    if config.xla and config.replicas > 1:
        raise UserError(
            f"xla=True compiles steps for one device, and replicas={config.replicas}; choose one of them"
        )
    if config.replicas and size % config.replicas:
        raise UserError(
            f"{name}.batch_size={size} cannot be shared evenly by replicas={config.replicas}; choose a multiple, or "
            "replicas=0, with which each stage uses as many GPUs as can"
        )


def _check_translation(config) -> None:
    section = config.translate
    one_of("translate.upsampling", section.upsampling, UPSAMPLING)
    one_of("translate.on_disagreement", section.on_disagreement, ("keep_source", "drop"))
    if not 0.0 <= section.max_disagreement <= 1.0:
        raise UserError(f"translate.max_disagreement={section.max_disagreement}; expected 0 (no check) to 1")
    crop, size = tuple(config.translate.crop), tuple(config.data.size)
    if crop != (0, 0) and not (0 < crop[0] <= size[0] and 0 < crop[1] <= size[1]):
        raise UserError(
            f"translate.crop={crop} is no part of data.size={size}; expected 1 to that many pixels each way, or 0,0 for "
            "whole images"
        )


def _check_features(config) -> None:
    if config.uda.adversary != "features" or config.uda.discriminator != "fully_convolutional":
        return
    stride = config.model.output_stride
    rounding = stride - 1 if config.model.backbone == "efficientnet_lite0" else 1  # see models/resnet.py
    smallest = (min(config.data.size) + rounding) // stride + 1
    if smallest < SMALLEST_MAP:
        raise UserError(
            f"uda.adversary='features' shows the discriminator maps of {smallest} pixels at data.size="
            f"{tuple(config.data.size)}, and 'fully_convolutional' takes {SMALLEST_MAP} or more; set "
            "uda.discriminator=pixelwise"
        )


def _at_least_one(config, key: str) -> None:
    section, _, name = key.rpartition(".")
    value = config[section][name]
    if value < 1:
        raise UserError(f"{key}={value}; expected 1 or more")


def _multiple(key: str, value: int, of: str, whole: int) -> None:
    if value <= 0 or value % whole:
        raise UserError(f"{key}={value} is not a multiple of {of}={whole}; choose one that is")
