"""The ablation of the paper over seeds, and with the first seed each ingredient taken out of the full method.

    .venv/bin/python benchmarks/ablation.py --config=configs/streets_to_camvid.py --workdir=runs/ablation \
        [--seeds=1,2,3] [--reuse=runs/sweep] [--config.KEY=VALUE ...]

Every run is one of `bin/udas run`, in WORKDIR/seed-S/full or WORKDIR/seed-S/without-INGREDIENT, and takes from the
others what it would make alike; what is finished is not done again. Prints Markdown: the rows of the table over the
seeds, what each ingredient is worth, and what the row supervised scores on the source, on the translated source and on
the target; each with its command.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf

from udas_tf import config as configs
from udas_tf.errors import UserError
from udas_tf.report.label_curve import Spread, shown, spread
from udas_tf.run_dir import RunDir, read_json
from udas_tf.stages import budgets, rounds, study
from udas_tf.stages.evaluate import SOURCE, TRANSLATED, evaluate, metrics_file

# Ingredient -> the keys that take it out; those that a config lacks anyway are left out.
INGREDIENTS = {
    "kl": {"uda.weight_kl": "0"},
    "auxiliary": {"model.auxiliary": "false"},
    "cutmix": {"student.teacher": "translation_adaptation"},  # and with it all use of target labels
    "views": {"pseudo_label.views": "1", "student.consistency_views": "1"},
    "threshold": {"pseudo_label.threshold": "0"},
    "consistency": {"student.weight_consistency": "0"},
    "later-rounds": {"student.rounds": "1"},
    "class-shares": {"pseudo_label.class_share": "0"},
    "class-balance": {"student.class_balance": "0"},
    "mixed-pseudo-labels": {"student.mix_pseudo": "false"},
}


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--config", required=True)
    parser.add_argument("--workdir", required=True, type=Path)
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--reuse", default="", help="directories of other runs, separated by commas")
    given, rest = parser.parse_known_args(arguments)
    for device in tf.config.list_physical_devices(
        "GPU"
    ):  # runs are processes of their own, which need the memory
        tf.config.experimental.set_memory_growth(device, True)
    if unknown := [
        argument for argument in rest if not argument.startswith("--config.") or "=" not in argument
    ]:
        parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    overrides = dict(argument.removeprefix("--config.").split("=", 1) for argument in rest)
    config = configs.override(configs.load(given.config), overrides)
    config = configs.override(config, {"rows": ",".join(configs.base_config().rows)})
    _claim(config, RunDir(given.workdir))
    seeds = budgets.numbers(given.seeds.split(","), "--seeds")
    pool = [given.workdir, *filter(None, given.reuse.split(","))]
    command = f"bin/udas run --config={given.config} {' '.join(rest)}".rstrip()
    with contextlib.redirect_stdout(sys.stderr):  # what stages tell while they work
        lines = list(markdown(config, given.workdir, seeds, pool, command))
    print("\n".join(lines))


def markdown(
    config, workdir: Path, seeds: Sequence[int], pool: Sequence[Path | str], command: str
) -> Iterator[str]:
    """The three tables line by line; `command` is what runs the config."""
    full = {seed: RunDir(workdir / f"seed-{seed}" / "full") for seed in seeds}
    config_of = {seed: study.seeded(config, seed) for seed in seeds}
    without = dict(ingredients(config_of[seeds[0]]))  # before anything is trained
    reports = [study.finished(config_of[seed], run_dir, pool) for seed, run_dir in full.items()]

    yield from ("Runs:", "")
    for seed, run_dir in full.items():
        yield f"    {_command(command, config_of[seed], {}, run_dir)}"
    yield from ("", f"| row | mIoU, seeds {', '.join(map(str, seeds))} | command |", "|---|---:|---|")
    for rows in zip(*reports, strict=True):
        row = rounds.find(config, rows[0]["stage"], rows[0]["round"], _name(rows[0]))
        yield f"| {rows[0]['name']} | {over(rows)} | `bin/udas {row.command} --workdir={full[seeds[0]].path}` |"

    seed = seeds[0]
    whole = study.final(reports[0])["miou"]
    yield from ("", f"| taken out, seed {seed} | mIoU | difference | command |", "|---|---:|---:|---|")
    yield f"| nothing | {shown(spread([whole]))} | | |"
    runs = [
        (
            study.only_final(configs.override(config_of[seed], changes)),
            RunDir(workdir / f"seed-{seed}" / f"without-{name}"),
        )
        for name, changes in without.items()
    ]
    taken = zip(without.items(), runs, study.side_by_side(runs, pool), strict=True)
    for (name, changes), (changed, run_dir), rows in taken:
        score = study.final(rows)["miou"]
        difference = round(100 * (score - whole), 1) + 0.0  # never -0.0
        told = _command(command, changed, changes, run_dir)
        yield f"| {name} | {shown(spread([score]))} | {difference:+.1f} | `{told}` |"

    if not rounds.has_labels(config):
        return
    yield from ("", "| the row supervised, on | mIoU | command |", "|---|---:|---|")
    for on in (SOURCE, TRANSLATED):
        rows = [scored(config_of[seed], run_dir, on) for seed, run_dir in full.items()]
        evaluation = f"bin/udas evaluate --stage=supervised --on={on} --workdir={full[seeds[0]].path}"
        yield f"| {on} | {over(rows)} | `{evaluation}` |"
    target = [next(row for row in rows if row["name"] == study.SUPERVISED) for rows in reports]
    yield f"| target | {over(target)} | `{evaluation.replace(TRANSLATED, 'target')}` |"


def ingredients(config) -> Iterator[tuple[str, dict[str, str]]]:
    """The ingredients that a config has, each with the keys that take it out."""
    for name, changes in INGREDIENTS.items():
        changed = configs.override(config, changes)
        if configs.differences(config, changed) and config.student.rounds >= 1:
            rounds.rows(changed)
            yield name, changes


def scored(config, run_dir: RunDir, on: str) -> dict:
    """The scores of the row supervised on another set than the target's."""
    file = run_dir.training(study.SUPERVISED) / metrics_file(on, "plain", "training")
    return read_json(file) if file.is_file() else evaluate(config, run_dir, "supervised", None, None, on=on)


def over(rows: Sequence[dict]) -> str:
    """Mean and deviation of rows that differ in their seed."""
    value: Spread = spread(row["miou"] for row in rows)
    return shown(value)


def _name(row: dict) -> str | None:
    return None if row["stage"] == "student" else row["name"]


def _command(command: str, config, changes: Mapping[str, str], run_dir: RunDir) -> str:
    """What a user types for a run of the study; its directory takes this command, too."""
    keys = {
        "seed": config.seed,
        "data.target.label_seed": config.data.target.label_seed,
        "rows": ",".join(config.rows),
        **changes,
    }
    flags = " ".join(f"--config.{key}={value}" for key, value in keys.items())
    return f"{command} {flags} --workdir={run_dir.path}"


def _claim(config, run_dir: RunDir) -> None:
    """Saves the config; UserError when the directory holds an ablation of another."""
    if run_dir.config.is_file() and (changes := configs.differences(configs.load(run_dir.config), config)):
        raise UserError(
            f"{run_dir.path} holds an ablation of another config ({changes[0]}); choose another --workdir"
        )
    configs.save(config, run_dir.config)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except UserError as error:
        sys.exit(f"ablation: {error}")
