"""The experiments of the explorer: what they show, when they compute, what bad input gets."""

import numpy as np
import pytest
from helpers.networks import tiny
from matplotlib.figure import Figure

import cnn_widgets as cw
from cnn_widgets.experiments.ablation import ablate
from cnn_widgets.explorer.bench import CONTROLS
from cnn_widgets.panels.table import PANELS
from cnn_widgets.scenes.choices import EXPERIMENTS
from cnn_widgets.scenes.state import State
from cnn_widgets.workbench import TABLE, found_by, keep, leads, question, tracing, view_of
from cnn_widgets.workbench.experiment import filters_of


@pytest.fixture(scope="module")
def net(keras):
    return cw.Network(tiny(keras), preprocess="none", class_names=list("abcd"))


@pytest.fixture(scope="module")
def other_net(keras):
    model = tiny(keras)
    rng = np.random.default_rng(5)
    model.set_weights([w + rng.normal(0, 0.1, w.shape) for w in model.get_weights()])
    return cw.Network(model, preprocess="none", class_names=list("abcd"), name="before")


@pytest.fixture(scope="module")
def pictures():
    return np.random.default_rng(3).integers(0, 256, (8, 24, 30, 3), np.uint8)


@pytest.fixture
def explorer(net, other_net, pictures):
    made = cw.CNNExplorer(net, pictures, models={"before": other_net})
    made.state.layer = "conv2"
    yield made
    made.close()


def opened(explorer, name, **changes):
    explorer.show(experiments=True, experiment=name, **changes)
    assert explorer.last_error is None
    return explorer.scene


def shown(explorer):
    return explorer._screen.views["experiment"].value


def pressed(explorer):
    explorer.controls.buttons["experiment"].click()
    explorer._tasks.jobs.wait(120)
    assert explorer.last_error is None
    return found_by(explorer.scene)


def kept(explorer):
    """Return the questions of experiments whose results are kept."""
    entries = explorer._catalogue.experiments._entries
    return [key for key in entries if key[0] == "experiment"]


def test_the_table_and_the_list_of_the_state_name_the_same():
    assert tuple(TABLE) == EXPERIMENTS
    controls = {name for each in TABLE.values() for name in each.controls}
    assert controls == set(CONTROLS)  # each control belongs to an experiment, and is there
    assert controls <= set(State.ORDER)


def test_nothing_is_computed_while_the_fold_is_closed(explorer):
    for name in EXPERIMENTS:
        explorer.state.experiment = name
    explorer.show(filter=1, switched="0 1")
    assert kept(explorer) == []
    opened(explorer, "silence")
    assert len(kept(explorer)) == 1


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_each_says_what_it_does_before_its_button_is_pressed(explorer, name):
    scene = opened(explorer, name, layer="conv1")
    told = view_of(scene).alt
    if not TABLE[name].at_once(scene):
        assert told.startswith(TABLE[name].tells)
        assert f"Press “{TABLE[name].button}”" in told
        assert kept(explorer) == []
    assert "could not be drawn" not in shown(explorer)


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in EXPERIMENTS if n not in ("concept", "film")])
def test_each_finds_something_by_its_button_or_from_code(explorer, name):
    layer = "conv2" if name == "parts" else "conv1"  # parts want values that are never below 0
    opened(explorer, name, layer=layer, class_index=None)
    found = pressed(explorer) if TABLE[name].button else explorer.experiment(name)
    assert found is not None
    view = TABLE[name].show(explorer.scene, found)
    assert view.alt
    assert view.parts
    assert all(part.alt for part in view.parts)
    assert TABLE[name].tells not in shown(explorer)
    for _, changes in leads(explorer.scene)[:3]:
        explorer.show(**changes)


def test_the_filters_listed_are_silenced_as_by_the_function(explorer, net):
    scene = opened(explorer, "silence", switched="0 2")
    alone = ablate(net, scene.sample, "conv2", (0, 2))
    np.testing.assert_array_equal(found_by(scene).answers.scores_after, alone.answers.scores_after)
    assert "Filters 0, 2 of conv2 silenced" in shown(explorer)
    explorer.state.switching = "kept alone"
    kept_alone = found_by(explorer.scene).answers.scores_after
    np.testing.assert_array_equal(
        kept_alone, ablate(net, scene.sample, "conv2", (0, 2), keep=True).answers.scores_after
    )


def test_without_a_list_it_is_the_filter_on_screen(explorer):
    opened(explorer, "silence", filter=2)
    assert "Filter 2 of conv2 silenced" in shown(explorer)
    explorer.controls.widgets["filter"].value = 1
    assert "Filter 1 of conv2 silenced" in shown(explorer)


def test_the_first_of_a_ranking_are_those_of_the_votes(explorer, net):
    scene = opened(explorer, "silence", switched="top 2 by activation")
    first = cw.votes(net, scene.sample, "conv2").top(2, "activation")
    assert f"Filters {first[0]}, {first[1]} of conv2" in shown(explorer)


def test_another_layer_clears_the_list_of_filters(explorer):
    opened(explorer, "silence", switched="2")
    explorer.state.layer = "conv1"
    assert explorer.state.switched == ""


def test_shift_click_on_the_mosaic_switches_a_filter_and_back(explorer):
    click = {"kind": "click", "picture": "mosaic", "x": 0.01, "y": 0.01, "shift": True}
    before = explorer.state.filter
    explorer._touch.pointer._handle_custom_msg(click, [])
    assert (explorer.state.experiments, explorer.state.experiment) == (True, "silence")
    assert explorer.state.switched == "0"
    assert explorer.state.filter == before
    assert "cnnw-second" in explorer._screen.views["frame"].value
    explorer._touch.pointer._handle_custom_msg(click, [])
    assert explorer.state.switched == ""


def test_the_key_x_switches_the_filter_shown(explorer):
    explorer.show(filter=2)
    key = {"kind": "key", "picture": "mosaic", "key": "x"}
    explorer._touch.pointer._handle_custom_msg(key, [])
    assert explorer.state.switched == "2"


def test_trained_weights_give_a_new_answer(explorer, net):
    scene = opened(explorer, "silence")
    before, asked = found_by(scene).answers.scores_after, question(scene)
    weights = net.model.get_weights()
    try:
        net.model.set_weights([1.5 * each for each in weights])
        explorer.state.filter = 1
        explorer.state.filter = 0
        after = explorer.scene
        assert question(after) != asked
        assert not np.array_equal(found_by(after).answers.scores_after, before)
    finally:
        net.model.set_weights(weights)


def test_a_place_that_moves_costs_one_pass_once_random_ones_are_known(explorer, monkeypatch):
    opened(explorer, "cover", region=(2, 2, 10, 10))
    assert "whether the place matters" in shown(explorer)
    pressed(explorer)
    assert "random places of the same shape" in shown(explorer)
    scene = explorer.scene
    engine, passed = scene.network.engine_for(scene.sample), []
    whole = engine.observe
    monkeypatch.setattr(engine, "observe", lambda x, *a: passed.append(len(x)) or whole(x, *a))
    explorer.state.region = (4, 2, 12, 10)
    assert "random places of the same shape" in shown(explorer)
    assert sum(passed) == 1


def test_the_class_and_the_region_on_screen_are_those_of_the_experiment(explorer):
    scene = opened(explorer, "cover", region=(2, 2, 10, 10), class_index="c")
    found = found_by(scene)
    assert found.class_index == 2
    assert found.mask[3:9, 3:9].all()
    explorer.state.class_index = "a"
    assert found_by(explorer.scene).class_index == 0


@pytest.mark.parametrize(
    ("told", "readable"),
    [
        ("less -0.00231357, times 1.21533, plus -5.19595 (batch normalization)",
         "plus 0.0023136, times 1.2153, less 5.1959 (batch normalization)"),
        ("less 2, times -0.5, plus 1e-07", "less 2, times −0.5, plus 1e−07"),
        ("plus the bias", "plus the bias"),
        ("sum of the products", "sum of the products"),
    ],
)  # fmt: skip
def test_a_step_is_told_without_two_signs_beside_each_other(told, readable):
    assert tracing._readable(told) == readable


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("cover", "number of places, by what covering them costs"),
        ("votes", "number of the filter, and its weight × activation"),
    ],
)
def test_the_charts_say_what_their_axes_are(explorer, name, title):
    opened(explorer, name)
    pressed(explorer)
    charts = [each for each in view_of(explorer.scene).parts if each.chart is not None]
    assert charts
    for each in charts:
        axes = Figure().add_subplot()
        each.chart(axes)
        assert axes.get_title(loc="left") == title


def test_a_place_beside_fewer_random_ones_says_why(explorer):
    opened(explorer, "cover", region=(0, 0, 30, 12))  # the upper half: few places lie elsewhere
    found = pressed(explorer)
    count = len(found.controls_effects)
    assert 0 < count < len(found.controls.places)
    left_out = len(found.controls.places) - count
    assert f"of {count} random places of the same shape" in shown(explorer)
    assert f"{left_out} more are left out: they overlap it by more than half" in shown(explorer)


def test_the_map_of_an_experiment_names_its_layer(explorer):
    opened(explorer, "silence", layer="conv1")
    assert explorer.scene.attribution.layer == "conv2"
    (pair,) = (each.parts for each in view_of(explorer.scene).parts if each.parts)
    assert [each.caption.split(" · ")[0] for each in pair] == [
        "Grad-CAM at conv1, before", "after, on the same scale",
    ]  # fmt: skip


def test_a_pinned_cell_is_the_one_that_is_traced(explorer):
    scene = opened(explorer, "trace", pins=(("conv1", 1, 2),), layer="conv1", filter=1)
    found = found_by(scene)
    assert (found.layer, found.row, found.column, found.filter) == ("conv1", 1, 2, 1)
    assert found.value == pytest.approx(float(scene.activations[1, 2, 1]))
    assert sum(found.products.products.ravel()) + found.products.bias == pytest.approx(
        found.products.total
    )


def test_choosing_a_line_of_the_votes_shows_the_filter(explorer):
    opened(explorer, "votes", measure="activation")
    pressed(explorer)
    line = explorer.controls.widgets["lead"]
    assert line.layout.display is None
    ranking = [changes["filter"] for _, changes in leads(explorer.scene)]
    line.value = 1
    assert explorer.state.filter == ranking[1]
    opened(explorer, "cover")
    assert line.layout.display == "none"


def test_a_concept_needs_three_photographs_and_is_then_tested(explorer):
    opened(explorer, "concept")
    explorer.controls.buttons["experiment"].click()
    explorer._tasks.jobs.wait(60)
    assert "at least 3" in str(explorer.last_error)
    explorer.last_error = None
    names = list(explorer.scene.samples)
    explorer.controls.widgets["concept"].value = tuple(names[:3])
    found, _ = pressed(explorer)
    assert found.counts[:2] == (3, len(names) - 3)
    assert "p = " in shown(explorer)


def test_two_networks_are_compared_in_the_right_order(explorer, net, other_net, pictures):
    scene = opened(explorer, "training", other_network="before")
    name, before, _, found = explorer.experiment("training")
    assert (name, before) == ("before", other_net)
    alone = cw.compare_networks(other_net, net, [scene.samples[n] for n in scene.samples])
    assert [each.after for each in found.layers] == [each.after for each in alone.layers]
    assert {e.name: (e.before, e.after) for e in found.answers} == {
        e.name: (e.before, e.after) for e in alone.answers
    }
    assert "From before to" in shown(explorer)


def test_where_there_is_no_other_one_it_is_said_and_nothing_can_be_pressed(net, pictures):
    explorer = cw.CNNExplorer(net, pictures[:1])
    use, button = explorer.controls.widgets, explorer.controls.buttons["experiment"]
    opened(explorer, "training")
    assert [label for label, _ in use["other_network"].options] == ["there is no other one"]
    assert use["other_network"].disabled
    assert button.disabled
    assert "There is one network only" in shown(explorer)
    assert "Press" not in shown(explorer)
    opened(explorer, "transplant")
    assert use["other_image"].disabled
    opened(explorer, "votes")
    assert not button.disabled
    explorer.close()


def test_what_there_is_another_one_of_can_be_chosen(explorer):
    use = explorer.controls.widgets
    opened(explorer, "training")
    assert use["other_network"].options[0] == ("the first other one", "")
    assert not use["other_network"].disabled
    assert not use["other_image"].disabled
    assert not explorer.controls.buttons["experiment"].disabled
    assert "Press “Compare”" in shown(explorer)


def test_a_film_made_elsewhere_is_shown(explorer, keras, pictures):
    model = tiny(keras)
    model.compile("sgd", "sparse_categorical_crossentropy")
    film = cw.training_film(pictures[:2], preprocess="none", class_names=list("abcd"))
    model.fit(pictures[:, :16, :12].astype("float32"), np.arange(8) % 4, epochs=2, verbose=0,
              callbacks=[film])  # fmt: skip
    explorer.experiment("film", film.film)
    assert "3 frames of 2 photographs, from epoch 0 to 2" in shown(explorer)


def test_what_cannot_be_asked_is_said_in_words(net, pictures):
    alone = cw.CNNExplorer(net, pictures[:1])
    try:
        said = {
            "transplant": "no other photograph",
            "training": "one network only",
            "parts": "several photographs of a class",
            "film": "training_film",
        }
        for name, words in said.items():
            with pytest.raises(ValueError, match=words):
                alone.experiment(name)
            assert "could not be drawn" not in shown(alone)
        assert "no other photograph" in view_of(opened(alone, "transplant")).alt
        with pytest.raises(ValueError, match="Expected experiment"):
            alone.experiment("nothing")
    finally:
        alone.close()


def test_a_refused_choice_leaves_the_experiment_as_it_was(explorer):
    scene = opened(explorer, "silence", switched="1")
    for bad in ({"switched": "99"}, {"switched": "first"}, {"other_image": "?"},
                {"other_network": "?"}, {"concept": ("?",)}, {"measure": "size"}):  # fmt: skip
        with pytest.raises(ValueError, match=r"Expected|Unknown|has"):
            explorer.show(**bad)
    assert explorer.scene.bench == scene.bench
    widget = explorer.controls.widgets["switched"]
    widget.value = "99"
    assert widget.value == "99"  # to be mended, not to be typed again
    assert explorer.state.switched == "1"
    assert "filters 0 to" in str(explorer.last_error)


def test_another_choice_cancels_the_running_experiment(explorer):
    opened(explorer, "excite")
    explorer.controls.buttons["experiment"].click()
    explorer.state.filter = 1
    explorer._tasks.jobs.wait(60)
    assert explorer.controls.buttons["experiment"].description == "Make it"
    assert kept(explorer) == []


def test_an_open_fold_is_saved_with_the_page(explorer, tmp_path):
    opened(explorer, "silence", switched="0 1")
    page = explorer.save(tmp_path / "page.html").read_text("utf-8")
    assert "Filters 0, 1 of conv2 silenced" in page
    assert explorer.save(tmp_path / "page.png").stat().st_size > 1000


# --- what went wrong once -----------------------------------------------------------------------


def test_another_fit_asks_anew_about_all_photographs(explorer):
    names = list(explorer.scene.samples)
    opened(explorer, "concept", concept=tuple(names[:3]))
    first, _ = pressed(explorer)
    explorer.state.fit = "crop"
    assert found_by(explorer.scene) is None
    assert pressed(explorer)[0].effect != first.effect


def test_a_photograph_replaced_under_its_name_asks_anew(explorer, pictures):
    explorer.show(image=cw.load_image(pictures[0], name="camera"))
    names = tuple(explorer.scene.samples)
    opened(explorer, "concept", concept=(*names[:2], "camera"))
    first, _ = pressed(explorer)
    explorer._press("remove")
    assert explorer.state.concept == names[:2]
    explorer.show(image=cw.load_image(255 - pictures[0], name="camera"))
    explorer.show(concept=(*names[:2], "camera"))
    assert found_by(explorer.scene) is None
    assert pressed(explorer)[0].effect != first.effect


def test_a_comparison_with_a_network_that_was_trained_since_is_not_shown(explorer, other_net):
    opened(explorer, "training", other_network="before")
    pressed(explorer)
    assert "From before to" in shown(explorer)
    weights = other_net.model.get_weights()
    try:
        other_net.model.set_weights([1.1 * each for each in weights])
        other_net.forget()
        explorer.state.colormap = "jet"
        assert "weights of before have changed since" in shown(explorer)
    finally:
        other_net.model.set_weights(weights)
        other_net.forget()


def test_what_is_drawn_over_the_photograph_follows_it(explorer):
    answers = [explorer.network.predict(s, top=1)[0].class_index
               for s in explorer.scene.samples.values()]  # fmt: skip
    common = max(set(answers), key=answers.count)
    mine = [name for name, k in zip(explorer.scene.samples, answers, strict=True) if k == common]
    opened(explorer, "parts", image=mine[0], class_index=common)
    pressed(explorer)
    assert f"lies on {mine[0]}" in shown(explorer)
    explorer.state.image = mine[1]
    assert f"lies on {mine[1]}" in shown(explorer)
    before = shown(explorer)
    explorer.state.colormap = "jet"
    assert shown(explorer) != before


def test_a_slow_map_that_was_computed_is_covered(explorer):
    opened(explorer, "cover", method="rise", covered="hottest")
    assert "press Compute above" in shown(explorer)
    explorer.compute()
    assert "The hottest place covered" in shown(explorer)


def test_results_of_other_questions_are_not_taken(explorer):
    for given in (5, cw.votes(explorer.network, explorer.scene.sample, "conv2")):
        with pytest.raises(ValueError, match="Expected a result for 'film' only"):
            explorer.experiment("votes", given)
    explorer.show(alpha=0.4)
    assert explorer.last_error is None


def test_the_list_shows_the_second_photograph_that_is_used(explorer):
    opened(explorer, "transplant", other_image="image 3")
    assert "taken from &#x27;image 3&#x27;" in shown(explorer)
    assert explorer.controls.widgets["other_image"].value == "image 3"
    explorer.show(image="image 3")
    assert "taken from &#x27;image 0&#x27;" in shown(explorer)
    assert explorer.controls.widgets["other_image"].value == ""


def test_classes_that_rose_are_not_called_lowered(explorer):
    scene = opened(explorer, "silence", switching="doubled", switched="0")
    rose = 0
    for filter_ in range(8):
        explorer.show(switched=str(filter_))
        rose += int((found_by(explorer.scene).answers.differences > 0).sum())
        assert "−-" not in view_of(explorer.scene).alt
    assert rose
    assert scene.network.classes == 4


def test_a_network_of_one_value_has_no_answer_that_stays(keras, pictures):
    net = cw.Network(tiny(keras, head=None, classes=1), preprocess="none")
    made = cw.CNNExplorer(net, pictures, predict_first=True)
    try:
        assert "cnnw-guessing" not in made._dom_classes  # there is nothing to guess
        scene = opened(made, "silence", layer="conv2")
        assert "stays" not in view_of(scene).alt
        assert "→" in view_of(scene).alt
    finally:
        made.close()


def test_one_photograph_that_cannot_be_read_leaves_the_others(net, tmp_path, pictures):
    from PIL import Image

    for number, pixels in enumerate(pictures[:5]):
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    (tmp_path / "1.png").write_bytes(b"broken")
    made = cw.CNNExplorer(net, tmp_path)
    try:
        opened(made, "transplant", layer="conv2")
        assert "2.png" in shown(made)
        opened(made, "parts")
        made.controls.buttons["experiment"].click()
        made._tasks.jobs.wait(60)
        assert made.last_error is None
        assert found_by(made.scene).photographs >= 2
    finally:
        made.close()


def test_filters_of_a_ranking_are_not_ranked_to_ask_what_depends_on_them(explorer, monkeypatch):
    opened(explorer, "excite", excited="filters", switched="top 2")
    counted = []
    whole = explorer.network.gradients
    monkeypatch.setattr(
        explorer.network, "gradients", lambda *a, **b: counted.append(1) or whole(*a, **b)
    )
    question(explorer.scene)
    assert counted == []
    filters_of(explorer.scene)
    assert counted  # it does take gradients to rank them


def test_a_second_network_that_is_opened_by_the_comparison_keeps_its_result(net, keras, pictures):
    models = {}
    for name in ("one", "two"):
        models[name] = tiny(keras, seed=3)
    made = cw.CNNExplorer(net, pictures, models=models)
    try:
        opened(made, "training", other_network="two", layer="conv2")
        assert pressed(made)[0] == "two"
        assert "From two to" in shown(made)
    finally:
        made.close()


def test_a_ranking_by_weights_costs_no_pass_for_each_filter(explorer, monkeypatch):
    from cnn_widgets.experiments.tail import Tail

    opened(explorer, "silence", layer="conv1")
    passed = []
    whole = Tail.run
    monkeypatch.setattr(Tail, "run", lambda tail, a: passed.append(len(a)) or whole(tail, a))
    explorer.state.switched = "top 2"
    assert "Filters" in shown(explorer)
    assert sum(passed) == 1
    explorer.state.switched = "top 2 by effect"
    assert "take another measure" in view_of(explorer.scene).alt


def test_what_is_told_of_pins_and_places_follows_them(explorer):
    scene = opened(explorer, "trace", layer="conv1")
    row, column = divmod(int(scene.feature_map.argmax()), scene.feature_map.shape[1])
    assert "no cell is pinned" in shown(explorer)
    explorer.state.pins = (("conv1", row, column),)
    assert "no cell is pinned" not in shown(explorer)
    opened(explorer, "cover")
    assert "no region is drawn" in shown(explorer)
    explorer.state.covered = "hottest"
    assert "no region is drawn" not in shown(explorer)


def test_a_film_stays_whatever_else_changes(explorer, keras, pictures):
    model = tiny(keras)
    model.compile("sgd", "sparse_categorical_crossentropy")
    film = cw.training_film(pictures[:2], preprocess="none", class_names=list("abcd"))
    model.fit(pictures[:, :16, :12].astype("float32"), np.arange(8) % 4, verbose=0,
              callbacks=[film])  # fmt: skip
    explorer.experiment("film", film.film)
    explorer.show(image=255 - pictures[0], fit="crop")
    for number in range(30):  # more than the results of experiments may take together
        asked = ("experiment", "dream", number)
        keep(explorer._catalogue.experiments, asked, np.zeros(2**20, np.uint8))
    explorer.state.colormap = "jet"
    assert "frames of 2 photographs" in shown(explorer)


def test_whose_photographs_a_concept_is_tested_on_is_said_only_where_they_lack(explorer, net):
    answers = [net.predict(s, top=1)[0].class_index for s in explorer.scene.samples.values()]
    common = max(set(answers), key=answers.count)
    rare = next(k for k in range(4) if answers.count(k) < 2)
    names = tuple(explorer.scene.samples)[:3]
    opened(explorer, "concept", concept=names, class_index=common)
    pressed(explorer)
    assert "all were looked at" not in shown(explorer)
    explorer.state.class_index = rare
    pressed(explorer)
    assert "all were looked at" in shown(explorer)


def test_what_a_result_does_not_depend_on_does_not_lose_it(explorer):
    opened(explorer, "votes", layer="conv1")
    pressed(explorer)
    explorer.state.counter = True
    assert "Press “Silence each filter”" not in shown(explorer)
    opened(explorer, "transplant")
    asked = question(explorer.scene)
    explorer.show(filter=2, switching="doubled")
    assert question(explorer.scene) == asked
    opened(explorer, "parts", layer="conv2")
    asked = question(explorer.scene)
    with pytest.raises(ValueError, match="Unknown layer"):
        explorer.show(image=np.zeros((9, 9, 3), np.uint8), layer="nope")
    assert question(explorer.scene) == asked


def test_a_place_seen_before_the_button_gets_its_comparison_later(explorer):
    opened(explorer, "cover", region=(2, 2, 10, 10))
    explorer.state.region = (4, 2, 12, 10)
    pressed(explorer)
    explorer.state.region = (2, 2, 10, 10)
    assert "random places of the same shape" in shown(explorer)


def test_filters_that_take_no_part_are_not_marked(explorer):
    opened(explorer, "excite", switched="1 2")
    assert "cnnw-second" not in explorer._screen.views["frame"].value
    explorer.state.excited = "filters"
    assert "cnnw-second" in explorer._screen.views["frame"].value


def test_a_dream_and_its_photograph_have_the_same_size(explorer):
    opened(explorer, "dream", layer="conv2", switched="2")
    pressed(explorer)
    before, after = PANELS["experiment"].view(explorer.scene).parts
    assert before.picture.shape == after.picture.shape
    assert "dreamt by filter 2 of conv2" in shown(explorer)


def test_pictures_that_were_made_count_as_memory(explorer):
    opened(explorer, "dream", layer="conv2")
    pressed(explorer)
    assert explorer._catalogue.experiments.nbytes > 24 * 30 * 3
