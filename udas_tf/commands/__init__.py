"""The commands of `udas`, one module each.

A module's docstring is the help of its command. NAME is what a user types, where that is not the module's name;
REQUIRED are flags that must be given. `define(values)` defines the flags in absl's `FlagValues`, `run(arguments)` runs
the command. A module imports TensorFlow only in `run`, after all checks.
"""
