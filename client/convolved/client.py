"""The sync client."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from numpy.typing import ArrayLike, DTypeLike, NDArray

from convolved.channel import checked_timeout
from convolved.embedded import EmbeddedServer
from convolved.functions import Functions
from convolved.registered import FilterInfo, RegisteredFilter, ServerInfo
from convolved.session.calls import AnyFilter, Session
from convolved.session.resuming import ResumeEvent, Resuming
from convolved.stream import Stream
from convolved.transport import Transport
from convolved_vocabulary import Filter, Gradients, Layer, Plan
from convolved_vocabulary.call import Call

__all__ = ["Client"]


class Client(Functions[NDArray[Any]]):
    """A convolution service, array in, array out. It may be used from several threads.

    Nothing is connected before it is needed. Use it as a context manager, or `close` it.

    Args:
        target: `HOST:PORT` or `unix:PATH`, or several of them: when one is lost the next is used.
        token: sent with every call, for servers that demand one.
        timeout: seconds that a call may take, all its attempts together; a whole `apply` of a
            streamed signal counts as a call, and so does one push of a stream. None for as long
            as the server is there.
        progress: called with the output samples received and their total, while a signal that
            does not fit one message goes through.
        resume: go on by itself when a server that has answered before is lost, or one has no
            room for the moment: streams where they stand, each output sample once; calls from
            their beginning.
        resume_timeout: seconds without progress after which a loss is told all the same.
        on_resume: called with a `ResumeEvent` before each attempt; the logger `convolved` tells
            the same.

    Raises:
        InvalidArgument: if the target or a timeout is none.

    >>> import numpy as np
    >>> with Client.embedded() as client:
    ...     hall = client.register(np.array([1.0, 0.5], np.float32))
    ...     wet = client.apply(np.ones(4, np.float32), hall)
    ...     with client.stream(hall) as live:
    ...         blocks = live.push(np.ones(4, np.float32)), live.flush()[0]
    >>> wet
    array([1. , 1.5, 1.5, 1.5, 0.5], dtype=float32)
    >>> blocks
    (array([1. , 1.5, 1.5, 1.5], dtype=float32), array([0.5], dtype=float32))
    """

    def __init__(
        self,
        target: str | Sequence[str] = "127.0.0.1:50051",
        *,
        token: str | None = None,
        timeout: float | None = None,
        progress: Callable[[int, int], object] | None = None,
        resume: bool = True,
        resume_timeout: float = 30.0,
        on_resume: Callable[[ResumeEvent], object] | None = None,
    ) -> None:
        self._resuming = Resuming(resume, resume_timeout, on_resume)
        self._transport = Transport(target, token, timeout, self._resuming)
        self._session = Session(progress)
        self._server: EmbeddedServer | None = None

    @classmethod
    def embedded(
        cls,
        *,
        timeout: float | None = None,
        progress: Callable[[int, int], object] | None = None,
    ) -> Client:
        """Start a server as a child process, which ends with the client, and connect to it.

        Args:
            timeout: as of `Client`.
            progress: as of `Client`.

        Raises:
            InvalidArgument: if the timeout is none.
            MissingExtra: if the server is not installed.
            Unavailable: if it does not come to serve.
        """
        checked_timeout(timeout)
        server = EmbeddedServer()
        client = cls(server.address, timeout=timeout, progress=progress)
        client._server = server
        client._resuming.hopeless = server.ended
        return client

    @property
    def target(self) -> str:
        """The address of the server that is used."""
        return self._transport.target

    @property
    def resumes(self) -> int:
        """How often a call or a stream was taken up again after a loss."""
        return self._resuming.resumes

    def apply(
        self,
        x: ArrayLike,
        filter: AnyFilter,
        *,
        sample_rate_hertz: float | None = None,
        accuracy: str = "fast",
        algorithm: str = "auto",
        rigor: str | None = None,
    ) -> NDArray[Any]:
        """Apply a filter to a signal of any length.

        What does not fit one message is streamed in blocks, read from `x` where it lies and
        written straight into the result: beyond these two no memory is needed, and `x` may be
        mapped from a file or strided. A filter that is not registered goes along with each
        message, or each stream.

        Args:
            x: (channels, *spatial) or (batch, channels, *spatial), time last; a bare spatial
                array is one channel, which is left out of the result if one comes out.
            filter: what `register` returned, a filter's name, a filter, a layer, or the array
                of an impulse response.
            sample_rate_hertz: of the signal, if the filter's rate shall be checked.
            accuracy: "fast" or "strict"; see `Options`.
            algorithm: the name of an algorithm, or "auto".
            rigor: "estimate", "measure", or None for the setting; see `Options`.

        Returns:
            an array laid out as `x`; its dtype follows from x and the filter.

        Raises:
            InvalidArgument: naming what is wrong with the signal or the filter.
            NotFound: if the server holds no filter of that name.
            ResourceExhausted: if a limit of the server is exceeded.
            Unavailable: if the server cannot be reached, or is lost.

        >>> client.apply([1.0, 0.0, 0.0], [1.0, 0.5])
        array([1. , 0.5, 0. , 0. ])
        """
        steps = self._session.apply(x, filter, sample_rate_hertz, accuracy, algorithm, rigor)
        return self._transport.run(steps)

    def gradients(
        self,
        x: ArrayLike,
        filter: AnyFilter,
        grad_out: ArrayLike,
        *,
        sample_rate_hertz: float | None = None,
        accuracy: str = "fast",
        algorithm: str = "auto",
        rigor: str | None = None,
    ) -> Gradients:
        """Say how a loss changes with the input and with every parameter of a filter.

        Among equal maxima of a pool the first takes the gradient. Complex gradients follow
        PyTorch: dL/d(real) + i * dL/d(imaginary). What does not fit one message goes in pieces,
        up to the server's `gradient_bytes`.

        Args:
            x: the input at which the gradients are taken, as `apply` takes it; floating or
                complex.
            filter: what `register` returned, a filter's name, a filter, a layer, or the array
                of an impulse response.
            grad_out: the gradient of the loss with respect to the output, of the output's shape
                and dtype.
            sample_rate_hertz: of the signal, if the filter's rate shall be checked.
            accuracy: "fast" or "strict"; see `Options`.
            algorithm: the name of an algorithm, or "auto".
            rigor: "estimate", "measure", or None for the setting; see `Options`.

        Returns:
            `input`, laid out as `x`, and `layers`: for each layer one mapping of names to arrays.

        Raises:
            InvalidArgument: naming what is wrong.
            NotFound: if the server holds no filter of that name.
            ResourceExhausted: if a limit of the server is exceeded.
            Unavailable: if the server cannot be reached, or is lost.

        >>> found = client.gradients([1.0, 2.0, 4.0], [3.0, 5.0], [1.0, 1.0, 1.0, 1.0])
        >>> found.input, found.layers[0]["weight"]
        (array([8., 8., 8.]), array([[[7., 7.]]]))
        """
        steps = self._session.gradients(
            x, filter, grad_out, sample_rate_hertz, accuracy, algorithm, rigor
        )
        return self._transport.run(steps)

    def stream(
        self,
        filter: AnyFilter,
        *,
        channels: int = 1,
        size: Sequence[int] = (),
        dtype: DTypeLike = "float32",
        block: int = 512,
        sample_rate_hertz: float | None = None,
        accuracy: str = "fast",
        algorithm: str = "auto",
        rigor: str | None = None,
        history: int = 0,
    ) -> Stream:
        """Open a stream: push blocks of a signal, get back what they fix.

        Args:
            filter: what `register` returned, a filter's name, a filter, a layer, or the array
                of an impulse response.
            channels: of the input.
            size: the spatial axes before time: () for audio, (height,) for spectrograms.
            dtype: of the input.
            block: samples that usually come at a time; blocks of any length are taken.
            sample_rate_hertz: of the signal, if the filter's rate shall be checked.
            accuracy: "fast" or "strict"; see `Options`.
            algorithm: the name of an algorithm, or "auto".
            rigor: "estimate", "measure", or None for the setting; see `Options`.
            history: past input samples to keep for filters that are swapped in later; as far as
                this filter reaches is kept anyway.

        Returns:
            a `Stream`, to be closed.

        Raises:
            InvalidArgument: naming what is wrong; a filter with "wrap" along time cannot stream.
            NotFound: if the server holds no filter of that name.
            ResourceExhausted: if the server has no room for another stream.
            Unavailable: if the server cannot be reached.

        >>> with client.stream([1.0, 0.5], dtype="float64") as live:
        ...     live.push([1.0, 1.0]), live.flush()
        (array([1. , 1.5]), array([[0.5]]))
        """
        steps = self._session.stream(
            filter,
            channels,
            size,
            dtype,
            block,
            sample_rate_hertz,
            accuracy,
            algorithm,
            rigor,
            history,
        )
        live, pipe = self._transport.run(steps)
        return Stream(
            self._transport,
            live,
            pipe,
            lambda lost: self._transport.run(self._session.open(live), lost),
            lambda wish: self._transport.run(self._session.successor(wish)),
        )

    def plan(
        self,
        filter: AnyFilter,
        shape: Sequence[int],
        *,
        dtype: DTypeLike = "float32",
        block: int | None = None,
        accuracy: str = "fast",
        algorithm: str = "auto",
        rigor: str | None = None,
    ) -> Plan:
        """Say how the server would apply a filter to a signal of `shape`, and why so.

        A filter of more than 4 MiB is registered for that.

        Args:
            filter: what `register` returned, a filter's name, a filter, a layer, or the array
                of an impulse response.
            shape: as `apply` takes it: spatial, (channels, *spatial) or (batch, channels,
                *spatial).
            dtype: of the signal.
            block: plan a live stream with blocks of this many samples instead.
            accuracy: "fast" or "strict"; see `Options`.
            algorithm: the name of an algorithm, or "auto".
            rigor: "estimate", "measure", or None for the setting; see `Options`.

        Returns:
            a plan, which prints itself.

        Raises:
            InvalidArgument: naming what is wrong.
            NotFound: if the server holds no filter of that name.
            Unavailable: if the server cannot be reached.

        >>> client.plan([1.0, 0.5], (2, 1000)).output_shape
        (1, 2, 1001)
        """
        steps = self._session.plan(filter, shape, dtype, block, accuracy, algorithm, rigor)
        return self._transport.run(steps)

    def register(
        self,
        filter: Filter | Layer | RegisteredFilter | ArrayLike,
        *,
        spread: bool = False,
        sample_rate_hertz: float | None = None,
    ) -> RegisteredFilter:
        """Let the server hold a filter of any size; the same filter again is the same name.

        Args:
            filter: a filter, a layer, or an impulse response: (n), (channels, n) or
                (out, in, n); see `impulse_response`.
            spread: for an impulse response (c, n): from one channel to c.
            sample_rate_hertz: of an impulse response, if signals of another rate shall be
                refused.

        Returns:
            a handle, taken wherever a filter is. It keeps the weights: a server that has lost
            the filter is given it again.

        Raises:
            InvalidArgument: naming what is wrong.
            ResourceExhausted: if the filter is too large for the server.
            Unavailable: if the server cannot be reached.

        >>> str(client.register([1.0, 0.5]))
        'filters/1c4514d86825bb38004ecee90b6a15d05303ece26e3a0b458e9d1e56bd1b1210'
        """
        return self._transport.run(self._session.register(filter, spread, sample_rate_hertz))

    def filters(self) -> list[FilterInfo]:
        """Describe the filters that the server holds for this caller, in the order of names.

        Raises:
            Unavailable: if the server cannot be reached.

        >>> hall = client.register([1.0, 0.5])
        >>> hall.name in [each.name for each in client.filters()]
        True
        """
        return self._transport.run(self._session.filters())

    def get_filter(self, filter: RegisteredFilter | str) -> FilterInfo:
        """Describe one filter.

        Args:
            filter: its handle or name.

        Raises:
            NotFound: if the server does not hold it.
            Unavailable: if the server cannot be reached.

        >>> hall = client.register([1.0, 0.5])
        >>> client.get_filter(hall).layers
        ('Conv(weight=float64[1, 1, 2], padding=((1, 1),), flip=True)',)
        """
        return self._transport.run(self._session.get_filter(filter))

    def delete_filter(self, filter: RegisteredFilter | str, *, allow_missing: bool = False) -> None:
        """Let the server forget a filter; calls and streams that use it go on.

        Args:
            filter: its handle or name.
            allow_missing: succeed also if the server does not hold it.

        Raises:
            NotFound: if the server does not hold it.
            Unavailable: if the server cannot be reached.

        >>> client.delete_filter(client.register([1.0, 0.5]))
        """
        self._transport.run(self._session.delete_filter(filter, allow_missing))

    def info(self) -> ServerInfo:
        """Describe the server: version, abilities, limits.

        Raises:
            Unavailable: if the server cannot be reached.

        >>> client.info().limits.message_bytes
        4194304
        """
        return self._transport.run(self._session.info())

    def _computed(self, call: Call) -> NDArray[Any]:
        return self._transport.run(self._session.computed(call))

    def close(self) -> None:
        """End its streams, the connection, and the server if it is embedded. May be repeated."""
        self._transport.close()
        if self._server is not None:
            self._server.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
