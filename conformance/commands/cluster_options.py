"""The options by which a cluster is named and consent is given, the same for every verb."""

import sys
from collections.abc import Callable, Mapping
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from pvkit.backends.live.consent import Ask
    from pvkit.strategies.plan import Plan

LIVE = "live"
BESIDE = 8
"""How many plans are played at once on a cluster, unless asked otherwise: their waits overlap."""
THINNED = 3
"""For how many plans without a default class one is drawn that may have it, where several are played at once."""
MODEL_ONLY = frozenset({"turns", "order", "settings"})
NOT_FOR_GUESTS = frozenset({"nodes", "affinity", "defaults", "recycling"})
"""Features that would need what belongs to everybody: nodes, default classes, the recycler's pods."""
Command = TypeVar("Command", bound=Callable[..., object])


def cluster_named(command: Command) -> Command:
    """Give a command `--kubeconfig` and `--context`."""
    command = click.option("--context", metavar="NAME", help="Of the kubeconfig; by default its current one.")(command)
    return click.option("--kubeconfig", metavar="FILE", help="By default what kubectl takes, KUBECONFIG first.")(
        command
    )


def cluster_options(command: Command) -> Command:
    """Give a command `--kubeconfig`, `--context` and `--yes`."""
    agreed = click.option(
        "--yes", is_flag=True, help="Do not ask before writing on a server that is not on this machine."
    )
    return cluster_named(agreed(command))


def data_options(command: Command) -> Command:
    """Give a command `--image` and `--storage-class`."""
    image = click.option(
        "--image",
        metavar="REF",
        default="",
        help="Small, with `sh`: pods on real nodes write and read data with it.",
    )
    named = "A class of the cluster: volumes of plans are made as for that one; it is only read."
    return image(click.option("--storage-class", metavar="NAME", default="", help=named)(command))


def asker() -> "Ask | None":
    """Asks the person at the terminal; None where there is none."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None
    return lambda question: click.confirm(question, default=False, err=True)


def opened(spec: str, given: Mapping[str, Any]) -> Any:
    """The backend of that name; a cluster by `cluster_options` and `data_options`, and a dry run only looks at it."""
    from pvkit.backends.errors import UsageError
    from pvkit.backends.registry import open_backend

    image, storage_class = given.get("image") or "", given.get("storage_class") or ""
    if spec != LIVE:
        if image or storage_class:
            raise UsageError(f"--image and --storage-class are for --backend {LIVE}; {spec} runs no pods")
        return open_backend(spec)
    from pvkit.backends.live.opening import look, open_live

    if given.get("dry_run"):
        click.echo(look(given["kubeconfig"], given["context"], image, storage_class))
        return SimpleNamespace(close=lambda: None)
    tell = partial(click.echo, err=True)
    return open_live(given["kubeconfig"], given["context"], given["yes"], asker(), tell, image, storage_class)


def drawn_for(
    backend: Any, profile: str, parallel: int, about: tuple[str, ...] | None = None
) -> "SearchStrategy[Plan]":
    """Plans for a cluster, with no wait longer than it need be; of the features in `about`, if that is given.

    Of several that are played at once only one may be about default classes, so few of them are drawn then. Where pods
    write to volumes that are made for them, some plans are about nothing else.
    """
    from hypothesis import strategies as st

    from pvkit.conformance.playable import for_cluster
    from pvkit.strategies.comebacks import comebacks
    from pvkit.strategies.plans import plans

    features, described = about or playable(backend), backend.describe()
    drawn = plans(profile, features, False)
    if parallel > 1:
        without = plans(profile, tuple(entry for entry in features if entry != "defaults"), False)
        drawn = st.one_of(*[without] * THINNED, drawn)
    if about is None and described.data and "provisioning" not in described.lacks:
        drawn = st.one_of(*[drawn] * THINNED, comebacks())
    guest = "nodes" in described.lacks
    return drawn.map(lambda plan: for_cluster(_anywhere(plan) if guest else plan, described.kubernetes_version)[0])


def _anywhere(plan: "Plan") -> "Plan":
    """The plan with no pod on a node that it names: a guest does not know the nodes."""
    from dataclasses import replace

    from pvkit.backends.objects import without
    from pvkit.backends.protocol import Operation

    steps = [
        replace(step, object=without(step.object, ("spec", "nodeName")))
        if isinstance(step, Operation) and step.verb == "create" and step.object and step.object.get("kind") == "Pod"
        else step
        for step in plan.steps
    ]
    return replace(plan, steps=tuple(steps))


def playable(backend: Any) -> tuple[str, ...]:
    """The features that plans for a cluster can be about: no clock or order of its own, and on others' no nodes."""
    from pvkit.strategies.features import PLAIN

    guest = "nodes" in backend.describe().lacks
    return tuple(entry for entry in PLAIN if entry not in MODEL_ONLY and not (guest and entry in NOT_FOR_GUESTS))
