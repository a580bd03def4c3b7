"""One measurement: `python -m udas_tf.bench JSON` as `children.ask` calls it; prints its result as JSON, last."""

import dataclasses
import importlib
import json
import sys
from pathlib import Path

from udas_tf.bench.workloads import Scale


def main(given: dict, tasks: str = "udas_tf.bench.tasks") -> None:
    """Measures task `given["task"]` of the package `tasks`."""
    lists = {key: tuple(value) if isinstance(value, list) else value for key, value in given["scale"].items()}
    task = importlib.import_module(f"{tasks}.{given['task']}")
    measured = task.measure(Scale(**lists), Path(given["directory"]), **given["options"])
    print(json.dumps(dataclasses.asdict(measured) if dataclasses.is_dataclass(measured) else measured))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
