"""What is measured: workloads by suite, and the sizes they are measured at."""

from __future__ import annotations

import dataclasses

from udas_tf.errors import UserError


@dataclasses.dataclass(frozen=True)
class Scale:
    """Sizes of a measurement; the defaults are those that figures are published for.

    Attributes:
      size: (height, width) of the segmenter's images.
      original: (height, width) of the image files that records are made of.
      crop: (height, width) of CycleGAN's images.
      map_size: (height, width) of the label maps that are scored.
      maps: how many of them.
      backbone: of the segmenter, a key of deeplab_v2.BACKBONES.
      width: filters of the compact backbone, of CycleGAN's networks and of the discriminators of segmentations.
      blocks: residual blocks of CycleGAN's generators.
      batch: images of each domain in a training step.
      loaded_batch: images of each domain in a batch of the input pipeline.
      views: K.
      images: images in a data set.
      classes: of the segmenter: a class set, as the config's key takes it.
      replicas: that a training step is split over; 0 = every GPU, or the CPU.
      seconds: how long calls of one process are repeated; two warm-up calls and two more are made in any case.
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
    replicas: int = 0
    seconds: float = 10.0

    def enlarged(self, times: int) -> Scale:
        """The same with the segmenter's images `times` as high and as wide."""
        height, width = self.size
        return dataclasses.replace(self, size=(times * height, times * width))


FULL = Scale()
# Seconds for all of it: shows that everything runs, measures nothing.
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
      name: of its row.
      suite: what --suite selects.
      unit: of its figure, a time.
      task: the module of `udas_tf.bench.tasks` with its `measure`.
      options: further arguments of `measure`.
      repeats: False for what is too long to be repeated.
      asked_for: only where --suite names it.
    """

    name: str
    suite: str
    unit: str
    task: str
    options: dict = dataclasses.field(default_factory=dict)
    repeats: bool = True
    asked_for: bool = False


WORKLOADS = (
    Workload("adapt_bf16", "adapt_bf16", "ms/step", "adapt", {"precision": "mixed_bfloat16"}),
    Workload(
        "adapt_bf16_recomputed",
        "adapt_bf16",
        "ms/step",
        "adapt",
        {"precision": "mixed_bfloat16", "recompute": True},
    ),
    Workload(
        "adapt_bf16_fed", "adapt_bf16", "ms/step", "adapt", {"precision": "mixed_bfloat16", "fed": True}
    ),
    Workload("adapt_fp32", "adapt_fp32", "ms/step", "adapt", {"precision": "float32"}),
    Workload("inference_bf16", "inference", "ms/image", "infer", {"precision": "mixed_bfloat16"}),
    Workload("inference_fp32", "inference", "ms/image", "infer", {"precision": "float32"}),
    Workload(
        "inference_bf16_frozen",
        "inference",
        "ms/image",
        "infer",
        {"precision": "mixed_bfloat16", "frozen": True},
    ),
    Workload(
        "inference_fp32_frozen", "inference", "ms/image", "infer", {"precision": "float32", "frozen": True}
    ),
    Workload("cyclegan", "cyclegan", "ms/step", "cyclegan", {"precision": "mixed_bfloat16"}),
    Workload("input", "input", "ms/image", "load"),
    Workload("augment", "augment", "ms/image", "augment"),
    Workload("pseudo_label", "pseudo_label", "ms/image", "label", {"precision": "mixed_bfloat16"}),
    Workload("evaluate", "evaluate", "ms/map", "evaluate"),
    Workload(
        "adapt_720",
        "adapt_720",
        "ms/step",
        "adapt",
        {"precision": "mixed_bfloat16", "enlarged": 2},
        repeats=False,
    ),
    Workload(
        "adapt_720_recomputed",
        "adapt_720",
        "ms/step",
        "adapt",
        {"precision": "mixed_bfloat16", "enlarged": 2, "recompute": True},
        repeats=False,
    ),
    # For a GPU: on a CPU XLA's convolutions take three times as long.
    Workload(
        "adapt_xla",
        "adapt_xla",
        "ms/step",
        "adapt",
        {"precision": "mixed_bfloat16", "xla": True},
        asked_for=True,
    ),
    Workload(
        "adapt_xla_fed",
        "adapt_xla",
        "ms/step",
        "adapt",
        {"precision": "mixed_bfloat16", "xla": True, "fed": True},
        asked_for=True,
    ),
    Workload(
        "adapt_720_xla",
        "adapt_xla",
        "ms/step",
        "adapt",
        {"precision": "mixed_bfloat16", "xla": True, "enlarged": 2},
        repeats=False,
        asked_for=True,
    ),
    Workload(
        "cyclegan_xla",
        "cyclegan_xla",
        "ms/step",
        "cyclegan",
        {"precision": "mixed_bfloat16", "xla": True},
        asked_for=True,
    ),
    Workload("quickstart", "quickstart", "s", "quickstart", repeats=False),
    Workload("startup_help", "startup", "s", "startup", {"what": "help"}),
    Workload("startup_first_step", "startup", "s", "startup", {"what": "first_step"}),
)
SUITES = tuple(dict.fromkeys(workload.suite for workload in WORKLOADS))


def selected(suite: str | None) -> list[Workload]:
    """The workloads of a suite, without one those that need no asking for; UserError when there is no such suite."""
    if suite is not None and suite not in SUITES:
        raise UserError(f"--suite={suite} is no suite; expected one of {', '.join(SUITES)}")
    if suite is None:
        return [workload for workload in WORKLOADS if not workload.asked_for]
    return [workload for workload in WORKLOADS if workload.suite == suite]
