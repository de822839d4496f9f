"""Measurements, each printed with the command that repeats it; ratios are taken within one run."""
