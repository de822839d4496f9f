"""Tests of strategies and plan files."""
