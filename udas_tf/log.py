"""The messages of the program: absl's logger, on standard error, one line per message.

Standard output is for results alone. Everything else, such as what is done and what is skipped, is a message.
"""

from __future__ import annotations

import logging as standard
import sys
from pathlib import Path

from absl import flags, logging

DEFAULT = logging.INFO  # of --verbosity: what is done and what is skipped


class _BesideBars:
    """Standard error; a message does not break a progress bar."""

    def write(self, text: str) -> None:
        from tqdm import tqdm  # here, because most commands that only check or help write nothing

        tqdm.write(text, file=sys.stderr, end="")

    def flush(self) -> None:
        sys.stderr.flush()

    def close(self) -> None:
        """Standard error stays open."""


class _Line(standard.Formatter):
    def format(self, record: standard.LogRecord) -> str:
        level = f"{record.levelname.lower()}: " if record.levelno >= standard.WARNING else ""
        return f"udas: {level}{record.getMessage()}"


def _is_shown(record: standard.LogRecord) -> bool:
    """Whether a message is the program's own, or a warning. Information from libraries is left out."""
    return record.levelno >= standard.WARNING or Path(__file__).parent in Path(record.pathname).parents


def set_up(verbosity: int = DEFAULT) -> None:
    """Sends absl's messages to standard error.

    Args:
      verbosity: absl's: -1 = only warnings, 0 = also what is done and what is skipped, 1 = also details.
    """
    flags.FLAGS.mark_as_parsed()  # absl's own; before that its handler bypasses the stream below
    logging.use_absl_handler()
    handler = logging.get_absl_handler()
    handler.python_handler.stream = _BesideBars()
    handler.setFormatter(_Line())
    handler.addFilter(_is_shown)
    logging.set_verbosity(verbosity)
