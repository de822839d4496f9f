"""What plans can be about. Each plan draws which of these take part: a swarm, because a plan that does everything at
once hides one thing behind another."""

from pvkit.backends.errors import UsageError

PLAIN = (
    "sizes", "modes", "classes", "selectors", "block", "beta", "attributes", "reservations", "imports", "sources",
    "finalizers", "reclaim", "edits", "deletions", "recreation", "namespaces", "defaults", "expansion", "provisioning",
    "delayed", "affinity", "nodes", "pods", "behaviours", "sets", "scaling", "updates", "retention", "services",
    "status", "turns", "order", "settings",
    "named", "plenty", "pairs", "goings", "recycling", "made", "requests", "endings", "owners", "waits",
)  # fmt: skip
"""Features that need no fault. `turns`: operations fall between the writes of controllers; `order`: the schedule.

`named`: claims that name their volume; `plenty`: several volumes that fit; `pairs`: halves of a bound pair that
somebody changes; `goings`: volumes that are to go or are gone; `recycling`: volumes that pass to the next owner;
`made`: volumes made on demand, to all measures;
`requests`: what an API server refuses, or must not; `endings`: pods, nodes and namespaces that go; `owners`: owners
that do; `waits`: pods whose volumes, claims or nodes are not there yet, or are chosen anew."""
FAULTS = ("views", "crashes", "calls", "leaders", "storage", "outages", "time", "rivals", "guards", "faltering",
          "strays", "guesses")  # fmt: skip
"""Features that are disturbances: views that lag, crashes, calls that fail, two leaders, storage, nodes cut off, time
that passes though nobody did anything.

`rivals`: what a binder gives away while it does not see all; `guards`: what the protector of claims does not see;
`faltering`: a provisioner that fails half way; `strays`: deletes by what was seen some time ago, and late ones;
`guesses`: a scheduler that chooses by what it does not see, or is refused.

The order matters: among features that would all do, a plan shrinks to the first."""
FEATURES = (*PLAIN, *FAULTS)
THEMES: tuple[frozenset[str], ...] = (
    frozenset(),
    frozenset({"delayed", "affinity", "nodes"}),
    frozenset({"sets"}),
    frozenset({"provisioning", "expansion", "reclaim", "storage"}),
    frozenset({"recreation", "deletions", "views"}),
    frozenset({"updates", "behaviours"}),
    frozenset({"retention", "deletions"}),
    frozenset({"pods", "turns"}),
    frozenset({"reservations", "edits", "imports"}),
    frozenset({"calls", "crashes"}),
    frozenset({"outages", "nodes", "pods"}),
    frozenset({"defaults", "classes"}),
)
"""What a plan can be about above all; the first stands for nothing in particular."""


def known(features: tuple[str, ...] | None, faults: bool) -> tuple[str, ...]:
    """The features that may take part; raises `UsageError` for one that there is not."""
    for feature in features or ():
        if feature not in FEATURES:
            raise UsageError(f"unknown feature {feature!r}; choose from {', '.join(FEATURES)}")
    return tuple(feature for feature in features or FEATURES if faults or feature not in FAULTS)
