"""Trained segmenters for processes that do not have this package."""
