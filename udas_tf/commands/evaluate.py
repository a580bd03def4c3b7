"""Score a trained segmenter on the target's validation set, or on the source."""

from __future__ import annotations

from absl import flags

from udas_tf.commands import _flags, _opening
from udas_tf.commands._flags import Arguments
from udas_tf.loading import loading_tensorflow


def define(values: flags.FlagValues) -> None:
    _flags.segmenter_stage(values)
    _flags.row(values)
    flags.DEFINE_enum(
        "on",
        "target",
        ("target", "source", "translated"),
        "set to score on: the target's validation set, the source's training images, or these in the target's style",
        flag_values=values,
    )
    flags.DEFINE_enum(
        "tta",
        "none",
        ("none", "flip", "multi_scale"),
        "test-time augmentation: probabilities are averaged over the image and its mirror image (flip), or over both "
        "at 0.75, 1 and 1.25 of the size (multi_scale); the report lists each score",
        flag_values=values,
    )
    flags.DEFINE_enum(
        "resolution",
        "training",
        ("training", "full"),
        "resolution of the labels: data.size, or data.target.val_full_size",
        flag_values=values,
    )
    _flags.as_json(values)
    _flags.on_run(values)


def run(arguments: Arguments) -> None:
    opened = _opening.opened(arguments)
    row = _opening.row_of(arguments, opened.config)
    with loading_tensorflow():
        from udas_tf.evaluation.evaluate import evaluate
        from udas_tf.report.tables import score_table
    scores = evaluate(opened, row.name, arguments.on, arguments.tta, arguments.resolution)
    if arguments.json:
        _opening.print_json(scores)
    else:
        print(score_table([scores]))
