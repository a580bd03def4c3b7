"""Propose what the classes of one data set become in another: a file to check and to name."""

from __future__ import annotations

from pathlib import Path

from absl import flags, logging

from udas_tf.commands._flags import Arguments
from udas_tf.taxonomy import ClassSet

NAME = "data map"
REQUIRED = ("source", "target", "output")


def define(values: flags.FlagValues) -> None:
    for flag, what in (("source", "classes to map"), ("target", "classes that they become")):
        flags.DEFINE_string(
            flag,
            None,
            f"{what}: the root of a data set, a classes.yaml, or the name of a built-in class set",
            flag_values=values,
        )
    flags.DEFINE_string(
        "output",
        None,
        "YAML file to write; data.source.class_map, data.target.class_map or `class_map` in a classes.yaml names it",
        flag_values=values,
    )


def run(arguments: Arguments) -> None:
    from udas_tf.data import class_map

    native, classes = _class_set(arguments.source), _class_set(arguments.target)
    proposals = class_map.propose(native, classes)
    class_map.write(proposals, native, classes, Path(arguments.output))
    for one in proposals:
        print(f"{one.name} -> {one.into or 'ignored'} ({one.why})")
    logging.info(
        "check %s, which nothing uses until --config.data.source.class_map names it (or target)", arguments.output
    )


def _class_set(text: str) -> ClassSet:
    """The class set of a data set's root, of a classes.yaml, or built in.

    Raises:
      UserError: it is none of these, or the root does not say which classes its labels hold.
    """
    from udas_tf.data import class_file, datasets, recognition, sets

    root = Path(text)
    if not root.is_dir():
        return class_file.class_set(text)
    name, why = recognition.the_one(root)
    logging.info("%s is read as %s: %s", root, name, why)
    return datasets.own_classes(sets.declared(name, "dataset"), root)
