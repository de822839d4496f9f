"""The reference model with one thing broken at a time: the proof that the invariants have teeth."""
