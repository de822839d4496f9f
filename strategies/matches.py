"""What decides whether a volume suits a claim, one predicate a row: volumes that fit, and volumes that just do not.

A claim and a volume drawn apart seldom differ in one thing only. Here they do, so that a comparison that is left out,
turned round or made on the wrong value shows at once. Nothing here computes a match: the rows are written down.
"""

from dataclasses import dataclass

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from pvkit.backends.errors import UsageError
from pvkit.backends.objects import Key, Obj
from pvkit.backends.storage import BETA_CLASS
from pvkit.strategies.claims import claim, requirement, selecting
from pvkit.strategies.quantities import NEIGHBOURS
from pvkit.strategies.traits import Trait
from pvkit.strategies.volumes import HOSTNAME, ROX, RWO, RWOP, RWX, STALE_UID, ZONE, on_nodes, reserved, volume

PLAIN = Trait()


@dataclass(frozen=True, slots=True)
class Row:
    """One way to ask, and the volumes that answer it and that do not. `subject` is the predicate."""

    subject: str
    asks: Trait
    fits: tuple[Trait, ...]
    misfits: tuple[Trait, ...]

    @property
    def feature(self) -> str:
        """The feature the row belongs to."""
        return self.asks.feature


def _size(text: str) -> Trait:
    return Trait(spec={"capacity": {"storage": text}})


def _asked(text: str) -> Trait:
    return Trait("sizes", {"resources": {"requests": {"storage": text}}})


def _modes(*modes: str) -> Trait:
    return Trait("modes", {"accessModes": list(modes)})


def _mode(mode: str | None) -> Trait:
    return Trait("block", {"volumeMode": mode})


def _class(name: str | None, beta: str | None = None, feature: str = "classes") -> Trait:
    return Trait(feature, {"storageClassName": name}, annotations={} if beta is None else {BETA_CLASS: beta})


def _marked(**labels: str) -> Trait:
    return Trait(labels=labels)


def _attributes(name: str | None) -> Trait:
    return Trait("attributes", {"volumeAttributesClassName": name})


def _on(label: str, operator: str, *values: str) -> Trait:
    return Trait("affinity", {"nodeAffinity": on_nodes((label, operator, values))})


SIZES = tuple(
    Row("size", _asked(asked), (_size(fits), _size(asked)), (_size(short), _size("1Mi")))
    for asked, fits, short in NEIGHBOURS
)
MODES = (
    Row("modes", _modes(RWX), (_modes(RWX), _modes(RWO, RWX)), (_modes(RWO), _modes(RWO, ROX))),
    Row("modes", _modes(RWO), (_modes(RWO, RWX), _modes(RWX, ROX, RWO)), (_modes(ROX), _modes(RWX), _modes(RWOP))),
    Row("modes", _modes(RWO, ROX), (_modes(RWO, ROX), _modes(RWO, ROX, RWX)), (_modes(RWO), _modes(ROX))),
    Row("modes", _modes(RWOP), (_modes(RWOP),), (_modes(RWO), _modes(RWX, RWO))),
    Row("modes", _modes(ROX), (_modes(ROX), _modes(RWO, ROX)), (_modes(RWO), _modes(RWX))),
)
BLOCK = (
    Row("volumeMode", _mode("Block"), (_mode("Block"),), (_mode(None), _mode("Filesystem"))),
    Row("volumeMode", _mode("Filesystem"), (_mode(None), _mode("Filesystem")), (_mode("Block"),)),
    Row("volumeMode", Trait("block"), (_mode("Filesystem"), _mode(None)), (_mode("Block"),)),
)
CLASSES = (
    Row("class", _class("slow"), (_class("slow"),), (_class("fast"), _class(""), _class(None))),
    Row("class", _class(""), (_class(""), _class(None)), (_class("fast"), _class("slow"))),
    Row("class", _class(None), (_class(None), _class("")), (_class("fast"), _class("slow"))),
    Row(
        "class",
        _class(None, "slow", "beta"),
        (_class("slow"), _class(None, "slow"), _class("fast", "slow")),
        (_class("fast"), _class("slow", "fast"), _class(None)),
    ),
    Row("class", Trait("beta"), (_class("slow", "fast"),), (_class("fast", "slow"), _class("fast", ""))),
)
SELECTORS = (
    Row("selector", selecting(zone="a"), (_marked(zone="a"), _marked(zone="a", tier="x")), (PLAIN, _marked(zone="b"))),
    Row("selector", selecting(), (PLAIN, _marked(zone="b")), ()),
    Row("selector", selecting(requirement("zone", "In", "a", "b")), (_marked(zone="b"),), (_marked(zone="c"), PLAIN)),
    Row("selector", selecting(requirement("zone", "NotIn", "a")), (PLAIN, _marked(zone="b")), (_marked(zone="a"),)),
    Row(
        "selector",
        selecting(requirement("tier", "Exists")),
        (_marked(tier=""), _marked(tier="x")),
        (PLAIN, _marked(zone="a")),
    ),
    Row("selector", selecting(requirement("tier", "DoesNotExist")), (PLAIN, _marked(zone="a")), (_marked(tier=""),)),
    Row(
        "selector",
        selecting(requirement("tier", "Exists"), zone="a"),
        (_marked(zone="a", tier="x"),),
        (_marked(zone="a"), _marked(tier="x"), _marked(zone="b", tier="x")),
    ),
)
ATTRIBUTES = (
    Row("attributes", _attributes("gold"), (_attributes("gold"),), (_attributes("silver"), _attributes(None))),
    Row("attributes", _attributes(""), (_attributes(None),), (_attributes("gold"),)),
    Row("attributes", Trait("attributes"), (_attributes(None),), (_attributes("silver"),)),
)
_NOWHERE = Trait("affinity", {"nodeAffinity": {"required": {"nodeSelectorTerms": [{}]}}})
"""A term without labels, which no node meets."""
AFFINITY = (
    Row("affinity", Trait("affinity"), (_on(HOSTNAME, "In", "n1"),), (_NOWHERE,)),
    Row("affinity", Trait("affinity"), (_on(HOSTNAME, "In", "n1"), _on(ZONE, "Exists")), (_on(HOSTNAME, "In", "n9"),)),
    Row("affinity", Trait("affinity"), (_on(ZONE, "In", "a"), _on("rank", "Gt", "3")), (_on(ZONE, "NotIn", "a", "b"),)),
    Row(
        "affinity",
        Trait("affinity"),
        (Trait(spec={"nodeAffinity": on_nodes((ZONE, "In", ("c",)), (HOSTNAME, "In", ("n1",)))}),),
        (_on("rank", "Lt", "1"), _on(ZONE, "In", "c")),
    ),
)
_THEIRS, _MINE = Key("PersistentVolumeClaim", "default", "c3"), Key("PersistentVolumeClaim", "", "")
RESERVED = (
    Row(
        "reservation",
        Trait("reservations"),
        (reserved(_MINE), PLAIN),
        (reserved(_THEIRS), reserved(_MINE, STALE_UID), reserved(Key("PersistentVolumeClaim", "other", "c1"))),
    ),
)
ROWS = (*SIZES, *MODES, *CLASSES, *SELECTORS, *BLOCK, *ATTRIBUTES, *RESERVED, *AFFINITY)
SUBJECTS = tuple(dict.fromkeys(row.subject for row in ROWS))


def for_claim(trait: Trait, asking: Key) -> Trait:
    """The trait with the claim filled in where a reservation leaves it open."""
    ref = trait.spec.get("claimRef")
    if not ref or ref["name"]:
        return trait
    return Trait(trait.feature, {**trait.spec, "claimRef": {**ref, "namespace": asking.namespace, "name": asking.name}})


def matches(subject: str | None = None, fitting: bool | None = None) -> SearchStrategy[tuple[Obj, Obj]]:
    """A claim `c1` and a volume `v1` that fit, or just do not, by one predicate (default: any; either).

    Shrinks to the first row. Raises `UsageError` for an unknown subject.
    """
    if subject is not None and subject not in SUBJECTS:
        raise UsageError(f"unknown subject {subject!r}; choose from {', '.join(SUBJECTS)}")
    asking = Key("PersistentVolumeClaim", "default", "c1")
    pairs = [
        (claim("c1", row.asks), volume("v1", for_claim(trait, asking)))
        for row in ROWS
        if subject in (None, row.subject)
        for fits, traits in ((True, row.fits), (False, row.misfits))
        if fitting in (None, fits)
        for trait in traits
    ]
    return st.sampled_from(pairs)
