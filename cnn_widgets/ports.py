"""What goes into a model and what comes out, in any structure: one tensor, lists, dicts."""

from __future__ import annotations

from typing import Any


def fed(model: Any, x: Any) -> Any:
    """Return a batch of images in the structure and type that the model's input has."""
    import tensorflow as tf

    inputs = getattr(model, "inputs", None)
    if not inputs:
        return x
    kind = tf.as_dtype(inputs[0].dtype)
    x = x if kind.is_floating else tf.cast(x, kind)
    struct = getattr(model, "_inputs_struct", None)
    if isinstance(struct, dict):
        return {next(iter(struct)): x}
    return [x] if isinstance(struct, list | tuple) else x


def named(model: Any, outputs: Any) -> dict[str, Any]:
    """Return what a model put out by name; one output is named "output"."""
    if isinstance(outputs, dict):
        return dict(outputs)
    if isinstance(outputs, list | tuple):
        names = getattr(model, "output_names", None) or range(len(outputs))
        return dict(zip(map(str, names), outputs, strict=False))
    return {"output": outputs}


def chosen(outputs: dict[str, Any], wanted: int | str | None) -> str:
    """Return the name of the output meant by a name or a number; None means the first."""
    names = list(outputs)
    found = 0 if wanted is None else wanted
    if isinstance(found, int) and 0 <= found < len(names):
        return names[found]
    if found not in outputs:
        raise ValueError(
            f"Unknown output {wanted!r}. This model's outputs: "
            f"{', '.join(names)} (or 0 to {len(names) - 1})."
        )
    return str(found)
