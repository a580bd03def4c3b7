"""What the process for PyTorch is asked to do. This module is loaded in both processes, and imports neither library."""

import importlib
import sys


def call(function, *arguments, **keys):
    """The result of a function named "MODULE.FUNCTION"."""
    module, _, name = function.partition(".")
    return getattr(importlib.import_module(module), name)(*arguments, **keys)


def loaded(*libraries):
    """Which of these libraries this process has loaded."""
    return {library for library in libraries if library in sys.modules}
