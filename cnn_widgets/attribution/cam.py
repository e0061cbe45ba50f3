"""Class activation maps (CAM): functions from activations and gradients to a map.

A (h, w, K) are a layer's activations for one image, g = dY/dA (h, w, K) their gradients, and Y is
the score of the class before the softmax. Every function returns float32 of shape (h, w). Where
the equation ends in a ReLU, `relu=False` leaves it out, so that the share of the map that the ReLU
removes can be measured.
"""

from __future__ import annotations

import numpy as np

from cnn_widgets.records import Floats


def grad_cam(activations: Floats, gradients: Floats, relu: bool = True) -> Floats:
    """Return ReLU(Σ_k mean_ij(g_k) · A_k), the Grad-CAM map.

    Parameters
    ----------
    activations, gradients : ndarray, shape (h, w, K)
        A layer's output and dY/dA there. Gradients already averaged over the positions, of shape
        (1, 1, K), give the same map.
    relu : bool
        Whether to apply the ReLU.

    Returns
    -------
    ndarray of float32, shape (h, w)
        Not negative with the ReLU. All zero if the layer holds no evidence for the class.

    References
    ----------
    Selvaraju et al. 2017, arXiv 1610.02391, equations 1 and 2.
    """
    return weighted(activations, gradients.mean(axis=(0, 1)), relu)


def grad_cam_plus_plus(activations: Floats, gradients: Floats, relu: bool = True) -> Floats:
    """Return ReLU(Σ_k w_k · A_k) with w_k = Σ_ij α_ij ReLU(g_ij), the Grad-CAM++ map.

    α = g² / (2 g² + ΣA · g³), where ΣA is the sum of A_k over all positions, and α = 0 where the
    denominator is 0. This is the paper's closed form for Y passed through an exponential. Its
    factor exp(Y) is left out: it is the same for all filters and only scales the map.

    References
    ----------
    Chattopadhay et al. 2018, arXiv 1710.11063, equations 10, 11 and 19.
    """
    g = gradients.astype(np.float64)
    totals = activations.astype(np.float64).sum(axis=(0, 1))
    denominator = 2 * g**2 + totals * g**3
    alpha = np.divide(g**2, denominator, out=np.zeros_like(g), where=denominator != 0)
    return weighted(activations, (alpha * np.maximum(g, 0)).sum(axis=(0, 1)), relu)


def hires_cam(activations: Floats, gradients: Floats) -> Floats:
    """Return Σ_k g_k ⊙ A_k, the HiResCAM map.

    The map is signed. Unlike in Grad-CAM, the gradients are not averaged over the positions.

    References
    ----------
    Draelos & Carin 2020, arXiv 2011.08891, equation 4.
    """
    return np.asarray((activations * gradients).sum(axis=-1), np.float32)


def xgrad_cam(activations: Floats, gradients: Floats, relu: bool = True) -> Floats:
    """Return ReLU(Σ_k w_k · A_k) with w_k = Σ_ij g·A / ΣA, the XGrad-CAM map.

    A filter whose activations sum to 0 has weight 0. The other filters' share of the map, before
    the ReLU, sums to Σ g·A over all positions.

    References
    ----------
    Fu et al. 2020, arXiv 2008.02312, equation 8.
    """
    totals = activations.astype(np.float64).sum(axis=(0, 1))
    products = (gradients.astype(np.float64) * activations).sum(axis=(0, 1))
    weights = np.divide(products, totals, out=np.zeros_like(products), where=totals != 0)
    return weighted(activations, weights, relu)


def layer_cam(activations: Floats, gradients: Floats, relu: bool = True) -> Floats:
    """Return ReLU(Σ_k ReLU(g_k) ⊙ A_k), the LayerCAM map.

    Each position has its own weight, so that the map is usable in early layers too.

    References
    ----------
    Jiang et al. 2021, IEEE Transactions on Image Processing 30, equations 5 to 7.
    """
    summed = (np.maximum(gradients, 0) * activations).sum(axis=-1)
    return np.asarray(np.maximum(summed, 0) if relu else summed, np.float32)


def eigen_cam(activations: Floats, gradients: Floats) -> Floats:
    """Return A · v₁, the Eigen-CAM map, v₁ being the first right singular vector of A (h·w, K).

    The map does not depend on the class (the gradients are not used), and A is not centred. The
    sign of a singular vector is arbitrary: here it is the one for which the map correlates
    positively with the mean activation.

    References
    ----------
    Muhammad & Yeasin 2020, arXiv 2008.00299, equations 3 and 4.
    """
    flat = activations.reshape(-1, activations.shape[-1]).astype(np.float64)
    if flat.shape[0] <= flat.shape[1]:  # decompose the smaller of the two Gram matrices
        values, vectors = np.linalg.eigh(flat @ flat.T)
        projected = vectors[:, -1] * np.sqrt(max(values[-1], 0.0))
    else:
        projected = flat @ np.linalg.eigh(flat.T @ flat)[1][:, -1]
    mean = flat.mean(axis=1)
    agreement = np.dot(projected - projected.mean(), mean - mean.mean()) or projected.sum()
    signed = projected if agreement >= 0 else -projected
    return np.asarray(signed.reshape(activations.shape[:2]), np.float32)


def weighted(activations: Floats, weights: np.ndarray, relu: bool = True) -> Floats:
    """Return ReLU(Σ_k w_k A_k), (h, w), for activations (h, w, K) and weights (K,)."""
    # einsum, not `@`: OpenBLAS' threads stay busy after a product and slow TensorFlow's down
    summed = np.einsum("ijk,k->ij", activations, np.asarray(weights, activations.dtype))
    return np.asarray(np.maximum(summed, 0) if relu else summed, np.float32)
