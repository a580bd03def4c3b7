"""The ablation of the paper over seeds, and with the first seed each ingredient taken out of the full method.

    .venv/bin/python benchmarks/ablation.py --config=configs/streets_to_camvid.py --workdir=runs/ablation \
        [--seeds=1,2,3] [--reuse=runs/sweep] [--config.KEY=VALUE ...]

Every run is one of `bin/udas run`, in WORKDIR/seed-S/full or WORKDIR/seed-S/without-INGREDIENT, and takes from the
others what it would make alike; what is finished is not done again. Prints Markdown: the rows of the table over the
seeds, what each ingredient is worth, and what the row supervised scores on the source, on the translated source and on
the target; each with its command.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence

import studies
from studies import over

from udas_tf import config as configs
from udas_tf.errors import UserError
from udas_tf.report.label_curve import shown, spread
from udas_tf.run_dir import RunDir, read_json
from udas_tf.stages import rounds, study
from udas_tf.stages.evaluate import SOURCE, TRANSLATED, evaluate, metrics_path

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
    flags = studies.Flags(__doc__.splitlines()[0], arguments)
    studies.leave_memory()
    config = configs.override(configs.load(flags.config), flags.overrides)
    config = configs.override(config, {"rows": ",".join(configs.base_config().rows)})
    studies.claim(config, RunDir(flags.workdir), "an ablation")
    with contextlib.redirect_stdout(sys.stderr):  # what stages tell while they work
        lines = list(markdown(config, flags))
    print("\n".join(lines))


def markdown(config, flags: studies.Flags) -> Iterator[str]:
    """The three tables line by line."""
    full = {seed: RunDir(flags.workdir / f"seed-{seed}" / "full") for seed in flags.seeds}
    config_of = {seed: study.seeded(config, seed) for seed in flags.seeds}
    without = dict(ingredients(config_of[flags.seeds[0]]))  # before anything is trained
    reports = [study.finished(config_of[seed], run_dir, flags.pool) for seed, run_dir in full.items()]

    yield from ("Runs:", "")
    for seed, run_dir in full.items():
        yield f"    {studies.command(flags.config, config_of[seed], flags.overrides, {}, run_dir)}"
    seed = flags.seeds[0]
    yield from ("", f"| row | mIoU, seeds {', '.join(map(str, flags.seeds))} | command |", "|---|---:|---|")
    for rows in zip(*reports, strict=True):
        row = rounds.find(config, rows[0]["stage"], rows[0]["round"], _name(rows[0]))
        yield f"| {rows[0]['name']} | {over(rows)} | `bin/udas {row.command} --workdir={full[seed].path}` |"

    whole = study.final(reports[0])["miou"]
    yield from ("", f"| taken out, seed {seed} | mIoU | difference | command |", "|---|---:|---:|---|")
    yield f"| nothing | {shown(spread([whole]))} | | |"
    runs = [
        (
            study.only_final(configs.override(config_of[seed], changes)),
            RunDir(flags.workdir / f"seed-{seed}" / f"without-{name}"),
        )
        for name, changes in without.items()
    ]
    taken = zip(without.items(), runs, study.side_by_side(runs, flags.pool), strict=True)
    for (name, changes), (changed, run_dir), rows in taken:
        score = study.final(rows)["miou"]
        difference = round(100 * (score - whole), 1) + 0.0  # never -0.0
        told = studies.command(flags.config, changed, flags.overrides, changes, run_dir)
        yield f"| {name} | {shown(spread([score]))} | {difference:+.1f} | `{told}` |"

    if not rounds.has_labels(config):
        return
    yield from ("", "| the row supervised, on | mIoU | command |", "|---|---:|---|")
    for on in (SOURCE, TRANSLATED):
        rows = [scored(config_of[other], run_dir, on) for other, run_dir in full.items()]
        evaluation = f"bin/udas evaluate --stage=supervised --on={on} --workdir={full[seed].path}"
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
    file = metrics_path(run_dir, study.SUPERVISED, on, "plain", "training")
    return read_json(file) if file.is_file() else evaluate(config, run_dir, "supervised", None, None, on=on)


def _name(row: dict) -> str | None:
    return None if row["stage"] == "student" else row["name"]


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except UserError as error:
        sys.exit(f"ablation: {error}")
