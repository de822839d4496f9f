"""Backends by name: the model, its mutants, a class of yours, or an installed entry point."""

import importlib
import os
import sys
from collections.abc import Callable
from functools import partial
from importlib.metadata import entry_points
from typing import Any

from pvkit.backends.errors import BackendError, KitError, UsageError
from pvkit.backends.protocol import Backend

GROUP = "pvkit.backends"
METHODS = ("reset", "invoke", "settle", "observe", "describe", "close")
FORMS = "`reference`, `live`, `mutant:<id>`, `package.module:Class`, or the name of an installed entry point"


def backend_names() -> dict[str, str]:
    """The names that need nothing more, with a sentence each."""
    names = {
        "reference": "the reference model, in this process and in logical time",
        "live": "the cluster of your kubeconfig, looked at first as `pvkit preflight` does",
        "mutant:<id>": "the model with one thing broken; `pvkit list mutants` shows the ids",
        "package.module:Class": "a class of your own with the methods of pvkit.backends.protocol.Backend",
    }
    return names | {entry.name: f"installed: {entry.value}" for entry in entry_points(group=GROUP)}


def open_backend(spec: str) -> Backend:
    """The backend of that name, ready for `reset`; raises `UsageError` that says what would be valid."""
    return _made(spec, found(spec))


def found(spec: str) -> Callable[[], Any]:
    """What makes the backend of that name; raises `UsageError` as `open_backend` does, but opens nothing."""
    if spec == "reference":
        from pvkit.backends.reference.model import ReferenceModel

        return ReferenceModel
    if spec == "live":
        from pvkit.backends.live.opening import open_live

        return open_live
    if spec.startswith("mutant:"):
        from pvkit.backends.mutants.registry import MutantModel, named

        return partial(MutantModel, named(spec.removeprefix("mutant:")))
    made: Callable[[], Any] = _imported(spec) if ":" in spec else _installed(spec)
    return made


def _installed(spec: str) -> Any:
    found = [entry for entry in entry_points(group=GROUP) if entry.name == spec]
    if not found:
        raise UsageError(f"no backend {spec!r}; name {FORMS}")
    try:
        return found[0].load()
    except (ImportError, AttributeError) as error:
        raise UsageError(f"backend {spec!r}: {found[0].value} cannot be loaded ({error})") from None


def _imported(spec: str) -> Any:
    module, _, attribute = spec.partition(":")
    if not module or not attribute or module.startswith("."):
        raise UsageError(f"no backend {spec!r}; name {FORMS}")
    if "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # A class beside the user's tests is found, as `python -m` would find it.
    try:
        loaded = importlib.import_module(module)
    except ImportError as error:
        raise UsageError(f"backend {spec!r}: {module} cannot be imported ({error}); is it installed?") from None
    except Exception as error:
        raise BackendError(f"backend {spec!r}: importing {module} raised {type(error).__name__}: {error}") from error
    if not hasattr(loaded, attribute):
        raise UsageError(f"backend {spec!r}: {module} has no {attribute!r}")
    return getattr(loaded, attribute)


def _made(spec: str, factory: Any) -> Backend:
    try:
        made = factory()
    except TypeError as error:
        raise UsageError(f"backend {spec!r} cannot be made without arguments: {error}") from None
    except KitError:
        raise
    except Exception as error:
        raise BackendError(f"backend {spec!r} cannot be made: it raised {type(error).__name__}: {error}") from error
    missing = [method for method in METHODS if not callable(getattr(made, method, None))]
    if missing:
        raise UsageError(f"{spec!r} is no backend: it lacks {', '.join(missing)} (see pvkit.backends.protocol.Backend)")
    backend: Backend = made
    return backend
