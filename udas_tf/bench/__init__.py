"""How fast this machine runs what the package is used for: `udas bench`.

`workloads` lists what is measured, and at which sizes. `tasks` has one file for each kind of work. `children` runs
every measurement in a process of its own, and `rows` makes figures of the measurements. Only `tasks` and `arithmetic`
load TensorFlow.
"""
