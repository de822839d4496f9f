"""Promises that any backend must keep, one topic a file."""
