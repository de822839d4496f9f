"""Hypothesis strategies for Kubernetes storage objects, operations, faults and whole plans."""
