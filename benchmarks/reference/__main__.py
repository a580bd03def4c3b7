"""One measurement: `python -m benchmarks.reference JSON`, like `python -m udas_tf.bench JSON`."""

import dataclasses
import importlib
import json
import sys
from pathlib import Path

from udas_tf.bench.workloads import Scale


def main(given: dict) -> None:
    lists = {key: tuple(value) if isinstance(value, list) else value for key, value in given["scale"].items()}
    module = importlib.import_module(f"benchmarks.reference.{given['task']}")
    measured = module.measure(Scale(**lists), Path(given["directory"]), **given["options"])
    print(json.dumps(dataclasses.asdict(measured) if dataclasses.is_dataclass(measured) else measured))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
