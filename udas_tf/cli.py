"""The command line: `udas COMMAND --flag=value`. A command is a module of udas_tf/commands.

Each command has flags of its own, absl's. TensorFlow is imported only when every flag and config key has been checked.
Exit codes: 0 = done; 2 = a user's mistake, or a refusal of the system such as a full disk, one line; 130 = interrupted;
1 = a fault of the program, with its traceback.
"""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Sequence

from absl import flags

from udas_tf import config as configs
from udas_tf import log, plugins
from udas_tf.commands import _flags
from udas_tf.commands._flags import Arguments
from udas_tf.errors import INTERRUPTED, MISTAKEN, UserError, refusal

COMMANDS = "udas_tf.commands"
OVERRIDE = "--config."
HELP = ("--help", "-h")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; `argv` is without the program's name. Returns the exit code."""
    try:
        _dispatch(list(sys.argv[1:] if argv is None else argv))
        return 0
    except UserError as error:
        return _mistaken(str(error))
    except Exception as error:
        refused = refusal(error)
        if refused is None:
            raise
        return _mistaken(refused)
    except KeyboardInterrupt:
        print("\nudas: interrupted; the same command goes on where it was", file=sys.stderr)
        return INTERRUPTED


def _mistaken(message: str) -> int:
    print("udas:", " ".join(message.split()), file=sys.stderr)
    return MISTAKEN


def _commands() -> dict[str, str]:
    """Name of a command, as a user types it -> its module."""
    modules = plugins.names(COMMANDS)
    return {plugins.declarations(COMMANDS, module).constants.get("NAME", module): module for module in modules}


def _dispatch(argv: list[str]) -> None:
    wants_help = argv[:1] == ["help"] or any(flag in argv for flag in HELP)
    words = [word for word in argv if word not in HELP][argv[:1] == ["help"] :]
    commands = _commands()
    name = next((name for name in (" ".join(words[:2]), " ".join(words[:1])) if name in commands), None)
    group = [command for command in commands if not words or command.startswith(f"{words[0]} ")]
    if name is not None and wants_help:
        print(_command_help(name, commands[name]))
    elif name is not None:
        arguments = _parse(name, commands[name], words[len(name.split()) :])
        log.set_up(arguments.verbosity)
        plugins.load(COMMANDS, commands[name], "command").run(arguments)
    elif wants_help and group:
        print(_program_help({command: commands[command] for command in group}))
    elif not words or words[0].startswith("-"):
        received = repr(words[0]) if words else "nothing"
        raise UserError(f"expected a command first, received {received}; `udas --help` lists the commands")
    else:
        typed = " ".join(words[:2] if group else words[:1])
        near = configs.nearest(typed, commands)
        raise UserError(f"no command {typed!r}; the nearest is {near!r}, and `udas --help` lists them all")


def _parse(name: str, module: str, arguments: list[str]) -> Arguments:
    """The arguments of a command, checked against its flags."""
    values = _flags_of(module)
    overrides = _overrides(arguments) if "config" in values else {}
    _set(values, name, [argument for argument in arguments if not (overrides and argument.startswith(OVERRIDE))])
    for flag in _required(module):
        if not values[flag].value:
            raise UserError(f"`udas {name}` needs --{flag}: {values[flag].help}")
    return Arguments(**values.flag_values_dict(), overrides=overrides)


def _overrides(arguments: list[str]) -> dict[str, str]:
    """Config key -> the text of its value, of the arguments --config.KEY=VALUE."""
    texts = {}
    for argument in arguments:
        if argument.startswith(OVERRIDE):
            key, equals, text = argument.removeprefix(OVERRIDE).partition("=")
            if not equals:
                raise UserError(f"{argument} has no value; write {argument}=VALUE")
            texts[key] = text
    return texts


def _set(values: flags.FlagValues, name: str, arguments: list[str]) -> None:
    """Sets the flags of the command `name`; UserError for an argument that is none."""
    try:
        positional = values([name, *arguments])[1:]
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


def _flags_of(module: str) -> flags.FlagValues:
    values = flags.FlagValues()
    values.set_gnu_getopt(True)
    plugins.load(COMMANDS, module, "command").define(values)
    _flags.common(values)
    return values


def _required(module: str) -> tuple[str, ...]:
    return plugins.declarations(COMMANDS, module).constants.get("REQUIRED", ())


def _program_help(commands: dict[str, str]) -> str:
    width = max(map(len, commands)) + 2
    lines = [f"  {name:{width}}{plugins.declarations(COMMANDS, module).summary}" for name, module in commands.items()]
    end = "`udas COMMAND --help` lists the flags of a command."
    return "\n".join(["usage: udas COMMAND [--flag=value ...]", "", *lines, "", end])


def _command_help(name: str, module: str) -> str:
    values, summary = _flags_of(module), plugins.declarations(COMMANDS, module).summary
    lines = [f"usage: udas {name} [--flag=value ...]", "", f"  {summary}", ""]
    for flag in (values[flag_name] for flag_name in values):
        note = "; required" if flag.name in _required(module) else ""
        note += f"; default {json.dumps(flag.default)}" if flag.default is not None else ""
        lines += [f"  --{flag.name}", textwrap.indent(textwrap.fill(flag.help + note, 90), " " * 6)]
    return "\n".join(lines)
