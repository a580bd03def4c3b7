"""How fast this machine runs what the package is used for: `udas bench`.

`workloads` says what is measured and at which sizes, `tasks` has one file for each suite, `children` runs every
measurement in a process of its own, and `rows` makes figures of them. Only `tasks` and `arithmetic` bring TensorFlow.
"""
