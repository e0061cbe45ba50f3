"""The layers of a network: which there are, which are worth browsing, which one is meant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from cnn_widgets.records import LayerInfo

#: The kinds of layers the article browses; others can be asked for by name or by kind.
FEATURE_KINDS = ("Conv2D", "SeparableConv2D", "MaxPooling2D")


@dataclass(frozen=True)
class LayerTable:
    """Every layer of a network that puts out one tensor, in the order it runs.

    Attributes
    ----------
    layers : tuple of LayerInfo
    default : str or None
        Where class activation maps look.
    """

    layers: tuple[LayerInfo, ...]
    default: str | None

    @cached_property
    def spatial(self) -> tuple[LayerInfo, ...]:
        """The layers with a map larger than 1x1."""
        return tuple(info for info in self.layers if info.spatial)

    @cached_property
    def features(self) -> tuple[LayerInfo, ...]:
        """The layers worth browsing: the article's kinds, or, where there are none, all maps."""
        return self.of(FEATURE_KINDS) or self.spatial

    @cached_property
    def browsed(self) -> tuple[str, ...]:
        """The names of the layers that every cached pass reports: the features, and the default."""
        names = [info.name for info in self.features]
        if self.default is not None and self.default not in names:
            names.append(self.default)
        return tuple(names)

    def of(self, kinds: Sequence[str] | None) -> tuple[LayerInfo, ...]:
        """Return the layers with a map, of the kinds named, or of every kind (None)."""
        if kinds is None:
            return self.spatial
        return tuple(info for info in self.spatial if info.kind in kinds)

    def find(self, name: str) -> LayerInfo:
        """Return a layer by its name; a ValueError names some of those there are."""
        found = self._by_name.get(name)
        if found is None:
            some = ", ".join(info.name for info in self.features[:12])
            raise ValueError(f"Unknown layer {name!r}. Layers with feature maps: {some}, …")
        return found

    @cached_property
    def _by_name(self) -> dict[str, LayerInfo]:
        return {info.name: info for info in self.layers}
