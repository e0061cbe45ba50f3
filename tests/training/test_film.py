"""The film of a training: training goes on as it would without, and the film says what was."""

import random

import numpy as np
import pytest

import cnn_widgets as cw
from cnn_widgets.training import Film, Frame


def training(keras, callbacks, epochs=3):
    """Train a network with dropout and shuffling from fixed seeds; return model and weights."""
    keras.utils.set_random_seed(5)
    layers = keras.layers
    model = keras.Sequential([keras.Input((8, 8, 3)),
                              layers.Conv2D(4, 3, padding="same", activation="relu"),
                              layers.Dropout(0.5), layers.BatchNormalization(),
                              layers.GlobalAveragePooling2D(),
                              layers.Dense(2, activation="softmax")])  # fmt: skip
    rng = np.random.default_rng(0)
    x, y = rng.random((24, 8, 8, 3)).astype(np.float32), rng.integers(0, 2, 24)
    model.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy")
    history = model.fit(x, y, epochs=epochs, batch_size=8, verbose=0, callbacks=callbacks)
    return model, history.history["loss"]


@pytest.fixture(scope="module")
def photographs():
    return [np.random.default_rng(n).integers(0, 256, (20, 30, 3), np.uint8) for n in range(2)]


@pytest.mark.slow
def test_training_goes_on_as_without_and_the_film_is_what_the_network_said(keras, photographs):
    plain, losses = training(keras, [])
    after = random.random(), np.random.random()
    film = cw.training_film(photographs, preprocess=lambda x: x / 255)
    filmed, also = training(keras, [film])
    assert (random.random(), np.random.random()) == after
    assert losses == also
    for one, other in zip(plain.get_weights(), filmed.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    frames = film.film.frames
    assert [each.epoch for each in frames] == [0, 1, 2, 3]
    net = cw.Network(filmed, preprocess=lambda x: x / 255)
    for number, pixels in enumerate(photographs):
        best = net.predict(cw.load_image(pixels), top=1)[0]
        assert frames[-1].class_indices[number] == best.class_index
        assert frames[-1].probabilities[number] == pytest.approx(best.probability, abs=1e-5)
    assert frames[0].probabilities[0] != frames[-1].probabilities[0]
    assert frames[0].heatmaps[0].dtype == np.uint8
    sheet = film.film.sheet()
    assert sheet.dtype == np.uint8
    assert sheet.shape == (18 + 2 * 22, 4 * 32, 3)
    assert film.film.sheet(columns=2).shape[1] == 64


@pytest.mark.slow
def test_every_so_many_epochs_and_the_last(keras, photographs):
    film = cw.training_film(photographs, class_index=1, every=2, preprocess=lambda x: x / 255)
    training(keras, [film])
    assert [each.epoch for each in film.film.frames] == [0, 2, 3]
    assert {each.class_indices for each in film.film.frames} == {(1, 1)}


def test_what_cannot_be_shown_is_noted_and_stops_nothing(keras, photographs):
    film = cw.training_film(photographs, layer="nope", preprocess=lambda x: x / 255)
    model, _ = training(keras, [film], epochs=1)
    assert film.film.frames == ()
    assert "Unknown layer 'nope'" in film.film.notes[0]
    assert model.optimizer.iterations == 3


def test_a_film_of_many_epochs_keeps_a_bounded_number_of_frames(photo):
    film = Film([photo], most=10)
    for epoch in range(1001):
        film.add(Frame(epoch, (0,), np.zeros(1, np.float32), (np.zeros((20, 30), np.uint8),)))
        assert len(film.frames) <= 11
    epochs = [each.epoch for each in film.frames]
    assert (epochs[0], epochs[-1]) == (0, 1000)
    assert epochs == sorted(set(epochs))


def test_bad_questions_are_refused(photographs):
    with pytest.raises(ValueError, match=r"1 to 16 photographs\. Received: 17"):
        cw.training_film([*photographs * 8, photographs[0]])
    with pytest.raises(ValueError, match="Received: a stream"):
        cw.training_film(iter(photographs))
    with pytest.raises(ValueError, match=r"Expected 2 classes\. Received: 1"):
        cw.training_film(photographs, class_index=[0])
    with pytest.raises(ValueError, match="every to be at least 1"):
        cw.training_film(photographs, every=0)
    with pytest.raises(ValueError, match="nope"):
        cw.training_film(photographs, method="nope")
    with pytest.raises(TypeError, match="Network takes no preproces="):
        cw.training_film(photographs, preproces="none")
    with pytest.raises(ValueError, match="There is no frame yet"):
        cw.training_film(photographs).film.sheet()
