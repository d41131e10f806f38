"""A plan as PlanConvolutionResponse.

Times travel as durations, to the nanosecond; everything else comes back as it was.
"""

from __future__ import annotations

from fractions import Fraction

from google.protobuf.duration_pb2 import Duration

from convolved.v1 import convolution_pb2 as pb
from convolved_vocabulary import Candidate, LayerPlan, Plan, ReceptiveField, Separated

from .tensors import data_type, numpy_dtype

__all__ = [
    "decode_field",
    "decode_plan",
    "duration",
    "encode_field",
    "encode_plan",
    "seconds",
]

_GREATEST = (1 << 63) - 1
_FINEST = 1 << 16
_FORMS: dict[str, pb.SeparableForm.ValueType] = {
    "depthwise": pb.SEPARABLE_FORM_DEPTHWISE,
    "axes": pb.SEPARABLE_FORM_AXES,
}
_WORDS = {number: form for form, number in _FORMS.items()}


def duration(value: float) -> Duration:
    """Seconds as a Duration, to the nanosecond."""
    nanoseconds = round(value * 1e9)
    return Duration(seconds=nanoseconds // 10**9, nanos=nanoseconds % 10**9)


def seconds(value: Duration) -> float:
    """A Duration in seconds."""
    return float(Fraction(value.seconds) + Fraction(value.nanos, 10**9))


def encode_plan(
    plan: Plan, *, threads: int = 0, block_samples: int = 0, delay_samples: float = 0.0
) -> pb.PlanConvolutionResponse:
    """A plan and what the wire says beside it.

    Args:
        plan: the plan; its output shape is written as it stands.
        threads: that the prediction counts on.
        block_samples: the block of the stream planned for, 0 for a whole array.
        delay_samples: of that stream.
    """
    return pb.PlanConvolutionResponse(
        layers=[_encode_step(step) for step in plan.steps],
        output_shape=plan.output_shape,
        receptive_field=map(encode_field, plan.receptive_field),
        multiply_adds=min(plan.multiply_adds, _GREATEST),
        parameters=plan.parameter_count,
        data_type=data_type(plan.output_dtype),
        predicted_time=duration(plan.predicted_seconds),
        workspace_bytes=plan.workspace_bytes,
        threads=threads,
        block_samples=block_samples,
        delay_samples=delay_samples,
        separable=map(_encode_separated, plan.separable),
    )


def decode_plan(response: pb.PlanConvolutionResponse) -> Plan:
    """The plan that a server tells."""
    return Plan(
        steps=tuple(_decode_step(step) for step in response.layers),
        output_shape=tuple(response.output_shape),
        output_dtype=numpy_dtype(response.data_type),
        receptive_field=tuple(map(decode_field, response.receptive_field)),
        multiply_adds=response.multiply_adds,
        parameter_count=response.parameters,
        # A form that a later server knows is left out, as are other numbers from later servers.
        separable=tuple(
            _decode_separated(each) for each in response.separable if each.form in _WORDS
        ),
    )


def encode_field(field: ReceptiveField) -> pb.ReceptiveField:
    """A receptive field along one axis."""
    return pb.ReceptiveField(size=field.size, stride=float(field.stride), start=field.start)


def decode_field(field: pb.ReceptiveField) -> ReceptiveField:
    """The receptive field that a server tells."""
    # Rates of a filter are ratios of small integers, which a double tells apart.
    stride = Fraction(field.stride).limit_denominator(_FINEST)
    return ReceptiveField(field.size, stride, field.start)


def _encode_separated(each: Separated) -> pb.Separated:
    return pb.Separated(
        layer=each.layer,
        form=_FORMS[each.form],
        dense_multiply_adds=min(each.dense_multiply_adds, _GREATEST),
        separable_multiply_adds=min(each.separable_multiply_adds, _GREATEST),
        dense_parameters=each.dense_parameters,
        separable_parameters=each.separable_parameters,
    )


def _decode_separated(each: pb.Separated) -> Separated:
    return Separated(
        layer=each.layer,
        form=_WORDS[each.form],
        dense_multiply_adds=each.dense_multiply_adds,
        separable_multiply_adds=each.separable_multiply_adds,
        dense_parameters=each.dense_parameters,
        separable_parameters=each.separable_parameters,
    )


def _encode_step(step: LayerPlan) -> pb.LayerPlan:
    return pb.LayerPlan(
        layers=step.layers,
        problem=step.problem,
        chosen=_encode_candidate(step.chosen),
        rejected=[_encode_candidate(candidate) for candidate in step.rejected],
    )


def _decode_step(step: pb.LayerPlan) -> LayerPlan:
    return LayerPlan(
        layers=tuple(step.layers),
        problem=step.problem,
        chosen=_decode_candidate(step.chosen),
        rejected=tuple(_decode_candidate(candidate) for candidate in step.rejected),
    )


def _encode_candidate(candidate: Candidate) -> pb.Candidate:
    predicted = candidate.predicted_seconds
    return pb.Candidate(
        algorithm=candidate.algorithm,
        parameters=dict(candidate.parameters),
        predicted_time=None if predicted is None else duration(predicted),
        workspace_bytes=candidate.workspace_bytes,
        relative_error=candidate.relative_error,
        reason=candidate.reason,
    )


def _decode_candidate(candidate: pb.Candidate) -> Candidate:
    timed = candidate.HasField("predicted_time")
    return Candidate(
        algorithm=candidate.algorithm,
        parameters=tuple(sorted(candidate.parameters.items())),
        predicted_seconds=seconds(candidate.predicted_time) if timed else None,
        workspace_bytes=candidate.workspace_bytes,
        relative_error=candidate.relative_error,
        reason=candidate.reason,
    )
