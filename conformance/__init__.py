"""Histories, invariants, verdicts, and the doors that lead to them."""
