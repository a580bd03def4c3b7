"""Errors that are no faults of the program, and the exit codes of `udas`."""

from __future__ import annotations

import errno

INTERRUPTED, MISTAKEN = 130, 2  # exit codes; 0 = done, 1 = a fault of the program

# What the operating system refuses -> what the user can do.
REMEDIES = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space",
    errno.EROFS: "choose a place that can be written",
    errno.EACCES: "choose a place that you may use",
    errno.EPERM: "choose a place that you may use",
    errno.EEXIST: "choose another place",
    errno.ENOTDIR: "choose another place",
    errno.EISDIR: "choose another place",
    errno.EIO: "the disk or the network fails",
}
# The same in the errors of libraries that have no number.
TEXTS = {
    "No space left on device": errno.ENOSPC,
    "Disk quota exceeded": errno.EDQUOT,
    "Read-only file system": errno.EROFS,
    "Permission denied": errno.EACCES,
}


class UserError(Exception):
    """A mistake the user can mend: the command line prints the message on one line and exits with 2.

    The message says what was received, what was expected and what to do next.
    """


def refusal(error: BaseException) -> str | None:
    """What the operating system has refused, in words with a remedy; None for any other error.

    Args:
      error: of Python, or of TensorFlow or HDF5, which write files themselves.
    """
    from_library = type(error).__module__.startswith("tensorflow") or isinstance(error, OSError)
    number = error.errno if isinstance(error, OSError) else None
    if number is None and from_library:
        number = next((number for text, number in TEXTS.items() if text in str(error)), None)
    if number not in REMEDIES:
        return None
    what = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.filename else str(error)
    return f"{what}; {REMEDIES[number]}, then run the same command again"
