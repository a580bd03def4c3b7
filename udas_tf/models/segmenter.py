"""Segmenters: networks from images to the logits of their levels, a head on a backbone."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import keras

from udas_tf import plugins
from udas_tf.errors import UserError
from udas_tf.models.features import Features
from udas_tf.models.gradient_checkpointing import GradientCheckpointing
from udas_tf.models.layers import CropLike, ResizeLike

BACKBONES = "udas_tf.models.backbones"
HEADS = "udas_tf.models.heads"


def build(
    backbone: str,
    head: str,
    num_classes: int = 19,
    output_stride: int = 8,
    auxiliary: bool = True,
    backbone_keys: Any = None,
    head_keys: Any = None,
    gradient_checkpointing: bool = False,
) -> keras.Model:
    """A segmenter with random weights.

    Args:
      backbone, head: modules of BACKBONES and HEADS.
      num_classes: C.
      output_stride: pixels of the image between two cells of the last stage; one of the backbone's
        OUTPUT_STRIDES.
      auxiliary: whether to build the auxiliary level, where the head has one.
      backbone_keys, head_keys: attributes as the module's Config, or None for its defaults.
      gradient_checkpointing: training computes the backbone's blocks twice instead of keeping their insides.

    Returns:
      Functional model named as the head. Input "images": RGB [B, height, width, 3] of any size, uint8 or
      float, in 0..255. Output: {level: logits}, float32 [B, h, w, C] whatever the dtype policy, the primary
      level first. h and w are the image's, or those of the maps that the level reads; then
      `kernels.upsampling.upsample` takes the logits to the image's size.

    Raises:
      UserError: for an unknown backbone or head, an output stride that the backbone does not have, keys that
        do not fit, or gradient checkpointing of a network without blocks.
    """
    backbone_module = plugins.load(BACKBONES, backbone, "model.backbone")
    head_module = plugins.load(HEADS, head, "model.head")
    if output_stride not in backbone_module.OUTPUT_STRIDES:
        strides = " or ".join(map(str, backbone_module.OUTPUT_STRIDES))
        raise UserError(f"model.output_stride={output_stride}; expected {strides} with model.backbone={backbone}")
    images = keras.Input((None, None, 3), name="images", dtype="float32")
    features = backbone_module.build(images, output_stride, _keys(backbone_module, backbone_keys))
    levels = head_module.LEVELS if auxiliary else head_module.LEVELS[:1]
    logits = head_module.build(features, num_classes, levels, _keys(head_module, head_keys))
    if features.padded is not None and not head_module.AT_IMAGE_SIZE:
        logits = {level: _at_image_size(maps, features, level) for level, maps in logits.items()}
    if gradient_checkpointing:
        return GradientCheckpointing(images, logits, name=head)
    return keras.Model(images, logits, name=head)


def classifier_variables(segmenter: keras.Model) -> list[keras.Variable]:
    """Trainable variables of the classifiers of all levels: those that learn ten times faster."""
    classifiers = ("primary_classifier_", "auxiliary_classifier_")
    return [variable for variable in segmenter.trainable_variables if variable.path.startswith(classifiers)]


def _keys(module: ModuleType, keys: Any) -> Any:
    return module.Config() if keys is None and hasattr(module, "Config") else keys


def _at_image_size(logits: keras.KerasTensor, features: Features, level: str) -> keras.KerasTensor:
    """Logits of cells that tile the padded image, enlarged edges on edges and cropped to the images."""
    enlarged = ResizeLike(dtype="float32", name=f"{level}_enlarged")([logits, features.padded])
    return CropLike(dtype="float32", name=f"{level}_cropped")([enlarged, features.images])
