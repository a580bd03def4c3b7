"""The command line: `udas VERB --flag=value`; a verb is a stage called with a config and a run directory.

Flags are absl's, one set a verb. TensorFlow is imported only once every flag and config key has been checked.
Exit codes: 0 done; 2 a user's mistake, told in one line; 130 interrupted; 1 a fault of the program, with its
traceback.
"""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Sequence

from absl import flags

from udas_tf import config as configs
from udas_tf.errors import UserError
from udas_tf.processes import INTERRUPTED, MISTAKEN
from udas_tf.verbs import VERBS, Given

OVERRIDE = "--config."
HELP = ("--help", "-h")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; `argv` is without the program's name. Returns the exit code."""
    try:
        _dispatch(list(sys.argv[1:] if argv is None else argv))
        return 0
    except UserError as error:
        print("udas:", " ".join(str(error).split()), file=sys.stderr)
        return MISTAKEN
    except KeyboardInterrupt:
        print("\nudas: interrupted; the same command goes on where it was", file=sys.stderr)
        return INTERRUPTED


def _dispatch(argv: list[str]) -> None:
    wants_help = argv[:1] == ["help"] or any(flag in argv for flag in HELP)
    words = [word for word in argv if word not in HELP][argv[:1] == ["help"] :]
    name = next((name for name in (" ".join(words[:2]), " ".join(words[:1])) if name in VERBS), None)
    group = [verb for verb in VERBS if not words or verb.startswith(f"{words[0]} ")]
    if name is not None and wants_help:
        print(_verb_help(name))
    elif name is not None:
        VERBS[name].call(_parse(name, words[len(name.split()) :]))
    elif wants_help and group:
        print(_program_help(group))
    elif not words or words[0].startswith("-"):
        received = repr(words[0]) if words else "nothing"
        raise UserError(f"expected a command first, received {received}; `udas --help` lists the commands")
    else:
        typed = " ".join(words[:2] if group else words[:1])
        near = configs.nearest(typed, VERBS)
        raise UserError(f"no command {typed!r}; the nearest is {near!r}, and `udas --help` lists them all")


def _parse(name: str, arguments: list[str]) -> Given:
    """The arguments of a verb, checked against its flags."""
    values, overrides, plain = _flags(name), {}, []
    for argument in arguments:
        if argument.startswith(OVERRIDE) and "config" in values:
            key, equals, text = argument[len(OVERRIDE) :].partition("=")
            if not equals:
                raise UserError(f"{argument} has no value; write {argument}=VALUE")
            overrides[key] = text
        else:
            plain.append(argument)
    try:
        positional = values([name, *plain])[1:]
    except flags.UnrecognizedFlagError as error:
        near = configs.nearest(error.flagname, values)
        raise UserError(f"`udas {name}` has no flag --{error.flagname}; the nearest is --{near}") from error
    except flags.Error as error:
        reason = str(error)
        if "Non-boolean" in reason:  # absl shows a tuple here
            reason = f"{reason.partition(':')[0]}: expected true or false"
        raise UserError(f"{reason}; see `udas {name} --help`") from error
    if positional:
        raise UserError(f"`udas {name}` takes flags only, written --flag=value; received {positional[0]!r}")
    for flag in VERBS[name].required:
        if not values[flag].value:
            raise UserError(f"`udas {name}` needs --{flag}: {values[flag].help}")
    return Given(**values.flag_values_dict(), overrides=overrides)


def _flags(name: str) -> flags.FlagValues:
    values = flags.FlagValues()
    values.set_gnu_getopt(True)
    for define in VERBS[name].flags:
        define(flag_values=values)
    return values


def _program_help(names: list[str]) -> str:
    width = max(map(len, names)) + 2
    lines = [f"  {name:{width}}{VERBS[name].summary}" for name in names]
    end = "`udas COMMAND --help` lists the flags of a command."
    return "\n".join(["usage: udas COMMAND [--flag=value ...]", "", *lines, "", end])


def _verb_help(name: str) -> str:
    verb, values = VERBS[name], _flags(name)
    lines = [f"usage: udas {name} [--flag=value ...]", "", f"  {verb.summary}", ""]
    for flag in (values[flag_name] for flag_name in values):
        note = "; required" if flag.name in verb.required else ""
        note += f"; default {json.dumps(flag.default)}" if flag.default is not None else ""
        lines += [f"  --{flag.name}", textwrap.indent(textwrap.fill(flag.help + note, 90), " " * 6)]
    return "\n".join(lines)
