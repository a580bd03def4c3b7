"""The keys of a config: names, types, limits, defaults and units.

A section is a frozen dataclass. Methods, backbones and heads declare their own as `Config` in their modules; the
others are here. `udas_tf.config` makes a config of all of them. The comment of each key is its line in
docs/configuration.md.

The defaults are the paper's setting, GTA5 to Cityscapes at 640x360 with DeepLab v2 on ResNet-101. Where the paper is
silent they are those of the code it builds on: AdaptSegNet, Seg-Uncertainty, CycleGAN. `None` means "not set", and the
comment says what follows from that.
"""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal

from msgspec import Meta

Positive = Annotated[int, Meta(ge=1)]
Count = Annotated[int, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Threshold = Annotated[float, Meta(gt=0.0, le=1.0)]
Weight = Annotated[float, Meta(ge=0.0)]
Size = tuple[Positive, Positive]  # height, width in pixels
Range = tuple[Annotated[float, Meta(gt=0.0)], Annotated[float, Meta(gt=0.0)]]  # least, greatest
Precision = Literal["float32", "mixed_bfloat16", "mixed_float16"]
Augmentation = Literal["none", "flip", "auto"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Training:
    """The keys of every training."""

    steps: Positive = 200_000  # optimizer steps, a multiple of log_every
    batch_size: Positive = 1  # images of each domain per step, over all replicas
    precision: Precision | None = None  # precision of this stage; None = the config's
    log_every: Positive = 100  # steps between two points in TensorBoard
    checkpoint_every: Positive = 2_000  # steps between two checkpoints, a multiple of log_every


@dataclasses.dataclass(frozen=True, kw_only=True)
class SegmenterTraining(Training):
    """The keys of every training of a segmenter: length, batch, optimizer, augmentation."""

    steps: Positive = 120_000  # optimizer steps, a multiple of log_every
    decay_steps: Positive | None = 250_000  # step at which the learning rate reaches 0; None = steps
    batch_size: Positive = 2  # images of each domain per step, over all replicas
    optimizer: Literal["sgd", "adamw"] = "sgd"  # sgd has momentum, and L2 decay in the gradient as PyTorch's
    learning_rate: float = 2.5e-4  # learning rate of the backbone at step 0
    poly_power: float = 0.9  # learning rate = learning_rate * (1 - step / decay_steps) ** poly_power
    momentum: float = 0.9  # momentum of sgd
    weight_decay: float = 5e-4  # decay of all trainable variables
    head_lr_multiplier: float = 10.0  # learning rate of the head / learning rate of the backbone
    weight_auxiliary: Weight = 0.1  # weight of the auxiliary classifier's cross entropy; the primary's has 1
    augment: Augmentation = "flip"  # flip = left to right; auto = flip, then AutoAugment
    autoaugment_probability: Share = 1.0  # probability of AutoAugment under "auto"; other images are only flipped
    scale_range: Range | None = None  # random enlargement of labelled images, cropped back to size; None = off


@dataclasses.dataclass(frozen=True, kw_only=True)
class Source:
    """The simulator's data set."""

    dataset: str = "streets"  # a module of udas_tf/data/sets, or auto = the one that fits the files in root
    root: str | None = None  # directory of the data set; None for streets, which is drawn
    class_map: str | None = None  # YAML file of `data map`: what its classes become in the run's; None = by name
    domain: str = "sim"  # domain of streets: sim, real, game, or one with parts of others, as in sim+game_look
    images: Positive | None = 2_000  # how many images of its training split, from the first; None = all


@dataclasses.dataclass(frozen=True, kw_only=True)
class Target:
    """The camera's data set."""

    dataset: str = "streets"  # as the source's
    root: str | None = None  # directory of the data set; None for streets, which is drawn
    class_map: str | None = None  # YAML file of `data map`: what its classes become in the run's; None = by name
    images: Positive | None = 500  # how many images of its training split, from the first; None = all
    extra: bool = False  # whether to add the split train_extra to the unlabelled images
    labelled: Count | None = 100  # label budget: how many images may be used with their labels; None = all
    label_seed: Count | None = None  # seed of the order in which images are labelled; None = the order of the files
    val: str = "val"  # split that rows are scored on; train_tail = the last labelled images of train, held out
    val_images: Positive | None = 100  # how many images of that split, from the first; None = all
    val_full_size: Size | None = None  # size of the labels for `evaluate --resolution=full`; None = not made


@dataclasses.dataclass(frozen=True, kw_only=True)
class Data:
    """Records and how they are read."""

    size: Size = (360, 640)  # height,width of every record, pixels
    shard_images: Positive = 256  # images per TFRecord shard
    cache: bool = False  # whether to keep decoded records in memory: for small sets only
    shuffle_buffer: Positive = 1_000  # images from which the next one is drawn at random
    # images with a class that fewer than this fraction of all images show come more often (LVIS); None = off
    repeat_factor_threshold: Threshold | None = None
    source: Source = Source()
    target: Target = Target()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Model:
    """The segmenter. Keys of one backbone or head are in the section of its name."""

    backbone: str = "resnet101"  # a module of udas_tf/models/backbones
    head: str = "deeplab_v2"  # a module of udas_tf/models/heads
    output_stride: Positive = 8  # pixels from one cell of the last features to the next; 8 or 16
    auxiliary: bool = True  # whether to train the auxiliary classifier, where the head has one
    # whether to compute blocks again in the backward pass: a third more work, a fraction of the memory
    gradient_checkpointing: bool = False
    initial_weights: str | None = None  # .weights.h5 file of the segmenter; None = random weights


@dataclasses.dataclass(frozen=True, kw_only=True)
class PseudoLabel:
    """How a teacher labels the target."""

    views: Positive = 3  # K, views of an image: the image itself and K - 1 that AutoAugment makes
    threshold: Share = 0.6  # confidence below which students ignore a pixel
    min_class_fraction: Share = 0.0  # fraction of a class's pixels to keep, by a lower threshold where needed
    desired_precision: Share = 0.9  # precision for which the audit suggests a threshold
    batch_size: Positive = 4  # images labelled at a time


@dataclasses.dataclass(frozen=True, kw_only=True)
class Translated:
    """The check of translated images: whether the judge (`translate.judge`) sees the same classes as before."""

    max_disagreement: Share | None = None  # fraction of an image's pixels that may change class; None = no check
    # an image that changes more comes untranslated (keep_source), or not at all (drop)
    on_disagreement: Literal["keep_source", "drop"] = "keep_source"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluate:
    """How rows are scored."""

    batch_size: Positive = 4  # images scored at a time
    every: Positive | None = None  # steps between scores during a training; None = only the last checkpoint is scored


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    """A row of the table: one network to train, or with rounds, one for each round."""

    stage: str  # method that trains the row, and section of its settings; a module of udas_tf/methods
    source: Literal["plain", "translated"] | None = None  # source images it reads; None = its teacher's, or plain
    mixed: bool | None = None  # whether Domain CutMix mixes in labelled target images; None = its teacher's, or false
    start: str | None = None  # row whose weights it starts from, or "teacher"; None = model.initial_weights
    teacher: str | None = None  # row that labels the target for it, in its first round; None = no pseudo-labels
    rounds: Positive | None = None  # how many students, each the teacher of the next; None = one network, no rounds
    without_labels: str | None = None  # row that replaces it as teacher or start where no label is used; None = no row
    default: bool = False  # whether `--stage` without `--name` means this row


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Keys outside any section."""

    seed: Count = 0  # seed of every random draw: data, initial weights, augmentation
    precision: Precision = "float32"  # precision that networks compute in; weights are float32 in any case
    replicas: Positive | None = None  # devices that share a batch; None = as many GPUs as share it evenly
    xla: bool = False  # whether to compile whole steps, on one device: on GPUs twice as fast after 2 minutes
    jobs: Positive = 1  # how many trainings `run` has going at a time on a CPU, each in a process of its own
    classes: str = "cityscapes"  # class set: cityscapes (19 classes), camvid (11) or the path of a classes.yaml
    rows: tuple[str, ...] = ()  # rows that `run` trains, in the order of the table
    data: Data = Data()
    model: Model = Model()
    translated: Translated = Translated()
    pseudo_label: PseudoLabel = PseudoLabel()
    evaluate: Evaluate = Evaluate()


# The paper's ablation table.
ROWS = {
    "no_adaptation": Row(stage="source", default=True),
    "translation": Row(stage="source", source="translated"),
    "adaptation": Row(stage="uda"),
    "translation_adaptation": Row(stage="uda", source="translated"),
    "cutmix": Row(stage="uda", source="translated", mixed=True, without_labels="translation_adaptation", default=True),
    "student": Row(stage="student", teacher="cutmix", rounds=3, default=True),
    "supervised": Row(stage="supervised", default=True),
}

# Keys of earlier versions -> today's. "*" is any section.
RENAMED = {
    "data.shuffle_images": "data.shuffle_buffer",
    "data.repeat_below": "data.repeat_factor_threshold",
    "model.network": "model.head",
    "model.width": "model.compact.width",
    "model.blocks": "model.compact.blocks",
    "model.aspp_rates": "model.deeplab_v2.rates or model.seg_uncertainty.rates",
    "model.squeeze_excite": "model.seg_uncertainty.squeeze_excite",
    "model.dropout": "model.seg_uncertainty.dropout or model.fcn.dropout",
    "model.recompute": "model.gradient_checkpointing",
    "*.schedule_steps": "*.decay_steps",
    "*.classifier_factor": "*.head_lr_multiplier",
    "*.lambda_seg": "*.weight_auxiliary",
    "*.auto_share": "*.autoaugment_probability",
    "*.scale": "*.scale_range",
    "translate.lambda_cyc": "translate.weight_cycle",
    "translate.lambda_identity": "translate.weight_identity",
    "translate.decay_from": "translate.decay_start",
    "translate.max_disagreement": "translated.max_disagreement",
    "translate.on_disagreement": "translated.on_disagreement",
    "uda.start_from": "row.NAME.start, the name of a row",
    "uda.adversary": "uda.discriminator_input",
    "uda.adversary_above": "uda.adversarial_above_accuracy",
    "pseudo_label.class_share": "pseudo_label.min_class_fraction",
    "pseudo_label.wanted_precision": "pseudo_label.desired_precision",
    "student.start_from": "row.student.start",
    "student.teacher": "row.student.teacher",
    "student.rounds": "row.student.rounds",
    "student.mix_pseudo": "student.cutmix_pseudo",
    "student.class_balance": "student.class_weight_power",
}
