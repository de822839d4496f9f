"""The building blocks of drawn plans, a chapter a file; `registry` finds them."""
