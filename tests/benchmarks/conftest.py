"""The scripts in benchmarks/ import each other by name, as they do when one is run."""

import sys

from udas_tf import config as configs

sys.path.append(str(configs.configs_directory().parent / "benchmarks"))
