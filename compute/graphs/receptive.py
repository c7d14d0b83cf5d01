"""Receptive fields along one axis: which outputs a change reaches, and what those depend on.

The algebra of incremental inference (Nakandala, Kumar and Papakonstantinou, "Incremental and
Approximate Inference for Faster Occlusion-based Deep CNN Explanations", SIGMOD 2019), with one
difference: a window that lies at the border of an image is cut off there, so that a layer's own
zero padding stands where it stands for the whole image.
"""

from __future__ import annotations

from dataclasses import dataclass

Span = tuple[int, int]
"""Indices from the first up to, and without, the second."""

EMPTY: Span = (0, 0)


@dataclass(frozen=True)
class Field:
    """Output o depends on inputs ``o * step + low`` to ``o * step + high``, both included.

    Of n inputs there are ``(n + more) // step`` outputs. The default is that of an operator that
    looks at one element alone.
    """

    step: int = 1
    low: int = 0
    high: int = 0
    more: int = 0

    @classmethod
    def of_kernel(cls, size: int, *, stride: int, dilation: int, pads: tuple[int, int]) -> Field:
        """Return the field of a convolution or pooling; ``pads`` in front and behind."""
        reach = (size - 1) * dilation
        return cls(stride, -pads[0], reach - pads[0], sum(pads) - reach - 1 + stride)

    def after(self, first: Field) -> Field:
        """Return the field of this operator on what ``first`` gives, in inputs of ``first``."""
        return Field(
            self.step * first.step,
            self.low * first.step + first.low,
            self.high * first.step + first.high,
            self.more * first.step + first.more,
        )

    def joined(self, other: Field) -> Field | None:
        """Return the field of what depends on both.

        None where they move at different steps, or where of some windows one gives more outputs
        than the other: of the image as it is both may give as many.
        """
        if (self.step, self.more) != (other.step, other.more):
            return None
        return Field(self.step, min(self.low, other.low), max(self.high, other.high), self.more)

    def reached(self, changed: Span, outputs: int) -> Span:
        """Return which of ``outputs`` outputs may change where the inputs ``changed`` do."""
        start, stop = changed
        if start >= stop:
            return EMPTY
        first = max(-((self.high - start) // self.step), 0)  # rounded up
        last = min((stop - 1 - self.low) // self.step, outputs - 1)
        return (first, last + 1) if first <= last else EMPTY

    def window(self, wanted: Span, inputs: int) -> Span:
        """Return the inputs that the outputs ``wanted`` depend on, of ``inputs`` there are.

        It begins at a multiple of the step: an operator that is given the window alone answers for
        output o at index ``o - start / step``, and the same as for the whole input.
        """
        start, stop = wanted
        if start >= stop:
            return EMPTY
        first = max(start * self.step + self.low, 0) // self.step * self.step
        return first, min((stop - 1) * self.step + self.high + 1, inputs)
