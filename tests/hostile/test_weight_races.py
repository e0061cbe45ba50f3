"""What a change of weights and another thread can do to each other, one moment at a time."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.gates import WAIT, changed
from helpers.person import differences, seen

import cnn_widgets as cw


def test_what_was_computed_before_a_change_of_weights_is_not_kept_after_it(
    model, photo, gate, aside, monkeypatch
):
    net = cw.Network(model, preprocess="none")
    observe = net.engine.observe

    def slow(*given):
        found = observe(*given)
        gate.stop()
        return found

    with monkeypatch.context() as patch:
        patch.setattr(net.engine, "observe", slow)
        late = aside(net.predict, photo)
        gate.reached()
        changed(model)
        net.weights_state()  # another thread notices the change first
        gate.open()
        late.result(WAIT)
    assert net.predict(photo) == cw.Network(model, preprocess="none").predict(photo)


def test_a_change_that_a_private_copy_notices_is_still_news_to_the_network(model, photo):
    net = cw.Network(model, preprocess="none")
    net.predict(photo)
    twin = net.private_copy()
    changed(model)
    twin.predict(photo)
    assert net.predict(photo) == cw.Network(model, preprocess="none").predict(photo)


def test_while_weights_move_every_look_reads_all_of_them(model, photo):
    net = cw.Network(model, preprocess="none")
    net.predict(photo)
    changed(model)
    net.predict(photo)  # sees that they move
    late = next(w for w in model.weights if len(w.shape) == 4)
    values = np.asarray(late).copy()
    values[0] += 0.5  # not the last row, at which every look looks
    late.assign(values)
    assert net.predict(photo) == cw.Network(model, preprocess="none").predict(photo)


def test_an_interrupt_between_seeing_a_change_and_forgetting_does_not_hide_it(model, photo):
    net = cw.Network(model, preprocess="none")
    net.predict(photo)
    changed(model)

    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        net._watch.look(interrupted, interrupted)
    assert net.predict(photo) == cw.Network(model, preprocess="none").predict(photo)


def test_a_slow_map_asked_for_right_after_training_is_shown(learning, model):
    learning.state.method = "score-cam"
    changed(model)
    learning.compute()
    assert "Score-CAM at conv2" in learning._screen.pictures["overlay"].tooltip
    assert not differences(learning)


def test_a_script_that_looks_after_training_gets_no_map_of_before(learning, model):
    before = learning.scene.attribution.raw
    changed(model)
    fresh = cw.Network(model, preprocess="none")
    found = learning.scene.attribution.raw
    assert not np.array_equal(found, before)
    np.testing.assert_allclose(found, cw.attribute(fresh, learning.scene.sample).raw, rtol=1e-5)


@pytest.mark.slow
def test_moving_an_explorer_while_its_model_is_trained_ends_in_the_new_weights(
    learning, model, keras, aside
):
    rng = np.random.default_rng(0)
    x, y = rng.random((32, 16, 12, 3)).astype(np.float32), rng.integers(0, 4, 32)
    model.compile(keras.optimizers.SGD(0.05), "sparse_categorical_crossentropy")
    training = aside(model.fit, x, y, epochs=3, batch_size=8, verbose=0)
    moves = 0
    while not training.done() or moves < 6:
        learning.show(
            layer=("conv1", "pool1", "conv2")[moves % 3],
            method=("grad-cam", "saliency")[moves % 2],
            image=("one", "two")[moves // 2 % 2],
        )
        moves += 1
    training.result(WAIT)
    assert learning.last_error is None
    learning.state.alpha = 0.2
    made = cw.CNNExplorer(cw.Network(model, preprocess="none"), dict(learning._catalogue.samples))
    made.show(**learning.state.values())
    assert seen(learning) == seen(made)
    made.close()
