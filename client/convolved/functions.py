"""The plain functions as methods: SciPy's convolutions and PyTorch's layers, computed elsewhere.

Each is told once, for the sync client and for the asyncio one: what they differ in is what
`_computed` gives, an array or something to await.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Generic, TypeVar

from numpy.typing import ArrayLike

from convolved_vocabulary import translate
from convolved_vocabulary.call import Call
from convolved_vocabulary.layers.conv import Padding

__all__ = ["Functions"]

R_co = TypeVar("R_co", covariant=True)


class Functions(ABC, Generic[R_co]):
    """The plain functions; what they return is an array, to be awaited from `AsyncClient`."""

    @abstractmethod
    def _computed(self, call: Call) -> R_co:
        """Apply the filter of a call to its signal, and turn the output into its result."""

    def convolve(
        self, in1: ArrayLike, in2: ArrayLike, mode: str = "full", method: str = "auto"
    ) -> R_co:
        """Convolve two arrays, as `scipy.signal.convolve` does.

        Args:
            in1: an array.
            in2: another of as many axes; on at most three axes both have more than one entry.
            mode: "full", "same" (the size of in1, centered) or "valid".
            method: "auto", "direct" or "fft"; exact integers are never transformed.

        Returns:
            an array of dtype `numpy.result_type(in1, in2)`; integers are exact.

        Raises:
            InvalidArgument: naming what is wrong.
            IntegerOverflow: where SciPy would wrap around in silence.
            Unavailable: if the server cannot be reached.

        >>> client.convolve([1, 2, 3], [0, 1, 0.5])
        array([0. , 1. , 2.5, 4. , 1.5])
        """
        return self._computed(translate.convolve(in1, in2, mode, method))

    def correlate(
        self, in1: ArrayLike, in2: ArrayLike, mode: str = "full", method: str = "auto"
    ) -> R_co:
        """Cross-correlate two arrays, as `scipy.signal.correlate` does; in2 is conjugated.

        Args:
            in1: an array.
            in2: another of as many axes; on at most three axes both have more than one entry.
            mode: "full", "same" (the size of in1, centered) or "valid".
            method: "auto", "direct" or "fft"; exact integers are never transformed.

        Returns:
            an array of dtype `numpy.result_type(in1, in2)`; integers are exact.

        Raises:
            InvalidArgument: naming what is wrong.
            IntegerOverflow: where SciPy would wrap around in silence.
            Unavailable: if the server cannot be reached.

        >>> client.correlate([1, 2, 3], [0, 1, 0.5])
        array([0.5, 2. , 3.5, 3. , 0. ])
        """
        return self._computed(translate.correlate(in1, in2, mode, method))

    def fftconvolve(
        self,
        in1: ArrayLike,
        in2: ArrayLike,
        mode: str = "full",
        axes: int | Sequence[int] | None = None,
    ) -> R_co:
        """Convolve along some axes and broadcast the others, as `scipy.signal.fftconvolve` does.

        The planner chooses how; a transform is one way among others.

        Args:
            in1: an array.
            in2: another of as many axes; on other axes than `axes` the lengths are equal or 1.
            mode: "full", "same" (the size of in1, centered) or "valid".
            axes: along which to convolve, at most three; None for all.

        Returns:
            an array; integers are convolved in float64.

        Raises:
            InvalidArgument: naming what is wrong.
            Unavailable: if the server cannot be reached.

        >>> client.fftconvolve([[1.0, 2.0], [3.0, 4.0]], [[1.0, 1.0]], axes=1)
        array([[1., 3., 2.],
               [3., 7., 4.]])
        """
        return self._computed(translate.fftconvolve(in1, in2, mode, axes))

    def oaconvolve(
        self,
        in1: ArrayLike,
        in2: ArrayLike,
        mode: str = "full",
        axes: int | Sequence[int] | None = None,
    ) -> R_co:
        """Convolve arrays of very different sizes, as `scipy.signal.oaconvolve` does.

        It is `fftconvolve`: whether to work in blocks is the planner's choice.

        Args:
            in1: an array.
            in2: another of as many axes; on other axes than `axes` the lengths are equal or 1.
            mode: "full", "same" (the size of in1, centered) or "valid".
            axes: along which to convolve, at most three; None for all.

        Returns:
            an array; integers are convolved in float64.

        Raises:
            InvalidArgument: naming what is wrong.
            Unavailable: if the server cannot be reached.

        >>> client.oaconvolve([1, 2, 3, 4], [1, 1], mode="valid")
        array([3., 5., 7.])
        """
        return self._computed(translate.oaconvolve(in1, in2, mode, axes))

    def convolve2d(
        self,
        in1: ArrayLike,
        in2: ArrayLike,
        mode: str = "full",
        boundary: str = "fill",
        fillvalue: complex = 0,
    ) -> R_co:
        """Convolve two images, as `scipy.signal.convolve2d` does.

        Args:
            in1: (rows, columns).
            in2: (rows, columns).
            mode: "full", "same" (the size of in1, centered) or "valid".
            boundary: what stands around in1: "fill", "wrap" or "symm".
            fillvalue: the number that fills.

        Returns:
            an array of dtype `numpy.result_type(in1, in2)`; integers are exact.

        Raises:
            InvalidArgument: naming what is wrong.
            IntegerOverflow: where SciPy would wrap around in silence.
            Unavailable: if the server cannot be reached.

        >>> client.convolve2d([[1, 2], [3, 4]], [[1, -1]], boundary="symm", mode="same")
        array([[0, 1],
               [0, 1]])
        """
        return self._computed(translate.convolve2d(in1, in2, mode, boundary, fillvalue))

    def correlate2d(
        self,
        in1: ArrayLike,
        in2: ArrayLike,
        mode: str = "full",
        boundary: str = "fill",
        fillvalue: complex = 0,
    ) -> R_co:
        """Cross-correlate two images, as `scipy.signal.correlate2d` does; in2 is conjugated.

        Where mode="valid" exchanges complex arrays, the result is conjugated as that of `correlate`
        is; SciPy's 2-D function leaves that out.

        Args:
            in1: (rows, columns).
            in2: (rows, columns).
            mode: "full", "same" (the size of in1, centered) or "valid".
            boundary: what stands around in1: "fill", "wrap" or "symm".
            fillvalue: the number that fills.

        Returns:
            an array of dtype `numpy.result_type(in1, in2)`; integers are exact.

        Raises:
            InvalidArgument: naming what is wrong.
            IntegerOverflow: where SciPy would wrap around in silence.
            Unavailable: if the server cannot be reached.

        >>> client.correlate2d([[1, 2], [3, 4]], [[1, -1]], boundary="wrap", mode="same")
        array([[-1,  1],
               [-1,  1]])
        """
        return self._computed(translate.correlate2d(in1, in2, mode, boundary, fillvalue))

    def conv(
        self,
        x: ArrayLike,
        weight: ArrayLike,
        bias: ArrayLike | None = None,
        stride: int | Sequence[int] = 1,
        padding: Padding = 0,
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
    ) -> R_co:
        """Cross-correlate channels, as PyTorch's `conv1d`, `conv2d` and `conv3d` do.

        Args:
            x: (channels, *spatial) or (batch, channels, *spatial).
            weight: (out_channels, channels / groups, *kernel), of the dtype of x.
            bias: (out_channels,).
            stride: an int, or one for each axis.
            padding: as `Conv` takes it; PyTorch's words and numbers mean the same.
            dilation: an int, or one for each axis.
            groups: how many groups of channels are convolved by themselves.

        Returns:
            (out_channels, *out_spatial), with a batch axis if x has one.

        Raises:
            InvalidArgument: naming what is wrong.
            Unavailable: if the server cannot be reached.

        >>> import numpy as np
        >>> client.conv(np.arange(5.0)[None], np.array([[[1.0, -1.0]]]))
        array([[-1., -1., -1., -1.]])
        """
        return self._computed(translate.conv(x, weight, bias, stride, padding, dilation, groups))

    def conv_transpose(
        self,
        x: ArrayLike,
        weight: ArrayLike,
        bias: ArrayLike | None = None,
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[int | Sequence[int]] = 0,
        output_padding: int | Sequence[int] = 0,
        groups: int = 1,
        dilation: int | Sequence[int] = 1,
    ) -> R_co:
        """Spread channels by kernels, as PyTorch's `conv_transpose1d`, `2d` and `3d` do.

        Args:
            x: (channels, *spatial) or (batch, channels, *spatial).
            weight: (channels, out_channels / groups, *kernel), of the dtype of x.
            bias: (out_channels,).
            stride: distance between the outputs of neighboring inputs.
            padding: how much is cut from both ends: an int, or an int or a pair for each axis.
            output_padding: added to the length at the end.
            groups: how many groups of channels are convolved by themselves.
            dilation: an int, or one for each axis.

        Returns:
            (out_channels, *out_spatial), with a batch axis if x has one.

        Raises:
            InvalidArgument: naming what is wrong.
            Unavailable: if the server cannot be reached.

        >>> import numpy as np
        >>> client.conv_transpose(np.array([[1.0, 2.0]]), np.array([[[1.0, 1.0, 1.0]]]), stride=2)
        array([[1., 1., 3., 2., 2.]])
        """
        return self._computed(
            translate.conv_transpose(
                x, weight, bias, stride, padding, output_padding, groups, dilation
            )
        )

    def separable_conv(
        self,
        x: ArrayLike,
        depthwise: ArrayLike,
        pointwise: ArrayLike,
        bias: ArrayLike | None = None,
        stride: int | Sequence[int] = 1,
        padding: Padding = 0,
        dilation: int | Sequence[int] = 1,
    ) -> R_co:
        """Cross-correlate each channel by itself, then mix the channels.

        Args:
            x: (channels, *spatial) or (batch, channels, *spatial).
            depthwise: (channels * multiplier, 1, *kernel): `multiplier` kernels for each channel.
            pointwise: (out_channels, channels * multiplier), or with axes of length 1 after it.
            bias: (out_channels,).
            stride: of the depthwise convolution: an int, or one for each axis.
            padding: of the depthwise convolution, as `Conv` takes it.
            dilation: of the depthwise convolution: an int, or one for each axis.

        Returns:
            (out_channels, *out_spatial), with a batch axis if x has one.

        Raises:
            InvalidArgument: naming what is wrong.
            Unavailable: if the server cannot be reached.

        >>> import numpy as np
        >>> x, kernels = np.array([[1.0, 2.0, 3.0], [1.0, 0.0, 1.0]]), np.ones((2, 1, 2))
        >>> client.separable_conv(x, kernels, np.array([[1.0, 10.0]]))
        array([[13., 15.]])
        """
        return self._computed(
            translate.separable_conv(x, depthwise, pointwise, bias, stride, padding, dilation)
        )

    def max_pool(
        self,
        x: ArrayLike,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int | Sequence[int]] = 0,
        dilation: int | Sequence[int] = 1,
        ceil_mode: bool = False,
    ) -> R_co:
        """The maximum of each window, as PyTorch's `max_pool1d`, `max_pool2d` and `max_pool3d`.

        Args:
            x: (channels, *spatial) or (batch, channels, *spatial), real; NaN wins.
            kernel_size: the window; one entry for each spatial axis, an int for one axis.
            stride: defaults to the window.
            padding: which never wins: an int, or an int or a pair for each axis.
            dilation: distance between the samples of a window.
            ceil_mode: also keep a last window that reaches beyond the padding.

        Returns:
            (channels, *out_spatial), with a batch axis if x has one.

        Raises:
            InvalidArgument: naming what is wrong.
            Unavailable: if the server cannot be reached.

        >>> client.max_pool([[1, 5, 2, 3]], 2)
        array([[5, 3]])
        """
        return self._computed(
            translate.max_pool(x, kernel_size, stride, padding, dilation, ceil_mode)
        )

    def avg_pool(
        self,
        x: ArrayLike,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int | Sequence[int]] = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> R_co:
        """The mean of each window, as PyTorch's `avg_pool1d`, `avg_pool2d` and `avg_pool3d`.

        Args:
            x: (channels, *spatial) or (batch, channels, *spatial), floating or complex.
            kernel_size: the window; one entry for each spatial axis, an int for one axis.
            stride: defaults to the window.
            padding: of zeros: an int, or an int or a pair for each axis.
            ceil_mode: also keep a last window that reaches beyond the padding.
            count_include_pad: whether the padding counts.

        Returns:
            (channels, *out_spatial), with a batch axis if x has one.

        Raises:
            InvalidArgument: naming what is wrong.
            Unavailable: if the server cannot be reached.

        >>> client.avg_pool([[1.0, 5.0, 2.0, 3.0]], 2)
        array([[3. , 2.5]])
        """
        return self._computed(
            translate.avg_pool(x, kernel_size, stride, padding, ceil_mode, count_include_pad)
        )

    def relu(self, x: ArrayLike) -> R_co:
        """The greater of each entry and 0, as PyTorch's `relu`.

        Args:
            x: an array of any shape, real; NaN stays NaN.

        Returns:
            an array of the shape and dtype of x.

        Raises:
            InvalidArgument: naming what is wrong.
            Unavailable: if the server cannot be reached.

        >>> client.relu([-1, 2])
        array([0, 2])
        """
        return self._computed(translate.relu(x))

    def leaky_relu(self, x: ArrayLike, negative_slope: float = 0.01) -> R_co:
        """Entries above 0, and a fraction of those below, as PyTorch's `leaky_relu`.

        Args:
            x: an array of any shape, real and floating.
            negative_slope: the factor below 0.

        Returns:
            an array of the shape and dtype of x.

        Raises:
            InvalidArgument: naming what is wrong.
            Unavailable: if the server cannot be reached.

        >>> client.leaky_relu([-1.0, 2.0])
        array([-0.01,  2.  ])
        """
        return self._computed(translate.leaky_relu(x, negative_slope))

    def elu(self, x: ArrayLike, alpha: float = 1.0) -> R_co:
        """The exponential linear unit of each entry, as PyTorch's `elu`.

        Args:
            x: an array of any shape, real and floating.
            alpha: the factor of exp(x) - 1 below 0.

        Returns:
            an array of the shape and dtype of x.

        Raises:
            InvalidArgument: naming what is wrong.
            Unavailable: if the server cannot be reached.

        >>> client.elu([0.0, 2.0])
        array([0., 2.])
        """
        return self._computed(translate.elu(x, alpha))

    def gelu(self, x: ArrayLike, approximate: str = "none") -> R_co:
        """Each entry times the normal distribution function there, as PyTorch's `gelu`.

        Args:
            x: an array of any shape, real and floating.
            approximate: "none", or "tanh" for the approximation by tanh.

        Returns:
            an array of the shape and dtype of x.

        Raises:
            InvalidArgument: naming what is wrong.
            Unavailable: if the server cannot be reached.

        >>> client.gelu([0.0, 100.0])
        array([  0., 100.])
        """
        return self._computed(translate.gelu(x, approximate))

    def sigmoid(self, x: ArrayLike) -> R_co:
        """The logistic function of each entry, as PyTorch's `sigmoid`.

        Args:
            x: an array of any shape, real and floating.

        Returns:
            an array of the shape and dtype of x.

        Raises:
            InvalidArgument: naming what is wrong.
            Unavailable: if the server cannot be reached.

        >>> client.sigmoid([0.0])
        array([0.5])
        """
        return self._computed(translate.sigmoid(x))

    def tanh(self, x: ArrayLike) -> R_co:
        """The hyperbolic tangent of each entry, as PyTorch's `tanh`.

        Args:
            x: an array of any shape, real and floating.

        Returns:
            an array of the shape and dtype of x.

        Raises:
            InvalidArgument: naming what is wrong.
            Unavailable: if the server cannot be reached.

        >>> client.tanh([0.0])
        array([0.])
        """
        return self._computed(translate.tanh(x))

    def softplus(self, x: ArrayLike, beta: float = 1.0) -> R_co:
        """The logarithm of 1 + exp(beta * x), over beta, as PyTorch's `softplus`.

        It is exact everywhere; PyTorch goes over to x where beta * x exceeds 20.

        Args:
            x: an array of any shape, real and floating.
            beta: the sharpness.

        Returns:
            an array of the shape and dtype of x.

        Raises:
            InvalidArgument: naming what is wrong.
            Unavailable: if the server cannot be reached.

        >>> client.softplus([0.0, 100.0])
        array([  0.69314718, 100.        ])
        """
        return self._computed(translate.softplus(x, beta))
