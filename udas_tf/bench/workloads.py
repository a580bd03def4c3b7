"""What is measured, by suite, and the sizes it is measured at."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from udas_tf.errors import UserError


@dataclasses.dataclass(frozen=True)
class Scale:
    """Sizes of a measurement. The published figures have the defaults.

    Attributes:
      size: (height, width) of the segmenter's images.
      original: (height, width) of the image files that records are made from.
      crop: (height, width) of CycleGAN's images.
      map_size: (height, width) of the label maps that are scored.
      maps: number of label maps that are scored.
      backbone: of the segmenter, a module of models/backbones.
      width: filters of the compact backbone, of CycleGAN's networks and of the discriminators of segmentations.
      blocks: residual blocks of CycleGAN's generators.
      batch: images of each domain in a training step.
      loaded_batch: images of each domain in a batch of the input pipeline.
      views: K.
      images: images in a data set.
      classes: class set of the segmenter, a value of the config's key `classes`.
      replicas: devices that share a training step; None = every GPU, or the CPU.
      seconds: the least time that one process repeats calls for. It makes two warm-up calls and two more in any case.
    """

    size: tuple[int, int] = (360, 640)
    original: tuple[int, int] = (1052, 1914)
    crop: tuple[int, int] = (256, 512)
    map_size: tuple[int, int] = (1024, 2048)
    maps: int = 500
    backbone: str = "resnet101"
    width: int = 64
    blocks: int = 9
    batch: int = 1
    loaded_batch: int = 4
    views: int = 3
    images: int = 16
    classes: str = "cityscapes"
    replicas: int | None = None
    seconds: float = 10.0

    @classmethod
    def of_json(cls, fields: Mapping[str, Any]) -> Scale:
        """The scale with these fields, in which sizes are lists."""
        values: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()
        }
        return cls(**values)

    def enlarged(self, times: int) -> Scale:
        """The same with the segmenter's images `times` as high and `times` as wide."""
        height, width = self.size
        return dataclasses.replace(self, size=(times * height, times * width))


FULL = Scale()
# Runs in seconds. It shows that everything works and measures nothing.
TINY = Scale(
    size=(48, 96),
    original=(96, 192),
    crop=(32, 48),
    map_size=(64, 128),
    maps=8,
    backbone="compact",
    width=8,
    blocks=1,
    loaded_batch=2,
    images=8,
    seconds=0.0,
)


@dataclasses.dataclass(frozen=True)
class Workload:
    """One thing that is measured.

    Attributes:
      name: of its row in the table.
      suite: value of --suite that selects it.
      unit: of its figure: a time, or a time per unit of the work.
      task: module of `udas_tf.bench.tasks` with its `measure`.
      options: further arguments of `measure`.
      repeats: False where it takes too long to be repeated.
      optional: measured only where --suite names its suite.
    """

    name: str
    suite: str
    unit: str
    task: str
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    repeats: bool = True
    optional: bool = False


FP32 = {"precision": "float32"}
BF16 = {"precision": "mixed_bfloat16"}
XLA = BF16 | {"xla": True}  # for GPUs: on a CPU XLA's convolutions take three times as long
WORKLOADS = (
    Workload("adapt_bf16", "adapt_bf16", "ms/step", "adapt", BF16),
    Workload("adapt_bf16_recomputed", "adapt_bf16", "ms/step", "adapt", BF16 | {"gradient_checkpointing": True}),
    Workload("adapt_bf16_fed", "adapt_bf16", "ms/step", "adapt", BF16 | {"fed": True}),
    Workload("adapt_fp32", "adapt_fp32", "ms/step", "adapt", FP32),
    Workload("inference_bf16", "inference", "ms/image", "infer", BF16),
    Workload("inference_fp32", "inference", "ms/image", "infer", FP32),
    Workload("inference_bf16_frozen", "inference", "ms/image", "infer", BF16 | {"frozen": True}),
    Workload("inference_fp32_frozen", "inference", "ms/image", "infer", FP32 | {"frozen": True}),
    Workload("cyclegan", "cyclegan", "ms/step", "cyclegan", BF16),
    Workload("input", "input", "ms/image", "load"),
    Workload("augment", "augment", "ms/image", "augment"),
    Workload("pseudo_label", "pseudo_label", "ms/image", "label", BF16),
    Workload("evaluate", "evaluate", "ms/map", "evaluate"),
    Workload("adapt_720", "adapt_720", "ms/step", "adapt", BF16 | {"enlarged": 2}, repeats=False),
    Workload(
        "adapt_720_recomputed",
        "adapt_720",
        "ms/step",
        "adapt",
        BF16 | {"enlarged": 2, "gradient_checkpointing": True},
        repeats=False,
    ),
    Workload("adapt_xla", "adapt_xla", "ms/step", "adapt", XLA, optional=True),
    Workload("adapt_xla_fed", "adapt_xla", "ms/step", "adapt", XLA | {"fed": True}, optional=True),
    Workload("adapt_720_xla", "adapt_xla", "ms/step", "adapt", XLA | {"enlarged": 2}, repeats=False, optional=True),
    Workload("cyclegan_xla", "cyclegan_xla", "ms/step", "cyclegan", XLA, optional=True),
    Workload("quickstart", "quickstart", "s", "quickstart", repeats=False),
    Workload("startup_help", "startup", "s", "startup", {"what": "help"}),
    Workload("startup_first_step", "startup", "s", "startup", {"what": "first_step"}),
)
SUITES = tuple(dict.fromkeys(workload.suite for workload in WORKLOADS))


def selected(suite: str | None) -> list[Workload]:
    """The workloads of a suite, or without a suite all that are not optional; UserError for an unknown suite."""
    if suite is not None and suite not in SUITES:
        raise UserError(f"--suite={suite} is no suite; expected one of {', '.join(SUITES)}")
    if suite is None:
        return [workload for workload in WORKLOADS if not workload.optional]
    return [workload for workload in WORKLOADS if workload.suite == suite]
