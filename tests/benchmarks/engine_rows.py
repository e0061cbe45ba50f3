"""What the engine takes: maps, film-strips, new images, mosaics, slow methods."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator

import baselines
import numpy as np
from timing import Row, faster, medians, ms, within

import cnn_widgets as cw
from cnn_widgets.attribution.depth_strip import film_strip
from cnn_widgets.panels.table import PANELS
from cnn_widgets.rendering.html import to_html

CLASSES = (285, 282, 281, 967, 504, 652)


def rows() -> Iterator[Row]:
    """Yield the rows of the bundled network."""
    net, photos = cw.load_network(), cw.gallery()
    yield from _class_switch(net, photos["cat"])
    yield from _passes(net, photos["cat"])
    yield from _mosaic(net, photos["cat"])
    yield from _slow(net, photos["cat"])


def _class_switch(net: cw.Network, sample: cw.ImageSample) -> Iterator[Row]:
    layer, x = net.default_layer, net.input_tensor([sample])
    turn = itertools.cycle(CLASSES)
    runs = {"ours": lambda index: cw.attribute(net, sample, class_index=index)}
    runs["eager sub-model per call"] = baselines.eager(net.model, layer, x)
    runs["xplique"] = baselines.xplique(net.model, layer, x, net.classes)
    runs["tf-keras-vis"] = baselines.tf_keras_vis(net.model, layer, x)
    torch = baselines.pytorch()
    runs["pytorch-grad-cam"] = torch and (lambda index: torch.run("grad-cam", index))
    there = {name: run for name, run in runs.items() if run is not None}
    spent = medians({n: lambda run=run: run(next(turn)) for n, run in there.items()}, 8, 3)
    if torch is not None:
        torch.close()
    targets = {"eager sub-model per call": 80, "xplique": 10, "tf-keras-vis": 80,
               "pytorch-grad-cam": 25}  # fmt: skip
    what = "Grad-CAM, class switched, default layer"
    for name, least in targets.items():
        if name in spent:
            yield faster(what, spent["ours"], name, spent[name], least)
        else:
            yield Row(what, ms(spent["ours"]), f"{name}: not installed", "–", f"≥ {least}×")


def _passes(net: cw.Network, sample: cw.ImageSample) -> Iterator[Row]:
    x = net.input_tensor([sample])
    bare = baselines.forward(net.model, x)
    fresh = _fresh(sample)
    other = itertools.count()  # a class not asked about before: nothing is known of it

    def new_image():
        new = next(fresh)
        net.predict(new)
        return net.activations(new, "block5_expand")

    def prepared():  # the same, without what it takes to hash, resize and scale the pixels
        return net.engine.observe(x, None)

    def strip():
        return film_strip(net, sample, class_index=next(other))

    net.predict(sample)
    spent = medians({"bare": bare, "new": new_image, "pass": prepared, "strip": strip}, 25)
    name = "one compiled forward pass"
    yield within(
        f"Grad-CAM of one class at all {len(net.feature_layers)} feature layers (film-strip)",
        spent["strip"], name, spent["bare"], 2.5,
    )  # fmt: skip
    yield within("new image: predictions and activations of all feature layers",
                 spent["pass"], name, spent["bare"], 1.4)  # fmt: skip
    yield within("the same, with preparing the photograph", spent["new"], name, spent["bare"], 1.4)


def _fresh(sample: cw.ImageSample) -> Iterator[cw.ImageSample]:
    """Yield pictures that no cache knows."""
    for number in itertools.count():
        pixels = sample.pixels.copy()
        pixels[0, 0] = number % 256, number // 256 % 256, 7
        yield cw.ImageSample(pixels)


def _mosaic(net: cw.Network, sample: cw.ImageSample) -> Iterator[Row]:
    explorer = cw.CNNExplorer(net, [sample])
    explorer.state.layer = layer = "block1_expand"  # 112×112×96
    scene = explorer.scene
    activations = net.activations(sample, layer)
    assert activations.shape == (112, 112, 96)
    spent = medians(
        {
            "ours": lambda: to_html(PANELS["mosaic"].view(scene)),
            "figure": lambda: baselines.figure_of_subplots(activations),
        },
        5,
    )
    yield faster("96 filters of 112×112, redrawn to bytes", spent["ours"],
                 "figure of 96 subplots", spent["figure"], 60)  # fmt: skip


def _slow(net: cw.Network, sample: cw.ImageSample) -> Iterator[Row]:
    batch = 16
    x = np.repeat(net.input_tensor([sample]), batch, 0)
    bare = baselines.forward(net.model, x)
    bare()
    plans = {"occlusion": ({}, _patches(sample, net)), "rise": ({"masks": 256}, 256),
             "score-cam": ({}, net.layer(net.default_layer).filters)}  # fmt: skip
    for method, (options, passes) in plans.items():
        each, ours = [], []
        for _ in range(2 if method == "score-cam" else 3):
            each.append(min(_timed(bare) for _ in range(5)) / batch)
            ours.append(_timed(lambda m=method, o=options: cw.attribute(net, sample, m, 285, **o)))
        title = cw.METHODS[method].title
        yield within(f"{title}, {passes} passes", min(ours), "batched compiled passes",
                     passes * min(each), 1.25)  # fmt: skip
    torch = baselines.pytorch()
    spent = min(_timed(lambda: cw.attribute(net, sample, "ablation-cam", 285)) for _ in range(3))
    if torch is None:
        yield Row("Ablation-CAM", ms(spent), "pytorch-grad-cam: not installed", "–", "≥ 20×")
    else:
        yield faster(
            "Ablation-CAM",
            spent,
            "pytorch-grad-cam",
            _timed(lambda: torch.run("ablation-cam", 285)),
            20,
        )
        torch.close()


def _patches(sample: cw.ImageSample, net: cw.Network) -> int:
    told = []
    cw.attribute(net, sample, "occlusion", 285, progress=lambda _, total: told.append(total))
    return told[0]


def _timed(run) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began
