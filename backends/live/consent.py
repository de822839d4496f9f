"""Asking before something is written on a cluster that is not on this machine.

A server on loopback, reached directly, is taken for the user's own. Any other is named together with what would happen,
and nothing is written without a yes: given beforehand (`--yes`), or by a person on a terminal.
"""

import ipaddress
from collections.abc import Callable
from urllib.parse import urlsplit

from pvkit.backends.errors import UsageError
from pvkit.backends.live.connection import Connection
from pvkit.backends.live.permissions import CREATED
from pvkit.backends.live.reaching import Reached

Ask = Callable[[str], bool]
"""Puts a question to a person and returns whether the answer is yes."""


class Declined(UsageError):
    """Somebody's cluster, and no yes to writing on it."""


def is_on_loopback(server: str) -> bool:
    """Whether a URL names this machine by a loopback address; no name but `localhost` is looked at."""
    host = urlsplit(server).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def consent(connection: Connection, reached: Reached, deed: str, yes: bool, ask: Ask | None = None) -> None:
    """Go on, or raise `Declined`.

    `deed` completes "pvkit is about to"; `ask` is None where no person can be asked.
    """
    if yes or (is_on_loopback(connection.server) and not connection.proxy):
        return
    through = f" through {connection.proxy}" if connection.proxy else ""
    where = f"{connection.server}{through} (context {reached.context}, Kubernetes {reached.version})"
    question = f"{where} is not on this machine.\npvkit is about to {deed}."
    if ask is None:
        raise Declined(f"{question}\nNothing was written. Add --yes if that is meant")
    if not ask(f"{question}\nGo on?"):
        raise Declined(f"nothing was written on {connection.server}")


def of_a_run(run_id: str) -> str:
    """What a run does, to be consented to."""
    kinds = "\n".join(f"  {kind}: {what}" for kind, what in CREATED)
    return (
        f"create objects, all labelled pvkit.dev/run={run_id}:\n{kinds}\n"
        f"and to remove them at its end; `pvkit cleanup --run-id {run_id}` removes what is left should it be killed"
    )
