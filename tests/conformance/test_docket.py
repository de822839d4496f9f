"""What a condition says of the parts that it looks at is so, and what did not change is told apart from what did."""

from hypothesis import given, settings

from pvkit.backends.objects import Obj
from pvkit.backends.protocol import Event
from pvkit.backends.reference.model import ReferenceModel
from pvkit.conformance.catalogue import all_invariants
from pvkit.conformance.docket import ALL_PARTS, changed_parts
from pvkit.conformance.execute import execute
from pvkit.conformance.history import Change, State
from pvkit.conformance.invariant import PARTS, Invariant, parts_of
from pvkit.strategies.plan import Plan
from pvkit.strategies.plans import plans

DECLARED = [entry for entry in all_invariants() if parts_of(entry.when)]


def concerned(change: Change) -> list[Invariant]:
    """Invariants that would be asked about a change by their condition alone, whatever parts it names."""
    kind = change.key.kind
    return [
        entry
        for entry in DECLARED
        if {kind, f"{kind} MODIFIED"} & set(entry.on) and entry.when is not None and entry.when(change)
    ]


def names(parts: int) -> set[str]:
    """The names of the parts behind some bits."""
    return {part for place, part in enumerate(PARTS) if parts >> place & 1}


@settings(max_examples=25)
@given(plans())
def test_a_condition_holds_only_where_a_part_that_it_names_has_changed(plan: Plan) -> None:
    history = execute(plan, ReferenceModel())
    state = State(history.header)
    for follower in {follower for entry in DECLARED for follower in entry.follows}:
        state.follow(follower)
    for entry in history.entries:
        if not isinstance(entry, Event):
            state.hear(entry)
            continue
        change = state.take(entry)
        if entry.type == "MODIFIED":
            changed = names(changed_parts(change.old, change.new))
            assert [rule.id for rule in concerned(change) if not parts_of(rule.when) & changed] == []


def test_each_part_is_told_apart_from_the_others() -> None:
    def changed(field: str, place: str) -> set[str]:
        old: Obj = {"kind": "Pod", "metadata": {"name": "web-0"}, "spec": {}, "status": {}}
        new: Obj = {**old, "metadata": dict(old["metadata"])}
        (new["metadata"] if place else new)[field] = {"changed": "yes"}
        return names(changed_parts(old, new))

    assert changed("spec", "") == {"spec"}
    assert changed("status", "") == {"status"}
    assert changed("annotations", "metadata") == {"annotations"}
    assert changed("labels", "metadata") == set()


def test_of_an_object_that_comes_or_goes_all_parts_have_changed() -> None:
    obj: Obj = {"kind": "Pod", "metadata": {"name": "web-0"}}
    assert changed_parts(None, obj) == changed_parts(obj, None) == ALL_PARTS
