"""Kinds of checkpoints. One module for each project that publishes some, found by its name.

A module has a docstring whose first line says whose checkpoints these are, and FORMATS, a tuple of
`format.Format`. No checkpoint may fit two formats, whichever modules these are in: `Format.marker` and
`Format.without` see to it.
"""
