"""Every method in one table: how near to its reference, to an identity, to the subject; how fast.

    python tests/benchmarks/methods.py

Prints Markdown. "Reference" is the largest difference of maps scaled to 1 from PyTorch's on the
same weights (tests/references), over three photographs and, for class activation maps, the four
layers without a ReLU6 at its kink. "Identity" is the error of an equation that must hold. Time is
that of a second call; pointing the share of the heat on the right half of "cat and espresso".
"""

from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np

import cnn_widgets as cw
from cnn_widgets.attribution.perturbation import _mask
from cnn_widgets.attribution.probe import Probe
from cnn_widgets.drawing import color
from cnn_widgets.evaluation.faithfulness import curves
from cnn_widgets.evaluation.localization import right_share

STORED = np.load(Path(__file__).parent.parent / "references" / "references.npz")
PICTURES = {"cat": 285, "espresso": 967, "officer": 652}
LAYERS = ("block10_expand_relu", "block13_expand_relu", "block15_expand_relu", "head_relu")


def scaled(values):
    values = np.asarray(values, np.float64)
    return values / np.abs(values).max()


def reference(net, photos, method):
    """Return the largest difference to the stored reference, or None where there is none."""
    found = []
    for picture, index in PICTURES.items():
        sample = photos[picture]
        for layer in LAYERS:
            key = f"{picture}/{layer}/{method}"
            if key in STORED and method not in ("grad-cam++", "eigen-cam"):
                theirs = STORED[key]
                if cw.METHODS[method].rectified:
                    theirs = np.maximum(theirs, 0)
                ours = cw.attribute(net, sample, method, index, layer).raw
                found.append(np.abs(scaled(ours) - scaled(theirs)).max())
        options = {
            "occlusion": {"patch": 48 / 224, "stride": 16 / 224},
            "smoothgrad": {"samples": 8},
            "rise": {"masks": 32},
            "integrated-gradients": {"steps": 50},
        }.get(method, {})
        if f"{picture}/{method}" in STORED and method != "score-cam":
            ours = cw.attribute(net, sample, method, index, **options).raw
            if method == "rise":
                ours = _sum_of_masks(net, sample, index, ours)
            theirs = STORED[f"{picture}/{method}"]
            found.append(np.abs(scaled(ours[::4, ::4]) - scaled(theirs)).max())
        if method == "score-cam":
            layer = "block5_expand_relu"
            ours = cw.attribute(net, sample, method, index, layer).raw
            weights = STORED[f"{picture}/score-cam weights"]
            theirs = np.maximum(net.activations(sample, layer).astype(float) @ weights, 0)
            found.append(np.abs(scaled(ours) - scaled(theirs)).max())
    return max(found) if found else None


def _sum_of_masks(net, sample, index, raw):
    rng = np.random.default_rng(0)
    masks = np.stack([_mask(rng, 224, 224, 7, 0.5) for _ in range(32)])
    probe = Probe(net, sample, net.score_weights([index])[0], None, "logit")
    return (raw + probe.score(probe.x * masks[..., None]).mean()) * masks.mean(0)


def identity(net, sample, method):
    """Return (what must be equal, the largest relative error)."""
    index = 285
    layer = net.default_layer
    a, g = (x.astype(float) for x in net.gradients(sample, layer, index))
    spots = a.shape[0] * a.shape[1]
    y = float(net.scores(sample)[0][index])
    bias = float(np.asarray(net.model.get_layer("predictions").bias)[index])
    raw = cw.attribute(net, sample, method, index, **_quick(method)).raw.astype(float)
    hires = (a * g).sum(-1)  # behind this layer: global average pooling and a linear layer

    def error(one, other):
        one, other = np.asarray(one, float), np.asarray(other, float)
        return float(np.abs(one - other).max() / max(np.abs(other).max(), 1e-30))

    if method in ("grad-cam", "xgrad-cam"):
        return "= ReLU(HiResCAM), linear behind", error(raw, np.maximum(hires, 0))
    if method == "hirescam":
        return "ΣHiResCAM + b = Y", error(raw.sum() + bias, y)
    if method == "layercam":
        return "= ReLU of HiResCAM's positive weights", error(raw, a @ np.maximum(g[0, 0], 0))
    if method == "grad-cam++":
        c = g[0, 0]
        weights = np.where(c > 0, spots * c / (2 + a.sum((0, 1)) * c), 0)
        return "closed form for equal gradients", error(raw, np.maximum(a @ weights, 0))
    if method == "eigen-cam":
        flat = a.reshape(spots, -1)
        first = flat @ np.linalg.svd(flat, full_matrices=False)[2][0]
        return "= NumPy's SVD", error(np.abs(raw).ravel(), np.abs(first))
    if method == "ablation-cam":
        weights = g[0, 0] * a.sum((0, 1)) / abs(y)
        return "closed form, linear behind", error(raw, np.maximum(a @ weights, 0))
    if method == "score-cam":
        return "nowhere above max A", max(0.0, float((raw - a.max(-1)).max()))
    if method == "saliency":
        still = cw.attribute(net, sample, "smoothgrad", index, noise=0.0, samples=2).raw
        return "= SmoothGrad without noise", error(raw, still)
    if method == "smoothgrad":
        plain = cw.attribute(net, sample, "saliency", index).raw
        still = cw.attribute(net, sample, method, index, noise=0.0, samples=2).raw
        return "without noise = saliency", error(still, plain)
    if method == "gradient-x-input":
        x, dx = net.gradients(sample, None, index)
        return "Σ = x · dY/dx", error(raw.sum(), float((x.astype(float) * dx).sum()))
    if method == "integrated-gradients":
        black = cw.load_image(np.zeros_like(sample.pixels))
        return "Σ = Y(x) - Y(black)", error(raw.sum(), y - float(net.scores(black)[0][index]))
    if method == "guided-grad-cam":
        guided = cw.attribute(net, sample, "guided-backprop", index).raw
        cam = cw.attribute(net, sample, "grad-cam", index).raw
        place = color.normalize(color.resize(cam, (224, 224)))
        return "= Grad-CAM ⊙ guided", error(raw, place * guided)
    if method == "occlusion":
        grey = cw.load_image(np.full_like(sample.pixels, 127))
        drop = y - float(net.scores(grey)[0][index])
        return "one patch over all = Y(x) - Y(grey)", error(raw, drop)
    if method == "rise":
        return "nothing masked = 0", float(np.abs(raw).max() / abs(y))
    return "worked by hand (test_methods)", None


def _quick(method):
    return {
        "occlusion": {"patch": 1.0},
        "rise": {"masks": 4, "keep": 1.1},
        "integrated-gradients": {"steps": 300},
    }.get(method, {})


def main():
    net, photos = cw.load_network(), cw.gallery()
    print(
        "| method | reference | identity | error | time | cat | espresso | deletion | insertion |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    two, cup = photos["cat and espresso"], photos["espresso"]
    for name, method in cw.METHODS.items():
        first = cw.attribute(net, two, name, "espresso")  # compiles what is new
        if not method.slow:
            cw.attribute(net, two, name, "tabby")
        began = time.perf_counter()
        cat = cw.attribute(net, two, name, "Egyptian cat")
        spent = time.perf_counter() - began
        deletion, insertion = curves(net, cup, cw.attribute(net, cup, name))
        near = reference(net, photos, name)
        what, wrong = identity(net, photos["cat"], name)
        took = f"{spent:.1f} s" if spent > 0.5 else f"{1000 * spent:.1f} ms"
        print(
            f"| {method.title} | {_small(near)} | {what} | {_small(wrong)} | {took} "
            f"| {1 - right_share(cat):.2f} | {right_share(first):.2f} "
            f"| {deletion.area:.3f} | {insertion.area:.3f} |",
            flush=True,
        )


def _small(value):
    return "–" if value is None or math.isnan(value) else f"{value:.0e}" if value else "0"


if __name__ == "__main__":
    main()
