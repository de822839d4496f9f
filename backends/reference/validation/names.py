r"""The forms that names, labels and keys must have; each check returns its complaints, none meaning fine.

Source: RFC 1123 and k8s.io/apimachinery/pkg/api/validate/content, restated.
"""

import re
from functools import lru_cache

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_SERVICE = "[a-z]([-a-z0-9]*[a-z0-9])?"
_KEY = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_VALUE = f"({_KEY})?"
_FORMS = {form: re.compile(form) for form in (_LABEL, _SUBDOMAIN, _SERVICE, _KEY, _VALUE)}

_ENDS = "and must start and end with an alphanumeric character"
_IN_SUBDOMAIN = (
    f"a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', {_ENDS}"
)
_IN_LABEL = f"a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', {_ENDS}"
_IN_KEY = f"must consist of alphanumeric characters, '-', '_' or '.', {_ENDS}"
_IN_VALUE = f"a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', {_ENDS}"
_IN_SERVICE = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    "and end with an alphanumeric character"
)

STANDARD_FINALIZERS = frozenset({"kubernetes", "orphan", "foregroundDeletion"})


def _fits(form: str, value: str) -> bool:
    return _FORMS[form].fullmatch(value) is not None


def _misfit(words: str, form: str, *examples: str) -> str:
    told = ",  or ".join(f"'{example}'" for example in examples)
    return f"{words} (e.g. {told}, regex used for validation is '{form}')"


def _length(value: str, most: int, unit: str = "bytes") -> tuple[str, ...]:
    return (f"must be no more than {most} {unit}",) if len(value.encode()) > most else ()


@lru_cache(maxsize=4096)
def subdomain(value: str) -> tuple[str, ...]:
    """Complaints about a DNS subdomain: the name of most objects."""
    form = () if _fits(_SUBDOMAIN, value) else (_misfit(_IN_SUBDOMAIN, _SUBDOMAIN, "example.com"),)
    return _length(value, 253, "characters") + form


@lru_cache(maxsize=4096)
def label(value: str) -> tuple[str, ...]:
    """Complaints about a DNS label: the name of a container, a volume of a pod, a namespace, a set."""
    if _fits(_LABEL, value):
        return _length(value, 63, "characters")
    misfit = "must not contain dots" if _fits(_SUBDOMAIN, value) else _misfit(_IN_LABEL, _LABEL, "my-name", "123-abc")
    return (*_length(value, 63, "characters"), misfit)


@lru_cache(maxsize=4096)
def service(value: str) -> tuple[str, ...]:
    """Complaints about a name that must begin with a letter: a Service's up to 1.35."""
    form = () if _fits(_SERVICE, value) else (_misfit(_IN_SERVICE, _SERVICE, "my-name", "abc-123"),)
    return _length(value, 63, "characters") + form


@lru_cache(maxsize=4096)
def key(value: str) -> tuple[str, ...]:
    """Complaints about a qualified name: the key of a label or annotation, a finalizer, a provisioner."""
    misfit = _misfit(_IN_KEY, _KEY, "MyName", "my.name", "123-abc")
    parts = value.split("/")
    if len(parts) > 2:
        domain = "with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        return (f"a valid label key {misfit} {domain}",)
    found: list[str] = []
    if len(parts) == 2 and not parts[0]:
        found.append("prefix part must be non-empty")
    elif len(parts) == 2:
        found += [f"prefix part {complaint}" for complaint in subdomain(parts[0])]
    found += [f"name part {complaint}" for complaint in _length(parts[-1], 63)]
    if not parts[-1]:
        found.append("name part must be non-empty")
    if not _fits(_KEY, parts[-1]):
        found.append(f"name part {misfit}")
    return tuple(found)


@lru_cache(maxsize=4096)
def value(text: str) -> tuple[str, ...]:
    """Complaints about the value of a label."""
    form = () if _fits(_VALUE, text) else (_misfit(_IN_VALUE, _VALUE, "MyValue", "my_value", "12345"),)
    return _length(text, 63) + form


def without_trailing_dash(prefix: str) -> str:
    """What a generateName is judged by: a dash at its end is fine, for more follows."""
    return prefix[:-2] + "a" if len(prefix) > 1 and prefix.endswith("-") else prefix
