"""What is known of an opened model without running it: its input, layers, classes and notes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnn_widgets.analysis.fields import Box, MapField, whole_input
from cnn_widgets.engine.batches import BatchRunner
from cnn_widgets.engine.compiled import Engine
from cnn_widgets.images.network_input import ModelInput
from cnn_widgets.images.resizing import box_on_photo, visible_window
from cnn_widgets.networks.class_names import ClassTable
from cnn_widgets.records import Floats, ImageSample, LayerInfo, as_samples
from cnn_widgets.telling import counted

Samples = ImageSample | Sequence[ImageSample]


class ModelDescription:
    """The part of a `Network` that tells what the model is; `Network` adds what it answers."""

    name: str
    engine: Engine
    #: What the network was opened with: `Network(model, **asked)` opens it again.
    asked: dict[str, Any]
    _model_input: ModelInput
    _runner: BatchRunner
    _classes: ClassTable
    _notes: tuple[str, ...]

    def __repr__(self) -> str:
        layers, classes = (
            counted(len(self.layers), "layer"),
            counted(self.classes, "class", "classes"),
        )
        return f"Network({self.name!r}, {layers}, {classes})"

    @property
    def model_input(self) -> ModelInput:
        """The description of the model's input, with its preprocessing."""
        return self._model_input

    @property
    def batch(self) -> int | None:
        """The only number of images the model takes at once, if it is fixed."""
        return self._model_input.batch

    @property
    def input_size(self) -> tuple[int, int]:
        """Height and width of the network's input."""
        return self._model_input.size

    @property
    def channels(self) -> int:
        """How many channels the input has."""
        return self._model_input.channels

    @property
    def fit(self) -> str:
        """How photographs are resized to the input that do not say it themselves."""
        return self._model_input.fit

    @property
    def layers(self) -> tuple[LayerInfo, ...]:
        """Every layer that puts out one tensor, in the order it runs."""
        return self.engine.layers

    @property
    def feature_layers(self) -> tuple[LayerInfo, ...]:
        """The layers worth browsing: the article's kinds, with a map larger than 1x1."""
        return self.engine.layer_table.features

    def layers_of(self, kinds: Sequence[str] | None) -> tuple[LayerInfo, ...]:
        """Return the layers with a spatial map, of the kinds named, or of every kind (None)."""
        return self.engine.layer_table.of(kinds)

    @property
    def default_layer(self) -> str | None:
        """The last layer with a map larger than 1x1, where CAMs look by default; None without."""
        return self.engine.default_layer

    @property
    def classes(self) -> int:
        """The number C of classes."""
        return self.engine.head.classes

    @property
    def class_names(self) -> tuple[str, ...]:
        """The name of each class."""
        return self._classes.names

    @property
    def head(self) -> str:
        """What kind of output the network has: one of `HEAD_KINDS`."""
        return self.engine.head.kind

    @property
    def notes(self) -> tuple[str, ...]:
        """What was guessed about the model, in words."""
        return self._notes

    def check_outline(self, now: ModelDescription) -> None:
        """Raise a ValueError if the same model, opened now, is no longer what was asked about."""
        before, after = (
            [each._model_input.shape, each.classes, *map(_outline, each.layers)]
            for each in (self, now)
        )
        if before != after:
            raise ValueError(
                f"The layers of model {self.name!r} have changed since this Network was made: "
                "make a new one."
            )

    def layer(self, name: str) -> LayerInfo:
        """Return a layer by its name; a ValueError names those there are."""
        return self.engine.layer_table.find(name)

    def field(self, layer: str | None) -> MapField:
        """Return where the cells of a layer's map lie on the input; of the input's own for None."""
        if layer is None:
            return whole_input(self.input_size, self.input_size)
        return self.engine.layer_table.fields[self.engine.layer_table.map_of(layer).name]

    def receptive_field(
        self, layer: str, row: int, column: int, sample: ImageSample | None = None
    ) -> Box:
        """Return the part of the photograph that one cell of a layer's map depends on.

        Returns
        -------
        Box
            (top, left, bottom, right) in pixels of the sample; without one, of the network's input.

        Raises
        ------
        ValueError
            If the layer is unknown, its output is no map of the photograph, or has no such cell.

        References
        ----------
        Araujo et al. 2019, "Computing Receptive Fields of Convolutional Neural Networks", Distill.
        """
        field = self.field(layer)
        box = field.box(row, column)
        return box if sample is None else box_on_photo(box, field, sample, self.fit)

    def cell_at(self, layer: str, x: float, y: float, sample: ImageSample) -> tuple[int, int]:
        """Return the (row, column) of the cell of a layer's map nearest to a place of a photograph.

        `x` and `y` are in pixels of the sample; raises as `receptive_field` does.
        """
        field = self.field(layer)
        fit = sample.fit or self.fit
        top, left, height, width = visible_window(sample.size, field.size, fit)
        row = field.rows.nearest((y - top) * field.size[0] / height)
        return row, field.columns.nearest((x - left) * field.size[1] / width)

    def pictures_beside(self, sample: ImageSample) -> dict[str, ImageSample]:
        """Return the pictures that go into other inputs beside a sample, by the inputs' names."""
        others = self._model_input.others
        return {each.name: each.of(sample) for each in others if each.picture}

    def with_inputs(self, samples: Sequence[ImageSample]) -> list[ImageSample]:
        """Return photographs, each with its own value of what `inputs` gave for each of them.

        Values in an array or a list belong to the photographs in this order, those in a dict to
        the photographs of these names. A photograph that has a value already keeps it.
        """
        return [
            self.with_inputs_of(each, number) for number, each in enumerate(as_samples(samples))
        ]

    def with_inputs_of(self, sample: ImageSample, number: int) -> ImageSample:
        """Return the photograph of a number, from 0, with its own values; see `with_inputs`."""
        for other in self._model_input.others:
            sample = other.joined(sample, number)
        return sample

    def input_tensor(self, sample: Samples) -> Floats:
        """Return the preprocessed model input, (H, W, C); (N, H, W, C) for a list."""
        batch = self._runner.prepare(as_samples(sample))
        return batch if isinstance(sample, Sequence) else batch[0]

    def admitted(self, sample: ImageSample, number: int) -> ImageSample:
        """Return a photograph as `with_inputs_of` does; a ValueError if it cannot be prepared.

        It is kept prepared until it is asked about, which is to be soon.
        """
        sample = self.with_inputs_of(sample, number)
        self._runner.preparation.ahead(sample)
        return sample

    def class_index(self, wanted: int | str) -> int:
        """Return the index of a class given by number, name, or a part of one name only."""
        return self._classes.index(wanted)

    def score_weights(
        self, classes: Sequence[int], versus: int | str | None = None, counter: bool = False
    ) -> Floats:
        """Return Y's weights (N, C) over scores: a class, less `versus`; negated if `counter`."""
        return self._classes.score_weights(classes, versus, counter)


def _outline(info: LayerInfo) -> tuple[Any, ...]:
    return info.name, info.kind, info.shape


def no_network(given: Any) -> TypeError:
    """Return the error for something in place of a network, a Keras model above all."""
    return TypeError(
        "Expected a Network: net = cw.load_network(model) makes one. Received: "
        f"{type(given).__name__}"
    )
