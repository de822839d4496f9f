"""Classes: what a claim says about its class is kept, and what it leaves open is filled from the newest default."""

from pvkit.backends.objects import Key, Obj, annotations, created_at, deleting, name
from pvkit.backends.protocol import Operation
from pvkit.backends.storage import (
    SELECTED_NODE,
    STORAGE_PROVISIONER,
    bind_completed,
    has_class,
    is_default,
    storage_class,
    volume_name,
    waits_for_consumer,
)
from pvkit.conformance.history import Asked, Change, State
from pvkit.conformance.invariant import (
    AT_RISK,
    HELD,
    Findings,
    Level,
    Memory,
    Scope,
    Violation,
    invariant,
    of_change_in,
)
from pvkit.conformance.invariants.choice import UNBOUND
from pvkit.conformance.invariants.fitting import (
    CLAIM,
    CLASS,
    always_delayed,
    class_of,
    free_for,
    is_delayed,
    key_of,
    resyncs,
)
from pvkit.conformance.invariants.moments import annotated, respecified

CLASSES = "https://kubernetes.io/docs/concepts/storage/persistent-volumes/#class-1"
RETROACTIVE = (
    "https://kubernetes.io/docs/concepts/storage/persistent-volumes/#retroactive-default-storageclass-assignment"
)
DEFAULTING = "https://kubernetes.io/docs/concepts/storage/storage-classes/#default-storageclass"
WAITING = "https://kubernetes.io/docs/concepts/storage/storage-classes/#volume-binding-mode"
ASSIGN = "pkg/controller/volume/persistentvolume/pv_controller.go: assignDefaultStorageClass"
PROVISION = "pkg/controller/volume/persistentvolume/pv_controller.go: provisionClaim"


def default_class(state: State) -> Obj | None:
    """The class that a silent claim gets: the newest default, of equals the first by name (DEFAULT-02)."""
    defaults = sorted((entry for entry in state.all(CLASS) if is_default(entry)), key=name)
    return max(defaults, key=created_at) if defaults else None


def _classes_known(state: State) -> bool:
    return not state.faults and all(state.known(key_of(entry)) for entry in state.all(CLASS))


def _created(asked: Asked) -> tuple[Obj, Obj] | None:
    """The claim that the client sent and the claim that it got."""
    request, answer = asked.request, asked.outcome.object
    if not isinstance(request, Operation) or request.verb != "create" or asked.outcome.status != "ok":
        return None
    sent = request.object
    return (sent, answer) if sent is not None and answer is not None and sent.get("kind") == CLAIM else None


def _makes_claim(asked: Asked, state: State) -> object:
    return _created(asked)


@invariant(
    "PVB-070",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"CLASS-02, DEFAULT-01; {CLASSES}",
    on=("Asked create",),
    when=_makes_claim,
)
def chosen_class_is_kept(asked: Asked, state: State, memory: Memory) -> Findings:
    """A claim made with a class, be it the empty one, has that class."""
    pair = _created(asked)
    if pair is None or not has_class(pair[0]):
        return
    sent, got = pair
    if storage_class(sent) == storage_class(got) and has_class(got):
        yield AT_RISK if not storage_class(sent) and default_class(state) is not None else HELD
    else:
        text = f"claim {name(got)} was made with class {storage_class(sent)!r} and has {storage_class(got)!r}"
        yield Violation(text, (sent, got))


@invariant(
    "PVB-071",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"DEFAULT-01, DEFAULT-02; {DEFAULTING}",
    on=("Asked create",),
    when=_makes_claim,
)
def silent_claim_gets_the_newest_default(asked: Asked, state: State, memory: Memory) -> Findings:
    """A claim made without a class gets the newest default class, of equally old ones the first by name, or none."""
    pair = _created(asked)
    if pair is None or has_class(pair[0]) or not _classes_known(state):
        return
    got, default = pair[1], default_class(state)
    if state.header.backend.lag and state.departed(Key(CLASS, "", storage_class(got))) is not None:
        return
    wanted = name(default) if default is not None else ""
    if storage_class(got) == wanted and has_class(got) == bool(wanted):
        defaults = sum(is_default(entry) for entry in state.all(CLASS))
        yield AT_RISK if defaults > 1 else HELD
    else:
        text = f"claim {name(got)} was made without a class and has {storage_class(got)!r}, the default is {wanted!r}"
        yield Violation(text, (got,) if default is None else (got, default))


@invariant(
    "PVB-072",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"CLASS-02, VALID-66, VALID-67; {CLASSES}",
    on=(f"{CLAIM} MODIFIED",),
    when=respecified,
)
def class_of_a_claim_is_final(change: Change, memory: Memory) -> Findings:
    """The class of a claim never changes once it says one, and the empty class is never filled, whoever writes."""
    old, new = change.old, change.new
    if old is None or new is None or not has_class(old):
        return
    if storage_class(old) == storage_class(new):
        if not storage_class(old):
            yield AT_RISK if default_class(change.state) is not None else HELD
        elif old["spec"] != new["spec"]:
            yield HELD
    else:
        text = f"the class of claim {name(new)} changed from {storage_class(old)!r} to {storage_class(new)!r}"
        yield Violation(text, (old, new))


@of_change_in("spec", "annotations")
def _gets_class(change: Change) -> bool:
    """A component gives a class to a claim that is silent about it."""
    old, new = change.old, change.new
    return old is not None and new is not None and not change.by_client and not has_class(old) and has_class(new)


@invariant(
    "PVB-073",
    scope=Scope.EACH_STEP,
    level=Level.UPSTREAM,
    source=f"DEFAULT-02, DEFAULT-03; {RETROACTIVE}; {ASSIGN}",
    on=(f"{CLAIM} MODIFIED",),
    needs=("order",),
    when=_gets_class,
)
def late_default_is_the_newest(change: Change, memory: Memory) -> Findings:
    """A component gives a silent claim the newest default class, only while it names no volume and none fits."""
    old, new, state = change.old, change.new, change.state
    if old is None or new is None:
        return
    if volume_name(old) or bind_completed(old):
        yield Violation(f"claim {name(new)}, which has a volume, was given class {storage_class(new)!r}", (old, new))
    elif _classes_known(state) and state.departed(Key(CLASS, "", storage_class(new))) is None:
        yield from _judge_default(change, old, new)


def _judge_default(change: Change, old: Obj, new: Obj) -> Findings:
    state, default = change.state, default_class(change.state)
    fitting = next((volume for volume in free_for(state, old) if state.known(key_of(volume))), None)
    if default is None or name(default) != storage_class(new):
        wanted = name(default) if default is not None else "none"
        text = f"claim {name(new)} was given class {storage_class(new)!r}, the default is {wanted}"
        yield Violation(text, (new,) if default is None else (new, default))
    elif fitting is not None:
        text = f"claim {name(new)} was given class {storage_class(new)!r} although volume {name(fitting)} fits it"
        yield Violation(f"{text} as it was", (old, new, fitting))
    else:
        yield AT_RISK if sum(is_default(entry) for entry in state.all(CLASS)) > 1 else HELD


@invariant(
    "PVB-074",
    scope=Scope.SETTLED,
    level=Level.CONTRACT,
    source=f"DEFAULT-03, DEFAULT-04; {RETROACTIVE}",
)
def settled_silent_claim_has_the_default(state: State, memory: Memory) -> Findings:
    """When all is quiet, no claim waits without a class while there is a default one."""
    default = default_class(state)
    for claim in state.find(UNBOUND, False) if resyncs(state) else ():
        if deleting(claim) or default is None:
            continue
        if has_class(claim):
            if not storage_class(claim):
                yield HELD
        else:
            text = f"claim {name(claim)} waits without a class, and {name(default)} is the default"
            yield Violation(text, (claim, default))


@invariant(
    "PVB-075",
    scope=Scope.EACH_STEP,
    level=Level.UPSTREAM,
    source=f"CLASS-05, CLASS-11, CLASS-12, BIND-18, PREB-07; {PROVISION}",
    on=(f"{CLAIM} MODIFIED",),
    needs=("order",),
    when=annotated,
)
def provisioner_is_asked_for_what_it_may_make(change: Change, memory: Memory) -> Findings:
    """A provisioner is asked only for a claim of its class that names no volume and, if delayed, has a node."""
    old, new, state = change.old, change.new, change.state
    if old is None or new is None:
        return
    asked = annotations(new).get(STORAGE_PROVISIONER)
    if asked is None or asked == annotations(old).get(STORAGE_PROVISIONER):
        return
    found = class_of(state, new)
    why = ""
    if volume_name(old):
        why = f"it names volume {volume_name(old)}"
    elif not storage_class(new):
        why = "it has no class"
    elif found is not None and _same_ever(state, found) and not _makes(found, asked):
        why = f"class {name(found)} has provisioner {found.get('provisioner')}"
    elif always_delayed(state, new, change.life) and SELECTED_NODE not in annotations(old):
        why = "its class waits for the first consumer and no node is selected"
    if why:
        yield Violation(f"provisioner {asked} was asked to make a volume for claim {name(new)}: {why}", (new,))
    else:
        yield AT_RISK if is_delayed(state, new) else HELD


def _same_ever(state: State, found: Obj) -> bool:
    """Whether every view of a class shows it as it is: no other of its name came before it."""
    return state.known(key_of(found)) and state.departed(key_of(found)) is None


def _makes(found: Obj, asked: str) -> bool:
    """Whether a provisioner is the class's; an in-tree one may be asked by the name of its CSI driver."""
    own = str(found.get("provisioner") or "")
    return own == asked or own.startswith("kubernetes.io/")


@invariant(
    "PVB-076",
    scope=Scope.EACH_STEP,
    level=Level.UPSTREAM,
    source=f"SCHED-07, SCHED-09, SCHED-21; {WAITING}",
    on=(f"{CLAIM} MODIFIED",),
    needs=("order",),
    when=annotated,
)
def node_is_selected_for_delayed_claims(change: Change, memory: Memory) -> Findings:
    """A component selects a node only for a claim without a volume whose class waits for the first consumer."""
    old, new, state = change.old, change.new, change.state
    if old is None or new is None or SELECTED_NODE not in annotations(new):
        return
    if annotations(old).get(SELECTED_NODE) == annotations(new)[SELECTED_NODE]:
        return
    found = class_of(state, new)
    if volume_name(old):
        why = f"which has volume {volume_name(old)}"
    elif not storage_class(new):
        why = "which has no class"
    elif found is not None and not waits_for_consumer(found) and _same_ever(state, found):
        why = f"whose class {name(found)} binds at once"
    else:
        yield HELD
        return
    text = f"node {annotations(new)[SELECTED_NODE]} was selected for claim {name(new)}, {why}"
    yield Violation(text, (old, new))
