import sys

from udas_tf.cli import main

sys.exit(main())
