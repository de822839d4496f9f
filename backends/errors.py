"""Everything that can go wrong, as one tree.

    KitError
    ├── UsageError                exit 2: bad option, unknown id; says what would be valid
    ├── BackendError
    │   ├── ApiError              code, reason, message, causes, as an API server gives them
    │   │   ├── BadRequest  Forbidden  NotFound  AlreadyExists  Conflict  Invalid
    │   ├── Unavailable           no answer: the outcome is unknown
    │   ├── NotSettled            the budget ran out
    │   └── OutOfTime             a run's time was over in the middle of a plan
    ├── PlanError                 file, line, what was expected
    └── TraceError                file, line, what was expected

A broken promise is data (a `Violation`), never an exception.
"""

from dataclasses import dataclass
from typing import ClassVar


class KitError(Exception):
    """Any error that pvkit raises on purpose."""


class UsageError(KitError):
    """The caller asked for something that does not exist or cannot be; the message says what would be valid."""


class BackendError(KitError):
    """A backend could not do what it was asked."""


class Unavailable(BackendError):
    """No answer came: whether the request took effect is unknown."""


class NotSettled(BackendError):
    """The backend was still busy when the budget for settling ran out."""


class OutOfTime(BackendError):
    """The time of a run was over in the middle of a plan, so nothing is to be said of that plan."""


@dataclass(frozen=True, slots=True)
class Cause:
    """One entry of `details.causes` in a Kubernetes Status: field path, reason, message."""

    field: str
    reason: str
    message: str


class ApiError(BackendError):
    """A refusal as an API server words it: HTTP code, reason, message and causes."""

    code: ClassVar[int] = 500
    reason: ClassVar[str] = "InternalError"

    def __init__(self, message: str, causes: tuple[Cause, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.causes = causes


class BadRequest(ApiError):
    """400: the body cannot be decoded, or contradicts the URL."""

    code, reason = 400, "BadRequest"


class Forbidden(ApiError):
    """403: admission refused (quota, resize, terminating namespace)."""

    code, reason = 403, "Forbidden"


class NotFound(ApiError):
    """404: no object of that name."""

    code, reason = 404, "NotFound"


class AlreadyExists(ApiError):
    """409: the name is taken."""

    code, reason = 409, "AlreadyExists"


class Conflict(ApiError):
    """409: the object changed since it was read, or a precondition failed."""

    code, reason = 409, "Conflict"


class Invalid(ApiError):
    """422: the object, or the change to it, breaks a validation rule."""

    code, reason = 422, "Invalid"


class ServerError(ApiError):
    """500: the server failed; nothing was stored."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a file something was seen; lines count from 1, and 0 means unknown."""

    file: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


class FileError(KitError):
    """A file does not say what it should: place, what was seen, what was expected."""

    def __init__(self, place: Place, seen: str, expected: str) -> None:
        super().__init__(f"{place}: {seen}; expected {expected}")
        self.place, self.seen, self.expected = place, seen, expected


class PlanError(FileError):
    """A plan or manifest that cannot be read."""


class TraceError(FileError):
    """A recorded trace that cannot be read."""
