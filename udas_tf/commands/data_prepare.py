"""Write the data sets of a run, or one data set for many runs, as records."""

from __future__ import annotations

from absl import flags, logging

from udas_tf import config as configs
from udas_tf.commands import _flags, _opening
from udas_tf.commands._flags import Arguments
from udas_tf.data import class_file, sets
from udas_tf.data.recognition import AUTO
from udas_tf.errors import UserError
from udas_tf.loading import loading_tensorflow

NAME = "data prepare"


def define(values: flags.FlagValues) -> None:
    flags.DEFINE_enum(
        "dataset",
        None,
        [AUTO, *(dataset.name for dataset in sets.of_files())],
        "prepare all splits of this data set, which runs then read with data.source.dataset=records (or target); "
        "auto = the one that is recognised in --root; without this flag the sets of the workdir's run are prepared",
        flag_values=values,
    )
    layouts = ". ".join(f"{dataset.name}: {dataset.layout}" for dataset in sets.of_files())
    flags.DEFINE_string(
        "root",
        None,
        f"where the data set lies, as its owners publish it. {layouts}",
        flag_values=values,
    )
    flags.DEFINE_string("output", None, "directory for the records of the data set, OUTPUT/SPLIT", flag_values=values)
    flags.DEFINE_bool(
        "strict",
        False,
        "stop at the first unreadable, mis-sized, unpaired or wrongly labelled file; without it they are skipped and "
        "listed",
        flag_values=values,
    )
    _flags.on_run(values)


def run(arguments: Arguments) -> None:
    if arguments.dataset:
        _prepare_dataset(arguments)
        return
    if arguments.root or arguments.output:
        raise UserError("--root and --output belong to --dataset; a run's data sets are in its config")
    opened = _opening.opened(arguments)
    _opening.save(opened)
    with loading_tensorflow():
        from udas_tf.runs.records import prepare
    prepare(opened, arguments.strict)


def _prepare_dataset(arguments: Arguments) -> None:
    if not (arguments.root and arguments.output) or arguments.workdir:
        raise UserError("`udas data prepare --dataset=NAME` needs --root and --output, and takes no --workdir")
    config = configs.override(configs.load(arguments.config or "configs/base.py"), arguments.overrides)
    # Without a config that says otherwise, the data set keeps its own classes.
    own = not arguments.config and "classes" not in arguments.overrides
    classes = None if own else class_file.class_set(config.classes)
    with loading_tensorflow():
        from udas_tf.runs.records import REPORT, prepare_dataset, table
    prepared = prepare_dataset(config, classes, arguments.dataset, arguments.root, arguments.output, arguments.strict)
    print(table(prepared))
    logging.info(
        "runs read this with dataset 'records' and root %s; %s there lists what was skipped",
        arguments.output,
        REPORT,
    )
