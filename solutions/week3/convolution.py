"""The convolution as a matrix product of patches: each output is the product of a patch and a filter, both as rows.

Chellapilla, Puri & Simard, *High performance convolutional neural networks for document processing* (2006). The way
back at the inputs is the same product turned round, with the patches' gradients added where they overlap.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from .layers import Floats, Layer, floats


class Conv2D(Layer):
    """The cross-correlation of pictures ``(N, C, H, W)`` with filters W ``(F, C, K, L)``, plus biases b ``(F,)``.

    The outputs are ``(N, F, H', W')`` with H' = ⌊(H + 2·padding − K) / stride⌋ + 1, and likewise across.
    """

    names = ("W", "b")
    W: Floats
    b: Floats

    def __init__(self, W: npt.ArrayLike, b: npt.ArrayLike, stride: int = 1, padding: int = 0) -> None:
        """Take filters and biases, how far a filter moves, and how many zeros are put on each side."""
        super().__init__(W, b)
        self.stride, self.padding = stride, padding

    def forward(self, x: npt.ArrayLike) -> Floats:
        """As ``Layer.forward``."""
        pictures = floats(x)
        n, c, height, width = pictures.shape
        filters, _, high, wide = self.W.shape
        s, p = self.stride, self.padding
        padded = np.zeros((n, c, height + 2 * p, width + 2 * p))
        padded[:, :, p : p + height, p : p + width] = pictures
        windows = sliding_window_view(padded, (high, wide), axis=(2, 3))[:, :, ::s, ::s]
        self._shapes = padded.shape, pictures.shape
        # One row a place: (N, H', W', C·K·L).
        self._patches = windows.transpose(0, 2, 3, 1, 4, 5).reshape(n, *windows.shape[2:4], -1)
        out = self._patches @ self.W.reshape(filters, -1).T + self.b
        return np.ascontiguousarray(out.transpose(0, 3, 1, 2))

    def backward(self, dout: npt.ArrayLike) -> Floats:
        """As ``Layer.backward``; sets ``dW`` and ``db``."""
        upstream = floats(dout).transpose(0, 2, 3, 1)
        filters, c, high, wide = self.W.shape
        self.db = upstream.reshape(-1, filters).sum(axis=0)
        self.dW = np.einsum("nijf,nijq->fq", upstream, self._patches).reshape(self.W.shape)
        patches = (upstream @ self.W.reshape(filters, -1)).reshape(*upstream.shape[:3], c, high, wide)
        padded, (_, _, height, width) = np.zeros(self._shapes[0]), self._shapes[1]
        s, p = self.stride, self.padding
        for i, j in np.ndindex(upstream.shape[1:3]):
            padded[:, :, s * i : s * i + high, s * j : s * j + wide] += patches[:, i, j]
        return padded[:, :, p : p + height, p : p + width].copy()
