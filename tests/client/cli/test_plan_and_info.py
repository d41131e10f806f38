"""`convolved plan` and `convolved info`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from convolved import Client
from tests.client.cli.run import RATE, convolved, noise, wav


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    return wav(tmp_path / "ir.wav", noise(2, 5000))


def test_a_plan_is_a_table_of_candidates_with_reasons(kernel: Path, address: str) -> None:
    ended = convolved("plan", kernel, "--server", address)
    assert ended.code == 0
    assert ended.err == ""
    head = next(line for line in ended.out.splitlines() if "algorithm" in line)
    assert head.split() == ["algorithm", "time", "memory", "error", "why"]
    chosen = next(line for line in ended.out.splitlines() if line.lstrip().startswith("*"))
    assert "overlap_save" in chosen
    for word in ("direct", "im2col", "multiply-adds if summed directly", "predicted"):
        assert word in ended.out
    assert max(map(len, ended.out.splitlines())) <= 100


def test_machines_get_the_plan_that_the_client_gets(
    kernel: Path, address: str, client: Client
) -> None:
    report = convolved("plan", kernel, "--server", address, "--json").report
    plan = client.plan(noise(2, 5000), (2, 60 * RATE))
    assert report["output_shape"] == list(plan.output_shape)
    assert report["predicted_seconds"] == pytest.approx(plan.predicted_seconds)
    assert [step["chosen"]["algorithm"] for step in report["steps"]] == [plan.algorithm]
    told = [one["reason"] for one in report["steps"][0]["rejected"]]
    assert told == [one.reason for one in plan.steps[0].rejected]


@pytest.mark.parametrize(
    ("options", "output_shape"),
    [
        (("--seconds", 2), [1, 2, 2 * RATE + 4999]),
        (("--seconds", 2, "--channels", 1), [1, 2, 2 * RATE + 4999]),
        (("--shape", "2,100"), [1, 2, 5099]),
        (("--shape", "100"), [1, 2, 5099]),
        (("--shape", "7,2,100"), [7, 2, 5099]),
    ],
)
def test_the_signal_is_told_in_seconds_or_numbers(
    kernel: Path, address: str, options: tuple[object, ...], output_shape: list[int]
) -> None:
    report = convolved("plan", kernel, *options, "--server", address, "--json").report
    assert report["output_shape"] == output_shape


def test_the_dtype_decides_that_of_the_output(kernel: Path, address: str) -> None:
    options = ("--dtype", "complex128", "--server", address, "--json")
    assert convolved("plan", kernel, *options).report["output_dtype"] == "complex128"


def test_with_a_block_the_plan_is_that_of_a_live_stream(kernel: Path, address: str) -> None:
    ended = convolved("plan", kernel, "--block", 64, "--server", address)
    assert "for a block of 64 samples" in ended.out
    report = convolved("plan", kernel, "--block", 64, "--server", address, "--json").report
    assert report["predicted_seconds"] < 0.01


def test_it_tells_what_separable_kernels_would_cost(tmp_path: Path, address: str) -> None:
    path = tmp_path / "matrix.npy"
    np.save(path, noise(3 * 2, 50).reshape(3, 2, 50))
    at = ("--shape", "2,1000", "--server", address)
    ended = convolved("plan", path, *at)
    told = [line.split(maxsplit=1)[1] for line in ended.out.splitlines() if "separable" in line]
    assert len(told) == 1
    assert told[0].startswith("layer 0 as depthwise and pointwise: 111,194 of 314,700 ")
    assert told[0].endswith("106 of 300 parameters")
    [report] = convolved("plan", path, *at, "--json").report["separable"]
    assert report["separable_multiply_adds"] == 1049 * (2 * 50 + 3 * 2)
    assert report["dense_parameters"] == 300


def test_with_rigor_it_is_measured(kernel: Path, address: str) -> None:
    options = ("--seconds", "0.1", "--server", address, "--json")
    [step] = convolved("plan", kernel, *options, "--rigor", "measure").report["steps"]
    assert step["chosen"]["reason"] == "fastest as measured"
    [step] = convolved("plan", kernel, *options, "--rigor", "estimate").report["steps"]
    assert step["chosen"]["reason"] == "fastest"
    ended = convolved("plan", kernel, "--rigor", "guess", "--server", address)
    assert ended.code == 2
    assert "--rigor: got 'guess'; want one of 'estimate', 'measure'" in ended.err


def test_strict_accuracy_rules_transforms_out(kernel: Path, address: str) -> None:
    options = ("--accuracy", "strict", "--server", address, "--json")
    [step] = convolved("plan", kernel, *options).report["steps"]
    assert step["chosen"]["algorithm"] != "overlap_save"


def test_an_array_needs_no_rate_if_its_signal_is_told_in_numbers(
    tmp_path: Path, address: str
) -> None:
    np.save(tmp_path / "h.npy", noise(10))
    options = ("--shape", "1,90", "--server", address, "--json")
    report = convolved("plan", tmp_path / "h.npy", *options).report
    assert report["output_shape"] == [1, 1, 99]


def test_info_tells_what_the_server_says_of_itself(address: str, client: Client) -> None:
    info = client.info()
    text = convolved("info", "--server", address).out
    for word in (info.version, info.cpu, info.transforms, "overlap_save", "float32", "4 MiB"):
        assert word in text
    report = convolved("info", "--server", address, "--json").report
    assert report["version"] == info.version
    assert report["algorithms"] == list(info.algorithms)
    assert report["limits"]["message_bytes"] == info.limits.message_bytes
