"""The table of a network's layers: all of them, those with feature maps, and the default one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from cnn_widgets.records import LayerInfo

#: The kinds of layers that the source article shows; others can be selected by name or by kind.
FEATURE_KINDS = ("Conv2D", "SeparableConv2D", "MaxPooling2D")


@dataclass(frozen=True)
class LayerTable:
    """All layers of a network that return a single tensor, in the order in which they run.

    Attributes
    ----------
    layers : tuple of LayerInfo
        The layers.
    default : str or None
        The layer that class activation maps use unless another is named: the last one before the
        scores with a feature map larger than 1x1. None if there is no such layer.
    """

    layers: tuple[LayerInfo, ...]
    default: str | None

    @cached_property
    def spatial(self) -> tuple[LayerInfo, ...]:
        """The layers with a feature map (h, w, K) larger than 1x1."""
        return tuple(info for info in self.layers if info.spatial)

    @cached_property
    def features(self) -> tuple[LayerInfo, ...]:
        """The layers of `FEATURE_KINDS` with a feature map; if there are none, all with one."""
        return self.of(FEATURE_KINDS) or self.spatial

    @cached_property
    def browsed(self) -> tuple[str, ...]:
        """The names of the layers observed in every cached forward pass: features and default."""
        names = [info.name for info in self.features]
        if self.default is not None and self.default not in names:
            names.append(self.default)
        return tuple(names)

    def of(self, kinds: Sequence[str] | None) -> tuple[LayerInfo, ...]:
        """Return the layers with a feature map that are of some kinds, or of any kind (None)."""
        if kinds is None:
            return self.spatial
        return tuple(info for info in self.spatial if info.kind in kinds)

    def find(self, name: str) -> LayerInfo:
        """Return a layer by its name; the ValueError for an unknown one lists some layers."""
        found = self._by_name.get(name)
        if found is None:
            some = ", ".join(info.name for info in self.features[:12])
            raise ValueError(f"Unknown layer {name!r}. Layers with feature maps: {some}, …")
        return found

    @cached_property
    def _by_name(self) -> dict[str, LayerInfo]:
        return {info.name: info for info in self.layers}
