"""Weights of other projects: checkpoints are read, recognised and matched with a network's variables."""
