"""What each command of `udas` does.

A verb imports its stage itself, after every check of flags and config, since stages bring TensorFlow.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from ml_collections import ConfigDict

from udas_tf import command_flags as takes
from udas_tf import config as configs
from udas_tf import processes, processor
from udas_tf.errors import UserError
from udas_tf.loading import loading_tensorflow
from udas_tf.run_dir import RunDir
from udas_tf.stages import budgets, rounds

Given = SimpleNamespace  # each flag of the verb by its name, and `overrides`: config key -> text


@dataclasses.dataclass(frozen=True)
class Verb:
    """One command: its line in the help, what it does, its flags (definitions waiting for `flag_values`)."""

    summary: str
    call: Callable[[Given], None]
    flags: tuple[Callable[..., Any], ...]
    required: tuple[str, ...] = ()


def _run_dir(given: Given) -> RunDir:
    return RunDir(given.workdir or os.environ.get("UDAS_WORKDIR") or "runs/default")


def _saved(given: Given) -> ConfigDict | None:
    """The config of the run in the workdir; None where there is no run."""
    file = _run_dir(given).config
    return configs.load(file) if file.is_file() else None


def _config(given: Given, saved: ConfigDict | None) -> ConfigDict:
    """The config of a command: the one named, or else the saved one, with the keys given on the command line."""
    if given.config or saved is None:
        saved = configs.load(given.config or "configs/quickstart.py")
    return configs.override(saved, given.overrides)


def _open_run(given: Given, saves: bool) -> tuple[ConfigDict, RunDir]:
    """The config and the directory of a command that reads or writes a run.

    Args:
      given: with the flags of ON_RUN.
      saves: whether the command writes what later commands read; its config is then saved with the run.

    Raises:
      UserError: also when the run was made with another config and --accept_config_change is not given.
    """
    run_dir = _run_dir(given)
    saved = _saved(given)
    config = _config(given, saved)
    changes = [] if saved is None else configs.differences(saved, config)
    if changes and not given.accept_config_change and _begun(run_dir):
        raise UserError(
            f"{run_dir.path} holds a run of another config ({configs.told(changes)}); "
            "choose another --workdir, leave the config as it was or add --accept_config_change"
        )
    if hasattr(given, "stage"):
        _check_row(config, given)
    if saves and (changes or saved is None):
        configs.save(config, run_dir.config)
    return config, run_dir


def _begun(run_dir: RunDir) -> bool:
    """Whether a run holds anything but a config, which may have been a mistake."""
    return any(path != run_dir.config for path in run_dir.path.iterdir())


def _check_row(config: ConfigDict, given: Given) -> None:
    """Whether --stage, --round and --name belong together."""
    if given.stage != "translate":
        rounds.find(config, given.stage, given.round, given.name)
    elif given.round is not None or given.name is not None:
        raise UserError("--stage=translate takes neither --round nor --name")


def _scores(stage: Callable[[], dict[str, Any]], as_json: bool) -> dict[str, Any]:
    """What a stage returns; with `as_json`, printed so that nothing else appears on standard output."""
    if not as_json:
        return stage()
    with contextlib.redirect_stdout(sys.stderr):
        result = stage()
    print(json.dumps(result, allow_nan=False))
    return result


def _run(given: Given) -> None:
    if given.dry_run:
        _dry_run(_config(given, _saved(given)))
        return
    path = _run_dir(given).path
    if not given.resume and path.is_dir() and any(path.iterdir()):
        raise UserError(f"--resume=false needs an unused --workdir, and {path} is not empty; choose another")
    config, run_dir = _open_run(given, saves=True)
    if given.reuse:
        from udas_tf.stages import sharing

        sharing.share(config, run_dir, sharing.runs_in(given.reuse))
    if min(config.jobs, processor.cores()) > 1 and not processor.GPU.exists():
        processes.load_ahead()
    with loading_tensorflow():
        from udas_tf.report.tables import score_table
        from udas_tf.stages.run import run
    print(score_table(run(config, run_dir)["rows"]))
    print(f"The report lies in {run_dir.report}")


def _dry_run(config: ConfigDict) -> None:
    with loading_tensorflow():
        from udas_tf.stages.dry_run import dry_run
    for line in dry_run(config):
        print(line, flush=True)
    print("Every stage can be built and trained; nothing was read or written")


def _train(given: Given) -> None:
    config, run_dir = _open_run(given, saves=True)
    with loading_tensorflow():
        from udas_tf.stages.train import train
    train(config, run_dir, given.stage, given.round, given.name)


def _translate(given: Given) -> None:
    config, run_dir = _open_run(given, saves=True)
    with loading_tensorflow():
        from udas_tf.stages.translate import translate
    translate(config, run_dir)


def _pseudo_label(given: Given) -> None:
    config, run_dir = _open_run(given, saves=True)
    with loading_tensorflow():
        from udas_tf.stages.pseudo_label import pseudo_label
    pseudo_label(config, run_dir, given.round)


def _evaluate(given: Given) -> None:
    config, run_dir = _open_run(given, saves=False)
    with loading_tensorflow():
        from udas_tf.report.tables import score_table
        from udas_tf.stages.evaluate import evaluate
    row = (given.stage, given.round, given.name)
    asked = (*row, given.on, given.views, given.resolution)
    result = _scores(lambda: evaluate(config, run_dir, *asked), given.json)
    if not given.json:
        print(score_table([result]))


def _sweep(given: Given) -> None:
    labels, seeds = budgets.parse(given.labels), budgets.numbers(given.seeds, "--seeds")
    config, run_dir = _open_run(given, saves=True)
    with loading_tensorflow():
        from udas_tf.stages.sweep import RESULTS, sweep
    _scores(lambda: sweep(config, run_dir, labels, seeds, given.reuse or ()), given.json)
    if not given.json:
        results = run_dir.path / RESULTS
        print((results / "table.txt").read_text(encoding="utf-8"))
        print(f"The table and the plot lie in {results}")


def _predict(given: Given) -> None:
    with loading_tensorflow():
        from udas_tf.stages.predict import predict
    predict(given.model, given.images, given.output, given.own_size)


def _export(given: Given) -> None:
    config, run_dir = _open_run(given, saves=False)
    size = _size(given.size) if given.size else None
    with loading_tensorflow():
        from udas_tf.stages.export import export
    export(config, run_dir, given.stage, given.round, given.name, given.output, size, given.frozen)


def _size(texts: list[str]) -> tuple[int, int]:
    if len(texts) != 2 or not all(text.strip().isdecimal() and int(text) > 0 for text in texts):
        raise UserError(f"--size={','.join(texts)}; expected height,width in pixels, as in --size=360,640")
    height, width = map(int, texts)
    return height, width


def _data_prepare(given: Given) -> None:
    if given.dataset:
        _prepare_dataset(given)
        return
    if given.root or given.output:
        raise UserError("--root and --output belong to --dataset; a run's data sets are in its config")
    config, run_dir = _open_run(given, saves=True)
    with loading_tensorflow():
        from udas_tf.stages.data import prepare
    prepare(config, run_dir, given.strict)


def _prepare_dataset(given: Given) -> None:
    if not (given.root and given.output) or given.workdir:
        raise UserError(
            "`udas data prepare --dataset=NAME` needs --root and --output, and takes no --workdir"
        )
    # Without a config that says otherwise, the data set keeps its own classes.
    overrides = given.overrides if given.config else {"classes": "", **given.overrides}
    config = configs.override(configs.load(given.config or "configs/base.py"), overrides)
    with loading_tensorflow():
        from udas_tf.stages.data import REPORT, prepare_dataset, report_table
    report = prepare_dataset(config, given.dataset, given.root, given.output, given.strict)
    print(report_table(report))
    print(
        f"Runs read this with dataset 'records' and root {given.output}; {REPORT} there lists what was skipped"
    )


def _data_inspect(given: Given) -> None:
    config, run_dir = _open_run(given, saves=False)
    with loading_tensorflow():
        from udas_tf.stages.inspect import inspect
    sets = (given.source, given.target, given.images)
    _scores(lambda: inspect(config, run_dir, given.output, *sets), given.json)


def _weights_import(given: Given) -> None:
    config = _config(given, _saved(given))
    with loading_tensorflow():
        from udas_tf.stages.weights import import_weights
    import_weights(config, vars(given)["from"], given.network, given.output)


def _report(given: Given) -> None:
    config, run_dir = _open_run(given, saves=False)
    with loading_tensorflow():
        from udas_tf.report.tables import score_table
        from udas_tf.stages.report import report
    result = _scores(lambda: report(config, run_dir, given.runs or ()), given.json)
    if not given.json:
        print(score_table(result["rows"]))
        print(f"The report lies in {run_dir.report}")


def _bench(given: Given) -> None:
    from udas_tf.bench.rows import table
    from udas_tf.bench.run import bench

    rows = bench(given.suite, given.repeats)
    print(json.dumps(rows, allow_nan=False) if given.json else table(rows))


VERBS = {
    "run": Verb(
        "The whole method: data, every row of the table, the report",
        _run,
        (*takes.ON_RUN, takes.RESUME, takes.DRY_RUN, takes.REUSE),
    ),
    "train": Verb(
        "Train one row of the table, or the translation",
        _train,
        (takes.TRAINED, *takes.ROW, *takes.ON_RUN),
        required=("stage",),
    ),
    "translate": Verb(
        "Translate the source images into the target's style",
        _translate,
        takes.ON_RUN,
    ),
    "pseudo_label": Verb(
        "Label the target with the teacher of a round",
        _pseudo_label,
        (takes.ROUND, *takes.ON_RUN),
        required=("round",),
    ),
    "evaluate": Verb(
        "Score a trained segmenter on the target's validation set, or on the source",
        _evaluate,
        (takes.SCORED, *takes.ROW, takes.SCORED_ON, takes.VIEWS, takes.RESOLUTION, takes.JSON, *takes.ON_RUN),
        required=("stage",),
    ),
    "sweep": Verb(
        "What labels buy: supervised and the whole method with several numbers of target labels",
        _sweep,
        (*takes.SWEPT, takes.JSON, *takes.ON_RUN),
    ),
    "predict": Verb(
        "Segment a folder of images",
        _predict,
        (takes.MODEL, takes.IMAGES, takes.OVERLAYS, takes.OWN_SIZE),
        required=("model", "images", "output"),
    ),
    "export": Verb(
        "Write a trained segmenter as a SavedModel",
        _export,
        (takes.SCORED, *takes.ROW, takes.SAVED_MODEL, takes.SIZE, takes.FROZEN, *takes.ON_RUN),
        required=("stage", "output"),
    ),
    "data prepare": Verb(
        "Write the data sets of a run, or one data set for many runs, as records",
        _data_prepare,
        (takes.DATASET, takes.ROOT, takes.RECORDS, takes.STRICT, *takes.ON_RUN),
    ),
    "data inspect": Verb(
        "Draw what the records hold, and tell how far source and target lie apart",
        _data_inspect,
        (*takes.INSPECTED, takes.JSON, *takes.ON_RUN),
    ),
    "weights import": Verb(
        "Bring published weights into a network of the config",
        _weights_import,
        (takes.CHECKPOINT, takes.NETWORK, takes.IMPORTED, *takes.ON_RUN),
        required=("from", "network", "output"),
    ),
    "report": Verb(
        "Show the table and write the page of the run so far",
        _report,
        (takes.RUNS, takes.JSON, *takes.ON_RUN),
    ),
    "bench": Verb(
        "Measure how fast this machine trains, loads and predicts",
        _bench,
        (takes.SUITE, takes.REPEATS, takes.JSON),
    ),
}
