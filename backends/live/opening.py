"""Opening a cluster for a run, in the order that keeps it safe: look, demand, ask, tell, rehearse; only then begin."""

import secrets
from collections.abc import Callable
from contextlib import suppress

from pvkit.backends.errors import KitError
from pvkit.backends.live import cluster
from pvkit.backends.live.backend import LiveBackend
from pvkit.backends.live.cleanup import sweep
from pvkit.backends.live.components import Layout
from pvkit.backends.live.consent import Ask, consent, of_a_run
from pvkit.backends.live.disturbing import Disturber, Undisturbed
from pvkit.backends.live.patience import Pace
from pvkit.backends.live.preflight import demand, examine
from pvkit.backends.live.reaching import connect, context_of, explaining, kubeconfig_of
from pvkit.backends.live.rehearsal import rehearse

Tell = Callable[[str], None]


def open_live(
    kubeconfig: str | None = None,
    context: str | None = None,
    yes: bool = False,
    ask: Ask | None = None,
    tell: Tell = lambda line: None,
) -> LiveBackend:
    """The backend for a cluster that can be judged, and whose owner agrees.

    `tell` hears the run's id before anything is written. Raises `UsageError` and `BackendError` that say what to do.
    """
    connection = connect(kubeconfig, context)
    found = examine(connection, context_of(kubeconfig, context))
    demand(found)
    run_id = secrets.token_hex(3)
    consent(connection, found.reached, of_a_run(run_id), yes, ask)
    tell(f"run {run_id} on {connection.server}; `pvkit cleanup --run-id {run_id}` removes what a killed run leaves")
    with explaining(connection.server):
        try:
            rehearse(connection, run_id)
            own = own_cluster(connection.server)
            pace = Pace() if own is None else Pace(resync=float(own.resync_seconds))
            unrest = Disturber(own) if own is not None and own.lines else Undisturbed()
            return LiveBackend(kubeconfig_of(kubeconfig), context, pace, own is not None, run_id=run_id, unrest=unrest)
        except BaseException:
            with suppress(KitError):  # What came first is told; the command that removes the rest was told before.
                sweep(connection, run_id)
            raise


def look(kubeconfig: str | None, context: str | None) -> str:
    """What `open_live` would come to, without writing anything; raises as it does."""
    found = examine(connect(kubeconfig, context), context_of(kubeconfig, context))
    demand(found)
    reached = found.reached
    return f"on {reached.server} (context {reached.context}, {reached.version}) it would {of_a_run('ID')}"


def own_cluster(server: str) -> Layout | None:
    """The layout of the kit's own cluster that answers at a URL; None when the cluster is somebody else's."""
    for name in cluster.names():
        layout = cluster.layout_of(name)
        if layout.server == server:
            return layout
    return None
