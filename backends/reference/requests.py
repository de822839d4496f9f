"""What a request may say about an object that exists: which it is, which version, whose life it is."""

from pvkit.backends.errors import BadRequest, Cause, Conflict, Invalid, ServerError
from pvkit.backends.objects import Key, Obj, uid
from pvkit.backends.reference.validation.fields import refusal, shown, unchanged
from pvkit.backends.reference.validation.quotas import resource

_KEPT = ("uid", "creationTimestamp", "generation", "resourceVersion")
"""Metadata that no update changes, whatever the request says."""
_LIFE = ("deletionTimestamp", "deletionGracePeriodSeconds")


def target(obj: Obj) -> Key:
    """The key of the object that a body names; a body without a name can be no update."""
    given = obj.get("metadata")
    if not isinstance(given, dict) or not isinstance(given.get("name"), str):
        raise BadRequest("name must be provided")
    where = given.get("namespace")
    if not isinstance(where, str | None):
        raise BadRequest("the namespace of the provided object does not match the namespace sent on the request")
    return Key(obj["kind"], where or "", given["name"])


def metadata(old: Obj, asked: Obj) -> Obj:
    """Metadata after an update: what the request says, but for what is not the client's to write."""
    if asked is old:
        return old
    made = {field: value for field, value in asked.items() if field not in _KEPT}
    made |= {field: old[field] for field in _KEPT if field in old}
    for field in _LIFE:
        if field in old and (field == "deletionTimestamp" or field not in asked):
            made[field] = old[field]
    return old if made == old else made


def scale(stateful_set: Obj) -> Obj:
    """The Scale of a set, as its endpoint shows it."""
    return {
        "kind": "Scale",
        "metadata": stateful_set["metadata"],
        "spec": {"replicas": stateful_set["spec"].get("replicas")},
    }


def check_version(at: Key, old: Obj, wanted: str | None) -> None:
    """Refuse an update of another version than the stored one; none, or 0, is any (VALID-34, VALID-35, VALID-83)."""
    if wanted in (None, "", "0", old["metadata"]["resourceVersion"]):
        return
    if not str(wanted).isdigit():
        raise ServerError(f"strconv.ParseUint: parsing {shown(wanted)}: invalid syntax")
    raise Conflict(
        f'Operation cannot be fulfilled on {resource(at.kind)} "{at.name}": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )


def check_identity(at: Key, old: Obj, new: Obj) -> None:
    """Refuse a patch that makes an object another object (VALID-84)."""
    if new.get("kind", at.kind) not in (at.kind, "Scale"):
        raise unreadable(at.kind, new, f"converting to {at.kind}: unknown conversion")
    given = new.get("metadata")
    if not isinstance(given, dict):
        raise unreadable(at.kind, new, "json: cannot unmarshal metadata")
    if given.get("name") != at.name:
        called = given.get("name") or ""
        raise BadRequest(f"the name of the object ({called}) does not match the name on the URL ({at.name})")
    wrong = unchanged("metadata.uid", given.get("uid") or uid(old), uid(old))
    if wrong:
        raise refusal(at.kind, at.name, wrong)


def unreadable(kind: str, patched: Obj, why: str) -> Invalid:
    """The refusal of a patch whose outcome cannot be read as an object of its kind."""
    cause = Cause("patch", "FieldValueInvalid", f"Invalid value: {shown(shown(patched))}: {why}")
    return refusal(kind, "", [cause])
