"""One measurement: `python -m udas_tf.bench JSON`, as `children.ask` calls it. Its last line is the result."""

import dataclasses
import importlib
import json
import sys
from pathlib import Path
from typing import Any

from udas_tf.bench.measuring import Measured
from udas_tf.bench.workloads import Scale


def main(request: dict[str, Any], tasks: str = "udas_tf.bench.tasks") -> None:
    """Measures a task and prints the result as JSON.

    Args:
      request: {"task", "options", "scale", "directory"}; see `children.ask`.
      tasks: package of the task's module.
    """
    task = importlib.import_module(f"{tasks}.{request['task']}")
    scale = Scale.of_json(request["scale"])
    result = task.measure(scale, Path(request["directory"]), **request["options"])
    print(json.dumps(dataclasses.asdict(result) if isinstance(result, Measured) else result))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
