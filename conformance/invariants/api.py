"""The API: what the server answers, judged against what was there and what became of it.

A request and its answer stand after the events that the request made. Who else wrote in the meantime is seen in the
state, so an answer is called wrong only where no such write explains it.
"""

from pvkit.backends.objects import Key, get, uid, version
from pvkit.backends.protocol import Fault, Operation
from pvkit.conformance.history import Asked, Change, State
from pvkit.conformance.invariant import AT_RISK, HELD, Findings, Level, Memory, Scope, Violation, invariant
from pvkit.conformance.invariants.moments import remembered
from pvkit.conformance.invariants.requests import Requests, body_of, refused, subject
from pvkit.conformance.invariants.sets import is_exact

CONCEPTS = "https://kubernetes.io/docs/reference/using-api/api-concepts/"
UPDATE_DOC = f"{CONCEPTS}#update-mechanism-update"
CONVENTIONS = (
    "https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md"
)
STORE = "staging/src/k8s.io/apiserver/pkg/registry/generic/registry/store.go"

UNCONDITIONAL = frozenset({"PersistentVolume", "PersistentVolumeClaim", "Pod", "StatefulSet"})
CODES = {
    "BadRequest": 400,
    "Forbidden": 403,
    "NotFound": 404,
    "AlreadyExists": 409,
    "Conflict": 409,
    "Invalid": 422,
}
MOST_ANSWERS = 256


@remembered
def _request(asked: Asked) -> tuple[Operation, Key] | None:
    """The request of a step and the key that it is about; None for faults and for what has no name."""
    request = asked.request
    key = None if isinstance(request, Fault) else subject(request)
    return (request, key) if isinstance(request, Operation) and key is not None else None


def _mine(state: State, key: Key) -> list[Change]:
    """The changes of one object that the request made."""
    return [change for change in state.follow(Requests).made if change.key == key]


def _is_refused(asked: Asked, state: State) -> bool:
    return not isinstance(asked.request, Fault) and refused(asked.outcome)


@invariant(
    "API-020",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"VALID-34, VALID-10; {CONVENTIONS}#response-status-kind",
    on=("Asked",),
    follows=(Requests,),
    when=_is_refused,
)
def refusal_changes_nothing(asked: Asked, state: State, memory: Memory) -> Findings:
    """A request that is refused changes nothing."""
    if isinstance(asked.request, Fault):
        return
    yield AT_RISK
    for change in state.follow(Requests).made:
        yield Violation(
            f"{asked.request.verb} was refused ({asked.outcome.reason}) and changed {change.key}", (change.obj,)
        )


@invariant(
    "API-021",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"VALID-34, RACE-04; {CONCEPTS}#resource-versions; {UPDATE_DOC}",
    on=("Asked update", "Asked patch"),
    needs=("order",),
    follows=(Requests,),
)
def stale_update_is_refused(asked: Asked, state: State, memory: Memory) -> Findings:
    """An update or patch that tells an old resourceVersion is refused."""
    found = _request(asked)
    told = _told_version(found[0]) if found is not None else ""
    if found is None or not told:
        return
    request, key = found
    if refused(asked.outcome, "Conflict"):
        yield AT_RISK
    if asked.outcome.status != "ok":
        return
    yield HELD
    for change in _mine(state, key)[:1]:
        if change.old is not None and version(change.old) != int(told):
            yield Violation(
                f"{request.verb} of {key} told version {told} and was accepted at {version(change.old)}",
                (change.old, change.obj),
            )


def _told_version(request: Operation) -> str:
    """The resourceVersion that an update or patch tells, "" for none."""
    if request.verb == "update":
        told = get(body_of(request), "metadata", "resourceVersion")
    else:
        told = get(request.patch, "metadata", "resourceVersion") if isinstance(request.patch, dict) else None
    return str(told) if isinstance(told, str) and told.isdecimal() and told != "0" else ""


@invariant(
    "API-022",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"VALID-34, VALID-35; {CONCEPTS}#resource-versions; {STORE}: Update",
    on=("Asked update",),
)
def fresh_update_is_no_conflict(asked: Asked, state: State, memory: Memory) -> Findings:
    """An update is no conflict if it tells the present resourceVersion, or none."""
    found = _request(asked)
    if found is None or found[0].verb != "update" or found[1].kind not in UNCONDITIONAL:
        return
    request, key = found
    stored, told = state.lookup(key), get(body_of(request), "metadata", "resourceVersion")
    if stored is None or get(body_of(request), "metadata", "uid") not in (None, "", uid(stored)):
        return
    yield AT_RISK if not told else HELD
    if refused(asked.outcome, "Conflict") and (not told or str(told) == str(version(stored))):
        yield Violation(f"update of {key} with version {told or 'none'} was a conflict", (stored,))
    if not told and any(cause.field == "metadata.resourceVersion" for cause in asked.outcome.causes):
        yield Violation(f"update of {key} was refused for want of a version", (stored,))


@invariant(
    "API-023",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"VALID-123; {CONCEPTS}#single-resource-api; {STORE}: Create",
    on=("Asked create",),
    follows=(Requests,),
)
def names_are_taken_once(asked: Asked, state: State, memory: Memory) -> Findings:
    """A create makes a new object, and is refused as AlreadyExists only where there is one of that name."""
    found = _request(asked)
    if found is None or found[0].verb != "create":
        return
    key = found[1]
    if refused(asked.outcome, "AlreadyExists"):
        yield AT_RISK
        if state.lookup(key) is None and (is_exact(state) or state.departed(key) is None):
            yield Violation(f"create of {key} was refused as AlreadyExists, and there is none")
    elif asked.outcome.status == "ok":
        yield HELD
        mine = _mine(state, key)
        for change in mine[:1]:
            if change.old is not None:
                yield Violation(f"create of {key} replaced an object that was there", (change.old, change.obj))
        if is_exact(state) and not mine:
            yield Violation(f"create of {key} was accepted and made nothing")


@invariant(
    "API-024",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"VALID-122; {CONCEPTS}#single-resource-api; {STORE}: Get",
    on=("Asked get", "Asked update", "Asked patch", "Asked delete", "Asked scale"),
    follows=(Requests,),
)
def missing_objects_are_not_found(asked: Asked, state: State, memory: Memory) -> Findings:
    """A request about an object that does not exist is refused as NotFound, and no other request is."""
    found = _request(asked)
    if found is None or found[0].verb not in ("get", "update", "patch", "delete", "scale"):
        return
    request, key = found
    stored, life = state.lookup(key), state.life(key)
    if stored is None and not _mine(state, key):
        if not is_exact(state) and state.departed(key) is not None:
            return
        yield AT_RISK
        if asked.outcome.status == "ok" or asked.outcome.reason in ("Conflict", "AlreadyExists"):
            told = asked.outcome.reason or "accepted"
            yield Violation(f"{request.verb} of {key}, which does not exist, was answered with {told}")
    elif life is not None and request.verb != "scale" and not request.options.get("subresource"):
        yield HELD
        lasting = life.born_at <= state.time - state.header.backend.lag
        if refused(asked.outcome, "NotFound") and lasting and stored is not None:
            yield Violation(f"{request.verb} of {key} was answered with NotFound, and it exists", (stored,))


@invariant(
    "API-025",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"B2, POD-12, VALID-121; {CONCEPTS}; {STORE}: Delete",
    on=("Asked delete",),
    follows=(Requests,),
)
def delete_means_the_object_it_names(asked: Asked, state: State, memory: Memory) -> Findings:
    """A delete with a UID or version precondition deletes no other object, and no other version."""
    found = _request(asked)
    if found is None or found[0].verb != "delete" or not {"uid", "version"} & set(found[0].options):
        return
    request, key = found
    wanted_uid, wanted_version = request.options.get("uid"), request.options.get("version")
    stored = state.lookup(key)
    yield AT_RISK if refused(asked.outcome, "Conflict") else HELD
    if asked.outcome.status == "ok":
        for change in _mine(state, key)[:1]:
            old = change.old or {}
            if wanted_uid is not None and old and uid(old) != wanted_uid:
                yield Violation(f"delete of {key} with UID {wanted_uid} hit UID {uid(old)}", (old,))
            if wanted_version is not None and old and str(version(old)) != str(wanted_version):
                yield Violation(f"delete of {key} with version {wanted_version} hit version {version(old)}", (old,))
    elif (
        refused(asked.outcome, "Conflict")
        and stored is not None
        and wanted_version is None
        and uid(stored) == wanted_uid
    ):
        yield Violation(f"delete of {key} with its own UID {wanted_uid} was refused", (stored,))


@invariant(
    "API-026",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"errors; {CONVENTIONS}#http-status-codes",
    on=("Asked",),
    when=_is_refused,
)
def codes_and_reasons_agree(asked: Asked, state: State, memory: Memory) -> Findings:
    """The HTTP code of a refusal is the one of its reason."""
    if asked.outcome.reason not in CODES:
        return
    yield HELD
    wanted = CODES[asked.outcome.reason]
    if asked.outcome.code != wanted:
        yield Violation(f"{asked.outcome.reason} came with code {asked.outcome.code}, expected {wanted}")


@invariant(
    "API-027",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"live.md 4; {CONCEPTS}#semantics-for-get-and-list",
    on=("Asked create", "Asked update", "Asked patch", "Asked scale", "Asked get"),
)
def writes_can_be_read(asked: Asked, state: State, memory: Memory) -> Findings:
    """A get shows nothing older than what the client wrote itself."""
    found = _request(asked)
    shown = asked.outcome.object
    if found is None or asked.outcome.status != "ok" or shown is None or "metadata" not in shown:
        return
    request, key = found
    if request.verb in ("create", "update", "patch", "scale"):
        memory[key] = uid(shown), version(shown)
        if len(memory) > MOST_ANSWERS:
            del memory[next(iter(memory))]
    elif request.verb == "get" and key in memory:
        yield AT_RISK
        if uid(shown) == memory[key][0] and version(shown) < memory[key][1]:
            yield Violation(f"get of {key} shows version {version(shown)}, the client wrote {memory[key][1]}", (shown,))
