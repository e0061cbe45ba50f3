"""Makes `references.npz`: the bundled weights in PyTorch, explained by other people's libraries.

Run with PyTorch, grad-cam (pytorch-grad-cam) and captum installed, beside this package's NumPy
half (no TensorFlow is used). Gradients are computed in float64: in float32 a ReLU6 that stands
within rounding of its kink opens on one machine and not on another. The arrays are kept so that
the tests need none of the libraries:

    python tests/references/make.py
"""

from __future__ import annotations

import copy
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from captum import attr
from pytorch_grad_cam import (
    AblationCAM,
    EigenCAM,
    GradCAM,
    GradCAMPlusPlus,
    HiResCAM,
    LayerCAM,
    ScoreCAM,
    XGradCAM,
)
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn
from torch.nn import functional

from cnn_widgets import gallery
from cnn_widgets.attribution.perturbation import _mask
from cnn_widgets.images.resizing import resize_to_input
from cnn_widgets.networks import efficientnet_lite
from cnn_widgets.networks.torch_checkpoint import read_checkpoint

PICTURES = {"cat": 285, "espresso": 967, "officer": 652}
LAYERS = ("block5_expand_relu", "block10_expand_relu", "block13_expand_relu",
          "block15_expand_relu", "head_relu")  # fmt: skip
CAMS = {
    "grad-cam": GradCAM, "grad-cam++": GradCAMPlusPlus, "hirescam": HiResCAM,
    "xgrad-cam": XGradCAM, "layercam": LayerCAM, "eigen-cam": EigenCAM,
}  # fmt: skip


class Same(nn.Conv2d):
    """A convolution with TensorFlow's "same" padding: what is odd goes to the lower right."""

    def forward(self, x):
        pads = []
        for size, kernel, stride in zip(
            x.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1], strict=True
        ):
            missing = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            pads += [missing // 2, missing - missing // 2]
        return functional.conv2d(
            functional.pad(x, pads), self.weight, None, self.stride, groups=self.groups
        )


class Unit(nn.Module):
    """Convolution, batch norm and, if asked for, a ReLU6 that can be hooked."""

    def __init__(self, given, wanted, kernel, stride=1, groups=1, relu=True):
        super().__init__()
        self.conv = Same(given, wanted, kernel, stride, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(wanted, eps=1e-3)
        self.relu = nn.ReLU6() if relu else nn.Identity()

    def forward(self, x):
        return self.relu(self.bn(self.conv(x)))


class Block(nn.Module):
    def __init__(self, given, kernel, stride, expand, wanted):
        super().__init__()
        wide = given * expand
        self.expand = Unit(given, wide, 1) if expand > 1 else nn.Identity()
        self.depthwise = Unit(wide, wide, kernel, stride, groups=wide)
        self.project = Unit(wide, wanted, 1, relu=False)
        self.skips = stride == 1 and given == wanted

    def forward(self, x):
        y = self.project(self.depthwise(self.expand(x)))
        return x + y if self.skips else y


class Lite0(nn.Module):
    """EfficientNet-Lite0 with the published weights; puts out scores."""

    def __init__(self):
        super().__init__()
        self.stem, self.blocks, given = Unit(3, 32, 3, 2), nn.ModuleList(), 32
        for repeats, kernel, stride, expand, wanted in efficientnet_lite._STAGES:
            for repeat in range(repeats):
                step = stride if repeat == 0 else 1
                self.blocks.append(Block(given, kernel, step, expand, wanted))
                given = wanted
        self.head, self.fc = Unit(320, 1280, 1), nn.Linear(1280, 1000)

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.fc(self.head(x).mean((2, 3)))


def loaded():
    """Return the network with the checkpoint's arrays in their places, by their own names."""
    net, arrays = Lite0(), read_checkpoint(efficientnet_lite.weights_path())
    units = {"stem": net.stem, "head": net.head}
    for index, block in enumerate(net.blocks):
        for part in ("expand", "depthwise", "project"):
            units[f"block{index}_{part}"] = getattr(block, part)
    for name, unit in units.items():
        if isinstance(unit, Unit):
            put(unit.conv.weight, arrays[efficientnet_lite._array_names(name)[0]])
            names = efficientnet_lite._array_names(f"{name}_bn")
            for place, key in zip(("weight", "bias", "running_mean", "running_var"), names,
                                  strict=True):  # fmt: skip
                put(getattr(unit.bn, place), arrays[key])
    put(net.fc.weight, arrays["_fc.weight"])
    put(net.fc.bias, arrays["_fc.bias"])
    return net.eval(), units


def put(parameter, array):
    parameter.data = torch.from_numpy(array.copy())


def main():
    net, units = loaded()
    exact, exact_units = copy.deepcopy((net, units))
    exact.double()
    found = {"versions": np.array([f"{name} {version(name)}" for name in (
        "torch", "grad-cam", "captum")])}  # fmt: skip
    pictures = gallery()
    for picture, index in PICTURES.items():
        pixels = resize_to_input(pictures[picture], efficientnet_lite.INPUT_SIZE).astype(np.float32)
        x = torch.from_numpy(efficientnet_lite.preprocess(pixels).transpose(2, 0, 1)[None].copy())
        with torch.no_grad():
            scores = net(x)[0]
        found[f"{picture}/scores"] = scores.numpy()
        found[f"{picture}/probabilities"] = torch.softmax(scores, 0).numpy()
        for layer in LAYERS:
            unit = exact_units[layer.removesuffix("_relu")].relu
            for method, make in CAMS.items():
                found[f"{picture}/{layer}/{method}"] = cam(make, exact, unit, x.double(), index)
        unit = units["head"].relu
        found[f"{picture}/head_relu/ablation-cam"] = cam(AblationCAM, net, unit, x, index)
        unit = units["block5_expand"].relu
        found[f"{picture}/score-cam"] = cam(ScoreCAM, net, unit, x, index)
        found[f"{picture}/score-cam weights"] = masked(net, unit, x, index)
        for method, values in (
            pixelwise(exact, x.double(), index) | smoothed(exact, x, index) | changed(net, x, index)
        ).items():
            found[f"{picture}/{method}"] = values[::4, ::4].astype(np.float32)
    kept = {name: x.astype(np.float32) if x.dtype.kind == "f" else x for name, x in found.items()}
    np.savez_compressed(Path(__file__).with_name("references.npz"), **kept)


def cam(make, net, unit, x, index):
    """Return the library's map at the layer's own resolution, before it scales and resizes."""
    with make(model=net, target_layers=[unit]) as explainer:
        explainer.get_target_width_height = lambda *_: None
        kept = {}
        compute = explainer.get_cam_image

        def keep(*arguments, **options):
            kept["map"] = compute(*arguments, **options)
            return kept["map"]

        explainer.get_cam_image = keep
        explainer.compute_cam_per_layer_only = True
        try:
            explainer(input_tensor=x, targets=[ClassifierOutputTarget(index)])
        except (TypeError, ValueError):
            if "map" not in kept:  # only the resizing after it may fail: it has no size to go to
                raise
    return np.asarray(kept["map"][0], np.float32)


def pixelwise(net, x, index):
    """Return Captum's maps over the input, reduced over colours as ours are."""
    gradient = attr.Saliency(net).attribute(x, target=index, abs=False)
    product = attr.InputXGradient(net).attribute(x.clone(), target=index)
    black = torch.full_like(x, -127 / 128)
    path = attr.IntegratedGradients(net).attribute(
        x, baselines=black, target=index, n_steps=50, method="gausslegendre",
        internal_batch_size=10,
    )  # fmt: skip
    guided = attr.GuidedBackprop(Relu6Free(net)).attribute(x.clone(), target=index)
    maps = {
        "saliency": gradient.abs().amax(1), "gradient-x-input": product.sum(1),
        "integrated-gradients": path.sum(1), "guided-backprop": guided.sum(1),
    }  # fmt: skip
    return {name: values[0].detach().numpy() for name, values in maps.items()}


def smoothed(exact, x, index):
    """Return Captum's gradients, averaged over our noise."""
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((8, 224, 224, 3), dtype=np.float32).transpose(0, 3, 1, 2)
    noisy = (x + 0.15 * (x.max() - x.min()) * torch.from_numpy(noise.copy())).double()
    smooth = attr.Saliency(exact).attribute(noisy, target=index, abs=False).mean(0)
    return {"smoothgrad": smooth.abs().amax(0).numpy()}


def changed(net, x, index):
    """Return Captum's occlusion, and RISE by its paper's sum."""
    box = attr.Occlusion(net).attribute(
        x, sliding_window_shapes=(3, 48, 48), strides=(3, 16, 16), baselines=0.0, target=index,
        perturbations_per_eval=16,
    )  # fmt: skip
    rng = np.random.default_rng(0)
    masks = torch.from_numpy(np.stack([_mask(rng, 224, 224, 7, 0.5) for _ in range(32)]))
    with torch.no_grad():
        scores = torch.cat([net(x * some[:, None])[:, index] for some in masks.split(16)])
    summed = (scores[:, None, None] * masks).sum(0)[None] / len(masks)
    maps = {"occlusion": box.mean(1), "rise": summed}
    return {name: values[0].detach().numpy() for name, values in maps.items()}


def masked(net, unit, x, index):
    """Return Score-CAM's weights as the paper has them, masks resized with half-pixel centres."""
    kept = {}
    handle = unit.register_forward_hook(lambda *given: kept.update(map=given[2]))
    with torch.no_grad():
        net(x)
        handle.remove()
        masks = kept["map"][0]
        low, high = masks.amin((1, 2), True), masks.amax((1, 2), True)
        span = torch.where(high > low, high - low, torch.ones_like(high))
        masks = functional.interpolate(
            ((masks - low) / span)[:, None], x.shape[2:], mode="bilinear", align_corners=False
        )
        scores = torch.cat([net(x * some)[:, index] for some in masks.split(16)])
    return torch.softmax(scores.double(), 0).numpy()


class Relu6Free(nn.Module):
    """The same function with ReLU6 written as ReLU(x) - ReLU(x - 6): Captum guides nn.ReLU."""

    def __init__(self, net):
        super().__init__()
        self.net = copy.deepcopy(net)
        for module in self.net.modules():
            if isinstance(module, Unit) and isinstance(module.relu, nn.ReLU6):
                module.relu = Clipped()

    def forward(self, x):
        return self.net(x)


class Clipped(nn.Module):
    def __init__(self):
        super().__init__()
        self.relu = nn.ReLU()

    def forward(self, x):
        y = self.relu(x)
        return torch.where(y < 6, y, torch.full_like(y, 6.0))


if __name__ == "__main__":
    main()
