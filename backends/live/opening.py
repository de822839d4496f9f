"""Opening a cluster for a run, in the order that keeps it safe: look, demand, ask, tell, rehearse; only then begin."""

import secrets
from collections.abc import Callable
from contextlib import suppress

from pvkit.backends.errors import KitError, UsageError
from pvkit.backends.live import cluster
from pvkit.backends.live.backend import LiveBackend
from pvkit.backends.live.cleanup import sweep
from pvkit.backends.live.components import Layout
from pvkit.backends.live.connection import Connection
from pvkit.backends.live.consent import Ask, consent, of_a_run
from pvkit.backends.live.disturbing import Disturber, Undisturbed
from pvkit.backends.live.guise import Guise, fitting
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
    image: str = "",
    storage_class: str = "",
) -> LiveBackend:
    """The backend for a cluster that can be judged, and whose owner agrees.

    `tell` hears the run's id before anything is written. With an `image` pods write to their volumes and tell what they
    find; with the name of a `storage_class` of the cluster's, volumes are made as for that one. Raises `UsageError` and
    `BackendError` that say what to do.
    """
    connection = connect(kubeconfig, context)
    found = examine(connection, context_of(kubeconfig, context))
    demand(found)
    guise = guise_for(connection, image, storage_class)
    run_id = secrets.token_hex(3)
    consent(connection, found.reached, of_a_run(run_id) + guise.deed, yes, ask)
    tell(f"run {run_id} on {connection.server}; `pvkit cleanup --run-id {run_id}` removes what a killed run leaves")
    with explaining(connection.server):
        try:
            rehearse(connection, run_id, guise.worn)
            own = own_cluster(connection.server)
            pace = Pace() if own is None else Pace(resync=float(own.resync_seconds))
            unrest = Disturber(own) if own is not None and own.lines else Undisturbed()
            where = kubeconfig_of(kubeconfig)
            return LiveBackend(where, context, pace, own is not None, run_id=run_id, unrest=unrest, guise=guise)
        except BaseException:
            with suppress(KitError):  # What came first is told; the command that removes the rest was told before.
                sweep(connection, run_id)
            raise


def guise_for(connection: Connection, image: str, storage_class: str) -> Guise:
    """What the plans' objects wear; raises `UsageError` where that cannot be had, or would change nothing."""
    asked = [f"--{word}" for word, value in (("image", image), ("storage-class", storage_class)) if value]
    if asked and own_cluster(connection.server) is not None:
        simulated = "its nodes and its storage are simulated, so no pod runs there and nothing is written"
        raise UsageError(f"{' and '.join(asked)} would change nothing on a cluster of the kit's own: {simulated}")
    return fitting(connection, image, storage_class) if asked else Guise()


def look(kubeconfig: str | None, context: str | None, image: str = "", storage_class: str = "") -> str:
    """What `open_live` would come to, without writing anything; raises as it does."""
    connection = connect(kubeconfig, context)
    found = examine(connection, context_of(kubeconfig, context))
    demand(found)
    guise = guise_for(connection, image, storage_class)
    reached = found.reached
    return f"on {reached.server} (context {reached.context}, {reached.version}) it would {of_a_run('ID')}{guise.deed}"


def own_cluster(server: str) -> Layout | None:
    """The layout of the kit's own cluster that answers at a URL; None when the cluster is somebody else's."""
    for name in cluster.names():
        layout = cluster.layout_of(name)
        if layout.server == server:
            return layout
    return None
