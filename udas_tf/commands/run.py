"""Run the whole method: data, every row of the table, the report."""

from __future__ import annotations

from absl import flags, logging

from udas_tf import devices, processes
from udas_tf.commands import _flags, _opening
from udas_tf.commands._flags import Arguments
from udas_tf.errors import UserError
from udas_tf.loading import loading_tensorflow
from udas_tf.run import Run, open_run
from udas_tf.runs import reuse


def define(values: flags.FlagValues) -> None:
    _flags.on_run(values)
    flags.DEFINE_bool(
        "resume",
        True,
        "go on with the run in the workdir; false refuses a workdir that is not empty",
        flag_values=values,
    )
    flags.DEFINE_bool(
        "dry_run",
        False,
        "only build every network and trace a training step of every stage at full size, without data; prints the "
        "numbers of parameters and the loss terms",
        flag_values=values,
    )
    _flags.reuse(values)


def run(arguments: Arguments) -> None:
    directory = _opening.run_dir(arguments)
    if arguments.dry_run:
        config = _opening.config_of(arguments, _opening.saved_config(directory))
        _dry_run(open_run(config, directory))
        return
    if not arguments.resume and directory.path.is_dir() and any(directory.path.iterdir()):
        raise UserError(f"--resume=false needs an unused --workdir, and {directory.path} is not empty; choose another")
    opened = _opening.opened(arguments)
    _opening.save(opened)
    if arguments.reuse:
        for path in reuse.share(opened, reuse.runs_in(arguments.reuse)):
            logging.info("linked from another run: %s", path)
    if min(opened.config.jobs, devices.cores()) > 1 and not devices.has_gpu():
        processes.load_ahead()
    with loading_tensorflow():
        from udas_tf.report.tables import score_table
        from udas_tf.runs.everything import run_all
    print(score_table(run_all(opened)))
    logging.info("the report lies in %s", opened.dir.report)


def _dry_run(opened: Run) -> None:
    with loading_tensorflow():
        from udas_tf.runs.dry_run import dry_run
    for line in dry_run(opened):
        print(line, flush=True)
    print("Every stage can be built and trained; nothing was read or written")
