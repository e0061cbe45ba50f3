"""Answers "method class" lines with "done", when pytorch-grad-cam has explained the cat."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "references"))
import numpy as np
import torch
from make import loaded
from pytorch_grad_cam import AblationCAM, GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

from cnn_widgets import gallery
from cnn_widgets.images.resizing import resize_to_input
from cnn_widgets.networks import efficientnet_lite

KINDS = {"grad-cam": GradCAM, "ablation-cam": AblationCAM}


def main() -> None:
    """Serve until standard input ends."""
    net, units = loaded()
    pixels = resize_to_input(gallery()["cat"], efficientnet_lite.INPUT_SIZE).astype(np.float32)
    x = torch.from_numpy(efficientnet_lite.preprocess(pixels).transpose(2, 0, 1)[None].copy())
    explainers = {name: kind(net, [units["head"].relu]) for name, kind in KINDS.items()}
    print("ready", flush=True)
    for line in sys.stdin:
        method, index = line.split()
        explainers[method](input_tensor=x, targets=[ClassifierOutputTarget(int(index))])
        print("done", flush=True)


if __name__ == "__main__":
    main()
