"""What the experiments take: against passes of the network, or of the layers behind a layer."""

from __future__ import annotations

import time
from collections.abc import Iterator

from timing import Row, medians, ms, within

import cnn_widgets as cw
from cnn_widgets.experiments.tail import tail_of

EARLY, LATE = "block3_expand", "block10_expand"


def rows() -> Iterator[Row]:
    """Yield the rows of the bundled network."""
    net, cat = cw.load_network(), cw.gallery()["cat"]
    yield from _silenced(net, cat)
    yield from _votes(net, cat)
    yield from _moved(net, cat)
    yield from _page(net, cat)
    yield from _made(net, cat)


def _silenced(net: cw.Network, cat: cw.ImageSample) -> Iterator[Row]:
    for layer in (EARLY, LATE, net.default_layer):
        tail = tail_of(net, cat, layer)
        given = tail.activations[None]
        spent = medians({
            "tail": lambda tail=tail, given=given: tail.run(given),
            "ours": lambda layer=layer: cw.ablate(net, cat, layer, [3], method=None),
            "mapped": lambda layer=layer: cw.ablate(net, cat, layer, [3]),
        }, 15, 3)  # fmt: skip
        name = "the layers behind, alone"
        what = f"a filter of {layer} silenced"
        yield within(what, spent["ours"], name, spent["tail"], 1.5)
        ratio = f"{spent['mapped'] / spent['tail']:.2f}×"
        yield Row(f"{what}, with both maps", ms(spent["mapped"]), f"{name}: {ms(spent['tail'])}",
                  ratio, "–")  # fmt: skip


def _votes(net: cw.Network, cat: cw.ImageSample) -> Iterator[Row]:
    tail = tail_of(net, cat, LATE)
    given, count = tail.activations[None], int(tail.activations.any(axis=(0, 1)).sum())
    spent = medians({
        "tail": lambda: [tail.run(given) for _ in range(count)],
        "ours": lambda: cw.votes(net, cat, LATE),
    }, 3)  # fmt: skip
    what = f"true effects of {count} filters of {LATE}"
    yield within(what, spent["ours"], f"{count} passes behind it", spent["tail"], 1.3)
    whole = medians({"pass": lambda: net.engine.observe(net.input_tensor([cat]), ()),
                     "ours": lambda: cw.votes(net, cat)}, 9)  # fmt: skip
    what = f"true effects of all {net.layer(net.default_layer).filters} of {net.default_layer}"
    yield within(what, whole["ours"], "one pass of the network", whole["pass"], 10)


def _moved(net: cw.Network, cat: cw.ImageSample) -> Iterator[Row]:
    known = cw.occlude(net, cat, (50, 50, 150, 150)).controls
    places = iter([(60 + n % 90, 40 + n // 90, 160 + n % 90, 140 + n // 90) for n in range(2000)])
    spent = medians({
        "pass": lambda: net.engine.observe(net.input_tensor([cat]), ()),
        "ours": lambda: cw.occlude(net, cat, next(places), known=known),
    }, 15, 3)  # fmt: skip
    yield within("a covered place moved, beside 200 random ones", spent["ours"],
                 "one pass of the network", spent["pass"], 2)  # fmt: skip


def _page(net: cw.Network, cat: cw.ImageSample) -> Iterator[Row]:
    """Yield what moving the slider of filters costs with the fold open, and closed."""
    with_fold = cw.CNNExplorer(net, cat, hints=False)
    without = cw.CNNExplorer(net, cat, hints=False)
    with_fold.show(layer=EARLY, experiments=True)
    without.show(layer=EARLY)
    turn = {explorer: iter(range(10**6)) for explorer in (with_fold, without)}

    def moved(explorer: cw.CNNExplorer) -> None:
        explorer.state.filter = next(turn[explorer]) % 144

    spent = medians({"open": lambda: moved(with_fold), "closed": lambda: moved(without)}, 20)
    yield Row(f"another filter of {EARLY}, silenced on the page", ms(spent["open"]),
              f"the fold closed: {ms(spent['closed'])}",
              f"{spent['open'] / spent['closed']:.2f}×", "–")  # fmt: skip


def _made(net: cw.Network, cat: cw.ImageSample) -> Iterator[Row]:
    for what, run, most in (
        (f"a picture made for a filter of {LATE}", lambda: cw.excite(net, LATE, 20), 10.0),
        ("a picture made for a class", lambda: cw.excite(net, class_index="tabby"), 10.0),
        ("DeepDream on the photograph", lambda: cw.dream(net, cat, LATE), None),
        ("the smallest set of filters", lambda: cw.smallest_change(net, cat), None),
        ("the smallest region, 7×7 cells", lambda: cw.smallest_change(net, cat, "region"), None),
    ):
        run()
        began = time.perf_counter()
        run()
        spent = time.perf_counter() - began
        yield Row(what, ms(spent), "–", "–", f"≤ {most:g} s" if most else "–",
                  spent <= most if most else None)  # fmt: skip
