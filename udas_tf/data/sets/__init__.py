"""Data sets, and the export formats of simulators and labelling tools: one module each.

A module's name is what configs (`data.source.dataset`) and `data prepare --dataset` call the set. The first line of
its docstring says what the set is. Constants say the rest. Their values are literals, so that they are read without
importing the module, and all but LABELLED are optional:

    LAYOUT      what lies under the root of the set; a set without LAYOUT needs no root
    LABELLED    splits in which every image has a label; a set of files declares it
    PUBLISHED   split -> images, as the owners publish it
    CLASSES     class name -> (red, green, blue) in the order of the train ids: a class set with the module's name
    CLASS_SET   name of the class set of the labels, where another module declares it
    CLASS_MAPS  (class set, class set) -> {class of the first: class of the second, None = ignored}

A set of files has the function

    find(root, split) -> SplitFiles             the files of a split and how they are read; no pairs where the
                                                split is not there
    recognise(root) -> str | None               why `root` holds this set, in words; None where it does not. Looks at
                                                names, and at the content of a few files at most

and, where its files themselves say which classes they hold,

    own_classes(root) -> ClassSet | None        None where these files do not say it

Such a module imports no TensorFlow: looking for files takes no seconds. Any other set makes its samples itself:

    open_split(request) -> Split
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from udas_tf import plugins

PACKAGE = "udas_tf.data.sets"


@dataclasses.dataclass(frozen=True)
class Dataset:
    """What the module of a data set declares.

    Attributes:
      name: of the module.
      summary: what the set is.
      layout: what lies under its root, for messages; None where it needs no root.
      of_files: whether it consists of files that `data prepare --dataset` makes records of.
      labelled: splits in which every image has a label.
      published: split -> images, as published; empty for data of one's own.
      class_set: name of the class set of its labels; None where it may be any.
    """

    name: str
    summary: str
    layout: str | None
    of_files: bool
    labelled: tuple[str, ...]
    published: Mapping[str, int]
    class_set: str | None


def names() -> list[str]:
    """Every data set, in alphabetical order."""
    return plugins.names(PACKAGE)


def of_files() -> list[Dataset]:
    """The sets that `data prepare --dataset` takes, in alphabetical order."""
    return [dataset for dataset in map(_declared, names()) if dataset.of_files]


def declared(name: str, what: str) -> Dataset:
    """The data set `name`; UserError with the nearest name where there is none. `what` says what received the name."""
    plugins.require(PACKAGE, name, what)
    return _declared(name)


def constants(constant: str) -> dict[str, Any]:
    """Name -> value of a constant, of the data sets that declare it."""
    every = {name: plugins.declarations(PACKAGE, name).constants for name in names()}
    return {name: values[constant] for name, values in every.items() if constant in values}


def _declared(name: str) -> Dataset:
    module = plugins.declarations(PACKAGE, name)
    return Dataset(
        name=name,
        summary=module.summary,
        layout=module.constants.get("LAYOUT"),
        of_files="LABELLED" in module.constants,
        labelled=module.constants.get("LABELLED", ()),
        published=module.constants.get("PUBLISHED", {}),
        class_set=module.constants.get("CLASS_SET", name if "CLASSES" in module.constants else None),
    )
