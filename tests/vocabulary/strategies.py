"""What hypothesis draws: axes, chains of axes."""

from __future__ import annotations

from hypothesis import strategies as st

from convolved_vocabulary.geometry import AxisMap, Pointwise, Sliding, Spreading

BOUNDARIES = ("zeros", 0.5, "reflect", "symmetric", "edge", "wrap")


def convolving(
    boundaries: tuple[str | float, ...] = BOUNDARIES, most: int = 4
) -> st.SearchStrategy[Sliding]:
    """Axes of a Conv, with pads shorter and longer than the kernel."""
    small = st.integers(1, most)
    pads = st.one_of(st.just(0), st.integers(0, 2 * most))
    return st.builds(
        Sliding,
        size=small,
        stride=small,
        dilation=st.integers(1, 3),
        before=pads,
        after=pads,
        boundary=st.sampled_from(boundaries),
    )


@st.composite
def pooling(draw: st.DrawFn) -> Sliding:
    """Axes of a Pool, whose padding is shorter than its window."""
    size, dilation = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    pads = st.integers(0, dilation * (size - 1))
    return Sliding(
        size=size,
        stride=draw(st.integers(1, 5)),
        dilation=dilation,
        before=draw(pads),
        after=draw(pads),
        ceil=draw(st.booleans()),
    )


@st.composite
def spreading(draw: st.DrawFn, dense: bool = False) -> Spreading:
    """Axes of a ConvTranspose; dense ones have no output without an input, and cut off at the
    end only what the next input would still have changed."""
    stride = draw(st.integers(1, 4))
    dilation = 1 if dense else draw(st.integers(1, 3))
    size = draw(st.integers(stride, stride + 3)) if dense else draw(st.integers(1, 5))
    extra = 0 if dense else draw(st.integers(0, max(stride, dilation) - 1))
    after = draw(st.integers(0, size - stride if dense else 4))
    return Spreading(size, stride, dilation, draw(st.integers(0, 4)), after, extra)


def any_map() -> st.SearchStrategy[AxisMap]:
    return st.one_of(convolving(), pooling(), spreading(), st.just(Pointwise()))


def chains(longest: int = 5) -> st.SearchStrategy[list[AxisMap]]:
    return st.lists(any_map(), min_size=1, max_size=longest)
