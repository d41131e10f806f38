"""A plan as PlanConvolutionResponse.

Times travel as durations, to the nanosecond; everything else comes back as it was.
"""

from __future__ import annotations

from fractions import Fraction

from google.protobuf.duration_pb2 import Duration

from convolved.v1 import convolution_pb2 as pb
from convolved_vocabulary import Candidate, LayerPlan, Plan, ReceptiveField

from .tensors import data_type, numpy_dtype

__all__ = ["decode_plan", "duration", "encode_plan", "seconds"]

_GREATEST = (1 << 63) - 1
_FINEST = 1 << 16


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
        receptive_field=[
            pb.ReceptiveField(size=field.size, stride=float(field.stride), start=field.start)
            for field in plan.receptive_field
        ],
        multiply_adds=min(plan.multiply_adds, _GREATEST),
        parameters=plan.parameter_count,
        data_type=data_type(plan.output_dtype),
        predicted_time=duration(plan.predicted_seconds),
        workspace_bytes=plan.workspace_bytes,
        threads=threads,
        block_samples=block_samples,
        delay_samples=delay_samples,
    )


def decode_plan(response: pb.PlanConvolutionResponse) -> Plan:
    """The plan that a server tells."""
    return Plan(
        steps=tuple(_decode_step(step) for step in response.layers),
        output_shape=tuple(response.output_shape),
        output_dtype=numpy_dtype(response.data_type),
        receptive_field=tuple(
            # Rates of a filter are ratios of small integers, which a double tells apart.
            ReceptiveField(
                field.size, Fraction(field.stride).limit_denominator(_FINEST), field.start
            )
            for field in response.receptive_field
        ),
        multiply_adds=response.multiply_adds,
        parameter_count=response.parameters,
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
