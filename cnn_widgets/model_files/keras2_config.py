"""Translates the configuration of a model saved by Keras 2 into that of Keras 3.

Plain JSON goes in and plain JSON comes out; no layer is built and no code runs. Only settings that
mean the same in Keras 3, or that were left at their default, are changed or dropped; any other
unknown setting stays, so that Keras refuses it by name.
"""

from __future__ import annotations

from typing import Any

#: Settings of Keras 2 that Keras 3 lacks, with the values at which they do nothing.
_WITHOUT_EFFECT: dict[str, dict[str, tuple[Any, ...]]] = {
    "DepthwiseConv2D": {
        "groups": (1, None),
        "filters": (None,),
        "kernel_initializer": (None,),
        "kernel_regularizer": (None,),
        "kernel_constraint": (None,),
    },
    "SeparableConv2D": {
        "groups": (1, None),
        "kernel_initializer": (None,),
        "kernel_regularizer": (None,),
        "kernel_constraint": (None,),
    },
    "Conv2DTranspose": {"groups": (1, None)},
    "Conv1DTranspose": {"groups": (1, None)},
    "BatchNormalization": {
        "renorm": (False, None),
        "renorm_clipping": (None, {}),
        "renorm_momentum": None,  # type: ignore[dict-item]  # used by renorm only
        "fused": None,  # type: ignore[dict-item]  # a choice of implementation
        "virtual_batch_size": (None,),
        "adjustment": (None,),
    },
    "InputLayer": {"ragged": (False, None), "input_tensor": (None,)},
    "Dense": {},
    "Dropout": {},
}
_EVERYWHERE: dict[str, tuple[Any, ...]] = {
    "time_major": (False, None),
    "experimental_autocast": (True, False),
    "autocast": (True,),
    "implementation": (0, 1, 2),
    "input_dtype": (None, "float32"),
    "batch_size": (None,),
}
#: `implementation` is still a setting of these.
_RECURRENT = {"LSTM", "GRU", "SimpleRNN", "LSTMCell", "GRUCell"}
#: Layers that have one name more in Keras 2.
_RENAMED = {"CuDNNLSTM": "LSTM", "CuDNNGRU": "GRU", "BatchNormalizationV1": "BatchNormalization"}


def upgraded(config: Any) -> Any:
    """Return a model's configuration as Keras 3 reads it; the one given is not changed."""
    if isinstance(config, list):
        return [upgraded(each) for each in config]
    if not isinstance(config, dict):
        return config
    if isinstance(config.get("class_name"), str) and isinstance(config.get("config"), dict | list):
        return _object(config)
    return {key: upgraded(value) for key, value in config.items()}


def _object(entry: dict[str, Any]) -> dict[str, Any]:
    """Return one named object, such as a layer or an initializer, with its settings."""
    kind = _RENAMED.get(entry["class_name"], entry["class_name"])
    settings = entry["config"]
    if kind == "Model" and isinstance(settings, dict) and "layers" in settings:
        kind = "Functional"
    if kind == "Policy" and isinstance(settings, dict):  # a data type, wrapped
        return {**entry, "class_name": "DTypePolicy", "config": settings}
    if isinstance(settings, dict):
        settings = _settings(kind, settings)
    return {
        **{key: upgraded(value) for key, value in entry.items() if key not in ("config",)},
        "class_name": kind,
        "config": upgraded(settings),
    }


def _settings(kind: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of one object without those that do nothing, under their new names."""
    found = {}
    own = _WITHOUT_EFFECT.get(kind, {})
    for key, value in settings.items():
        idle = own[key] if key in own else _EVERYWHERE.get(key, ())
        if key == "implementation" and kind in _RECURRENT:
            idle = ()
        if (idle is None) or any(value == each for each in idle):
            continue
        found[key] = value
    if kind == "InputLayer" and "batch_input_shape" in found:
        found["batch_shape"] = found.pop("batch_input_shape")
    if kind == "BatchNormalization":
        found["axis"] = _one_number(found.get("axis", -1))
    if kind == "VarianceScaling" and found.get("distribution") == "normal":
        found["distribution"] = "truncated_normal"  # its meaning in Keras 2, too
    return found


def _one_number(axis: Any) -> Any:
    """Return the only number of a list, which may be wrapped as an object; anything else as is."""
    if isinstance(axis, dict) and isinstance(axis.get("config"), list):
        axis = axis["config"]
    return axis[0] if isinstance(axis, list) and len(axis) == 1 else axis
