"""The reference of all config keys, made from their declarations.

python -m udas_tf.config_reference > docs/configuration.md
"""

from __future__ import annotations

import ast
import dataclasses
import io
import re
import sys
import tokenize
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from udas_tf import plugins, schema
from udas_tf.config import METHODS, NETWORK_PARTS, base_config, flatten, key_types, type_in_words

HEAD = """# Configuration

Every key, its type, its default and its meaning. This page is made by `python -m udas_tf.config_reference`.

A config is a Python file with `get_config()`, such as those in `configs/`. It starts from
`udas_tf.config.base_config()`, which has these defaults, and sets what differs. On the command line a key is set as
`--config.KEY=VALUE`. Several values are separated by commas, as in `--config.data.size=96,192`; `none` unsets a key
that may be unset. A row of your own is added by its stage, as in `--config.row.mine.stage=uda`, or in a config file by
`udas_tf.config.add_row`.
"""
ROW = "row.NAME"
GENERAL = {
    "": schema.Config,
    "data": schema.Data,
    "data.source": schema.Source,
    "data.target": schema.Target,
    ROW: schema.Row,
    "model": schema.Model,
    "translated": schema.Translated,
    "pseudo_label": schema.PseudoLabel,
    "evaluate": schema.Evaluate,
}
INHERITED = ("Training", "SegmenterTraining")  # dataclasses of the schema that sections of methods inherit from


@dataclasses.dataclass(frozen=True)
class _Section:
    """A section of the config.

    Attributes:
      path: dotted; "" is the top.
      summary: one sentence.
      declared: the dataclass of its keys.
      comments: key -> its comment.
    """

    path: str
    summary: str
    declared: type
    comments: Mapping[str, str]


def reference() -> str:
    """The page as Markdown."""
    return "\n".join([HEAD, *map(_text, _sections())])


def comments(source: str, class_name: str) -> dict[str, str]:
    """The comments of a dataclass: key -> the comment on its own lines, or else the lines of comment above it.

    Args:
      source: of a module.
      class_name: of the dataclass in it.
    """
    declared = next(
        node for node in ast.parse(source).body if isinstance(node, ast.ClassDef) and node.name == class_name
    )
    by_line = {
        token.start[0]: token.string.removeprefix("#").strip()
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    alone = {number for number, line in enumerate(source.splitlines(), start=1) if line.strip().startswith("#")}
    texts = {}
    for node in declared.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            first, last = node.lineno, node.end_lineno or node.lineno
            if not any(number in by_line for number in range(first, last + 1)):
                while first - 1 in alone:
                    first -= 1
            texts[node.target.id] = " ".join(by_line[number] for number in range(first, last + 1) if number in by_line)
    return texts


def _sections() -> Iterator[_Section]:
    source = Path(schema.__file__).read_text(encoding="utf-8")
    for path, declared in GENERAL.items():
        yield _Section(path, declared.__doc__ or "", declared, comments(source, declared.__name__))
    for package in (*NETWORK_PARTS, METHODS):
        for name in plugins.names(package):
            module = plugins.declarations(package, name)
            if module.config is None:
                continue
            texts: dict[str, str] = {}
            for base in reversed(module.config.__mro__):
                if base.__name__ in INHERITED:
                    texts |= comments(source, base.__name__)
            texts |= comments((plugins.folder(package) / f"{name}.py").read_text(encoding="utf-8"), "Config")
            path = name if package == METHODS else f"model.{name}"
            yield _Section(path, f"{module.summary}.", module.config, texts)


def _text(section: _Section) -> str:
    lines = [f"## {section.path or 'Top'}", "", section.summary, ""]
    lines += ["| key | type | default | meaning |", "|---|---|---|---|"]
    for field in dataclasses.fields(section.declared):
        if not dataclasses.is_dataclass(field.default):  # that is a section of its own
            lines.append(_line(section, field))
    if section.path == ROW:
        lines += ["", "The rows of the base config, and the keys that they set:", "", "| row | keys |", "|---|---|"]
        lines += [f"| `{name}` | {_keys_set(row)} |" for name, row in schema.ROWS.items()]
    return "\n".join([*lines, ""])


def _line(section: _Section, field: dataclasses.Field[Any]) -> str:
    key = f"{section.path}.{field.name}" if section.path else field.name
    if section.path == ROW:
        hint, default = key_types(schema.Row)[field.name], field.default
    else:
        hint, default = key_types()[key], flatten(base_config())[key]
    kind = type_in_words(hint).removeprefix("a ")
    return f"| `{key}` | {kind} | {_value(default)} | {_meaning(section.comments[field.name])} |"


def _keys_set(row: schema.Row) -> str:
    fields = [(field.name, field.default, getattr(row, field.name)) for field in dataclasses.fields(row)]
    return ", ".join(f"{name} = {_value(value)}" for name, default, value in fields if value != default)


def _value(value: Any) -> str:
    """A value as the command line takes it."""
    if value is dataclasses.MISSING:
        return "required"
    if isinstance(value, tuple):
        return f"`{','.join(map(str, value))}`"
    return f"`{str(value).lower()}`" if value is None or isinstance(value, bool) else f"`{value}`"


def _meaning(comment: str) -> str:
    """A comment for the page, where a key that is not set is `none`, as on the command line."""
    return re.sub(r"\bNone\b", "`none`", comment).replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(reference())
