"""Tests of the live backend, with programs that stand in for real ones, and with real ones."""
