"""The first words with a server: whether the kubeconfig can be used, who answers, and whether it can be judged.

All that commonly goes wrong before a run gets a message that says what was seen and what to do about it.
"""

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import yaml
from kubernetes import config

from pvkit.backends.errors import ApiError, BackendError, Unavailable, UsageError
from pvkit.backends.live.connection import Connection
from pvkit.backends.protocol import KUBERNETES_VERSIONS

UNAUTHORIZED, FORBIDDEN = 401, 403


@dataclass(frozen=True, slots=True)
class Reached:
    """A server that answers: its URL, the kubeconfig's context, its version as `v1.36.3`, and the minor `1.36`.

    The minor is the emulated one where a server emulates an older.
    """

    server: str
    context: str
    version: str
    minor: str


def connect(kubeconfig: str | None, context: str | None) -> Connection:
    """A connection by a kubeconfig; raises `UsageError` when that cannot be read, or has no such context."""
    if context:
        known = contexts(kubeconfig)
        if context not in known:
            raise UsageError(f"no context {context!r} in the kubeconfig; it has {', '.join(known) or 'none'}")
    try:
        return Connection(kubeconfig_of(kubeconfig), context)
    except (yaml.YAMLError, ValueError, TypeError, KeyError, AttributeError, OSError) as error:
        raise _malformed(kubeconfig, error) from None


def contexts(kubeconfig: str | None) -> list[str]:
    """The names of the kubeconfig's contexts; raises `UsageError` when it cannot be read."""
    try:
        listed, _ = config.list_kube_config_contexts(kubeconfig_of(kubeconfig))  # type: ignore[no-untyped-call]
    except config.ConfigException as error:
        named = f" {kubeconfig_of(kubeconfig)}" if kubeconfig else ""
        raise UsageError(f"no usable kubeconfig{named}: {error}; name one with --kubeconfig or KUBECONFIG") from None
    except (yaml.YAMLError, ValueError, TypeError, KeyError, AttributeError, OSError) as error:
        raise _malformed(kubeconfig, error) from None
    return [entry["name"] for entry in listed]


def kubeconfig_of(kubeconfig: str | None) -> str | None:
    """The file, or files, as kubectl finds them; the client would look at the environment at its import only."""
    return kubeconfig or os.environ.get("KUBECONFIG") or None


def _malformed(kubeconfig: str | None, error: Exception) -> UsageError:
    where = f"kubeconfig {kubeconfig}" if kubeconfig else "the kubeconfig"
    if isinstance(error, (TypeError, KeyError, AttributeError)):
        return UsageError(f"{where} is none: expected a mapping with clusters, users, contexts and current-context")
    return UsageError(
        f"{where} cannot be read: {' '.join(str(error).split())}; `kubectl config view` shows what is expected"
    )


def context_of(kubeconfig: str | None, context: str | None) -> str:
    """The name of the context that is used."""
    if context:
        return context
    _, active = config.list_kube_config_contexts(kubeconfig_of(kubeconfig))  # type: ignore[no-untyped-call]
    return str(active["name"])


def reach(connection: Connection, context: str = "") -> Reached:
    """Ask who answers; raises `BackendError` when nobody does, and for a version that there are no rules for."""
    try:
        told = connection.request("GET", "/version")
    except (ApiError, Unavailable) as error:
        raise explained(error, connection.server) from None
    except ValueError:  # Not even JSON.
        told = {}
    if not isinstance(told, dict) or "gitVersion" not in told:
        raise BackendError(f"{connection.server} answers, but not as a Kubernetes API server does; what is in between?")
    minor = _minor(told)
    if minor not in KUBERNETES_VERSIONS:
        known = f"{KUBERNETES_VERSIONS[0]} to {KUBERNETES_VERSIONS[-1]}"
        raise BackendError(f"{connection.server} is Kubernetes {told['gitVersion']}; there are rules for {known} only")
    return Reached(connection.server, context, str(told["gitVersion"]), minor)


def _minor(told: dict[str, str]) -> str:
    major = told.get("emulationMajor") or told.get("major", "")
    return f"{major}.{(told.get('emulationMinor') or told.get('minor', '')).rstrip('+')}"


def explained(error: ApiError | Unavailable, server: str) -> BackendError:
    """What a refusal or silence of a server means for somebody who wants to run the kit there."""
    if isinstance(error, Unavailable):
        return Unavailable(_silence(error, server))
    if error.code == UNAUTHORIZED:
        return BackendError(
            f"{server} does not accept who you are (401 {error.message or 'Unauthorized'}): the token or certificate "
            "of the kubeconfig's user is wrong or has expired; log in again, or name another context with --context"
        )
    if error.code == FORBIDDEN:
        return BackendError(
            f"{server} refuses (403): {error.message}; `pvkit preflight` shows which permissions are missing"
        )
    return BackendError(f"{server} answers {error.code} {error.reason}: {error.message}")


@contextmanager
def explaining(server: str) -> Iterator[None]:
    """Tell of refusals and silence inside in words that say what to do."""
    try:
        yield
    except (ApiError, Unavailable) as error:
        raise explained(error, server) from None


def _silence(error: Unavailable, server: str) -> str:
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return (
                f"the certificate of {server} is none that the kubeconfig trusts: {cause.verify_message}; "
                "is certificate-authority-data that of this cluster?"
            )
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return f"{server} does not speak TLS as expected: {_told(causes[-1])}; does the kubeconfig name the right port?"
    said = _told(causes[-1]) if causes else str(error).partition(": ")[2]
    return f"{server} does not answer: {said}; is the cluster up, and can it be reached from here?"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """What lies under an error, outermost first: what it was raised from, or wraps as its reason."""
    inner = error.__context__
    while inner is not None:
        yield inner
        reason = getattr(inner, "reason", None)
        inner = reason if isinstance(reason, BaseException) else inner.__cause__ or inner.__context__


def _told(cause: BaseException) -> str:
    """An error without the part that only names an object in memory."""
    text = str(cause) or type(cause).__name__
    return text.rpartition(">: ")[2] or text
