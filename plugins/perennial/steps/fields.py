"""The fields of a step: what its class annotates as text is what its task gives it, for trigger and operator alike."""

from __future__ import annotations

import inspect


def declared_fields(cls: type, base: type) -> tuple[str, ...]:
    """Names of the fields that `cls` and its bases below `base` annotate, those of the bases first.

    A class variable is annotated as ClassVar, and what begins with an underscore is the class's own; everything else
    is a field, and a field is text.

    Raises:
        TypeError: when the class is wrong: a field is not annotated as `str`, or is called like
            a member of `base`.
    """
    names: dict[str, None] = {}
    for part in reversed(cls.__mro__):
        if part is base or not issubclass(part, base):
            continue
        for name, annotation in inspect.get_annotations(part).items():
            if name.startswith("_") or str(annotation).startswith("ClassVar"):
                continue
            if annotation not in (str, "str"):
                raise TypeError(
                    f"{part.__name__}.{name} is {annotation}: a step's field is text, so annotate it as str"
                )
            if hasattr(base, name):
                raise TypeError(f"{part.__name__}.{name}: {base.__name__} uses that name itself, choose another one")
            names[name] = None
    return tuple(names)
