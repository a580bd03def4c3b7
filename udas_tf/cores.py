"""How many processor cores there are to work on."""

import os


def cores() -> int:
    """Those that this process may use, or TF_NUM_INTRAOP_THREADS where that is fewer; where the system does not say
    (macOS), all of the machine."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(usable, int(os.environ.get("TF_NUM_INTRAOP_THREADS") or usable))
