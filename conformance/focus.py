"""What plans dwell on when only some promises are asked about.

A promise is soonest seen to break in plans that are about its subject. So a hunt for one invariant, and a run of a
few, draws most of its plans around the features named here; the others stay as varied as ever.
"""

from collections.abc import Iterable

from hypothesis.strategies import SearchStrategy

from pvkit.conformance.invariant import Invariant
from pvkit.strategies.plan import Plan
from pvkit.strategies.plans import plans

TOPICS: dict[str, tuple[str, ...]] = {
    "metadata": ("requests", "edits", "deletions", "recreation", "finalizers"),
    "immutability": ("requests", "sets", "classes"),
    "api": ("requests",),
    "collection": ("sets", "deletions", "retention", "finalizers", "namespaces"),
    "refusals": ("requests",),
    "matching": ("sizes", "modes", "classes", "selectors", "block", "attributes"),
    "choice": ("sizes", "modes", "classes", "selectors", "delayed"),
    "binding": ("recreation", "reservations", "turns", "views", "calls"),
    "binding_writes": ("reservations", "turns", "crashes", "calls", "imports"),
    "reservation": ("reservations", "imports", "recreation", "edits"),
    "phases": ("recreation", "deletions", "edits", "views", "reclaim"),
    "claim_status": ("edits", "expansion", "imports", "deletions"),
    "classes": ("classes", "defaults", "beta", "edits"),
    "provisioning": ("provisioning", "expansion", "delayed", "storage", "recreation"),
    "reclaim": ("reclaim", "deletions", "provisioning", "storage", "edits"),
    "references": ("plenty", "reservations", "recycling", "recreation", "edits"),
    "delivery": ("made", "expansion", "nodes"),
    "protection": ("pods", "deletions", "finalizers", "turns", "views"),
    "scheduling": ("delayed", "affinity", "nodes", "pods"),
    "ledger": ("provisioning", "reclaim", "storage", "crashes", "deletions"),
    "identity": ("sets", "recreation", "deletions"),
    "ordering": ("scaling", "behaviours"),
    "updates": ("updates", "behaviours"),
    "revisions": ("updates",),
    "claim_templates": ("sets",),
    "retention": ("retention",),
    "set_status": ("sets", "scaling", "behaviours", "updates"),
    "convergence": ("sets", "scaling", "behaviours", "updates"),
    "scarcity": ("sets", "sizes"),
    "pod_lifecycle": ("sets", "pods", "behaviours", "outages", "nodes"),
    "endpoints": ("services", "behaviours"),
    "endings": ("endings",),
    "containers": ("endings", "waits"),
}
"""The features of each topic of invariants; a topic that is not here is about nothing in particular."""

PROMISES: dict[str, tuple[str, ...]] = {
    "PVB-001": ("sizes", "named", "plenty", "delayed"),
    "PVB-002": ("modes", "named", "delayed"),
    "PVB-003": ("classes", "named"),
    "PVB-004": ("block", "named", "delayed"),
    "PVB-005": ("selectors", "delayed"),
    "PVB-006": ("attributes", "named"),
    "PVB-007": ("goings",),
    "PVB-008": ("turns", "sizes"),
    "PVB-009": ("plenty",),
    "PVB-010": ("plenty",),
    "PVB-011": ("plenty", "delayed"),
    "PVB-016": ("made", "turns"),
    "PVB-020": ("rivals",),
    "PVB-022": ("rivals", "turns"),
    "PVB-023": ("plenty",),
    "PVB-025": ("rivals",),
    "PVB-026": ("goings",),
    "PVB-031": ("named",),
    "PVB-035": ("pairs", "expansion", "guesses"),
    "PVB-040": ("rivals", "recycling", "guesses"),
    "PVB-034": ("sizes",),
    "PVB-036": ("sizes",),
    "PVB-041": ("plenty",),
    "PVB-042": ("pairs",),
    "PVB-043": ("named",),
    "PVB-044": ("plenty",),
    "PVB-045": ("pairs",),
    "PVB-054": ("recycling",),
    "PVB-057": ("pairs", "imports"),
    "PVB-052": ("rivals",),
    "PVB-058": ("goings",),
    "PVB-061": ("pairs",),
    "PVB-062": ("goings", "pairs"),
    "PVB-063": ("reclaim", "recycling"),
    "PVB-064": ("expansion",),
    "PVB-065": ("expansion",),
    "PVB-066": ("expansion",),
    "PVB-070": ("defaults",),
    "PVB-071": ("defaults",),
    "PVB-072": ("pairs",),
    "PVB-073": ("defaults",),
    "PVB-074": ("defaults",),
    "PVB-075": ("made", "delayed"),
    "PVB-076": ("made",),
    "PVB-080": ("made",),
    "PVB-081": ("made",),
    "PVB-082": ("made", "nodes"),
    "PVB-083": ("faltering",),
    "PVB-084": ("made", "named"),
    "PVB-085": ("made", "turns"),
    "PVB-091": ("made",),
    "PVB-092": ("faltering",),
    "PVB-094": ("reclaim", "recycling"),
    "PVB-096": ("recycling",),
    "PVB-097": ("recycling",),
    "PVB-120": ("time",),
    "PVB-130": ("made", "faltering"),
    "PVB-131": ("made",),
    "PVB-132": ("faltering",),
    "PVB-133": ("recycling",),
    "PVB-134": ("faltering",),
    "PVB-135": ("faltering",),
    "PVB-101": ("guards", "pods"),
    "PVB-103": ("guards",),
    "PVB-105": ("finalizers",),
    "PVB-112": ("modes", "pods", "nodes"),
    "PVB-111": ("waits", "affinity", "nodes"),
    "PVB-113": ("waits",),
    "PVB-114": ("waits", "affinity", "nodes"),
    "PVB-115": ("guesses", "waits"),
    "PVB-117": ("waits",),
    "PVB-118": ("waits", "nodes"),
    "API-013": ("requests", "classes"),
    "API-014": ("requests",),
    "API-025": ("requests",),
    "API-027": ("requests",),
    "API-031": ("owners", "strays"),
    "API-034": ("owners", "strays"),
    "API-021": ("requests",),
    "API-035": ("endings", "namespaces"),
    "API-036": ("endings", "namespaces"),
    "API-037": ("endings", "namespaces"),
    "API-038": ("owners",),
    "STS-102": ("behaviours", "outages", "strays"),
    "STS-104": ("endings",),
    "STS-113": ("strays",),
    "STS-105": ("requests",),
    "STS-106": ("updates",),
    "STS-007": ("sets",),
    "STS-008": ("sets",),
    "STS-013": ("scaling",),
    "STS-026": ("updates", "behaviours"),
    "STS-032": ("crashes",),
    "STS-036": ("updates", "calls"),
    "STS-081": ("scaling", "behaviours"),
    "STS-082": ("updates",),
    "STS-083": ("sets",),
    "STS-100": ("scaling", "behaviours"),
    "STS-101": ("scaling", "behaviours"),
    "STS-054": ("retention", "calls"),
    "STS-076": ("time",),
}
"""The features of single promises whose subject is another than that of their topic."""

MOST_SUBJECTS = 3
"""More subjects than these have nothing in common."""


def about(invariants: Iterable[Invariant]) -> tuple[str, ...]:
    """The features that matter to any of these invariants, in a fixed order; none when they have nothing in common."""
    subjects = sorted({entry.id if entry.id in PROMISES else entry.topic for entry in invariants})
    if len(subjects) > MOST_SUBJECTS:
        return ()
    return tuple(dict.fromkeys(feature for name in subjects for feature in (PROMISES | TOPICS).get(name, ())))


def plans_about(invariants: Iterable[Invariant], profile: str = "default", faults: bool = True) -> SearchStrategy[Plan]:
    """Plans for a search that asks about these invariants only."""
    return plans(profile, faults=faults, about=about(invariants))
