"""Times as objects tell them."""

from datetime import datetime
from functools import lru_cache


@lru_cache(maxsize=4096)
def seconds(stamp: str) -> float:
    """A time stamp (RFC 3339) in seconds since 1970."""
    return datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp()
