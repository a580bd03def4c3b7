"""One measurement: `python -m benchmarks.reference JSON`, like `python -m udas_tf.bench JSON`."""

import json
import sys

from udas_tf.bench.__main__ import main

if __name__ == "__main__":
    main(json.loads(sys.argv[1]), "benchmarks.reference")
