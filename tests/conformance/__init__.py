"""Tests; a package, so that they can share how a history is written."""
