"""The work that is measured, one file for each kind, each with `measure(scale, directory, **options)`.

A task runs in a process of its own and returns a `Measured`. `directory` is for its files, and is kept from one process
of a workload to the next.
"""
