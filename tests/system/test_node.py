"""A client in another language, made from the contract alone: examples/node with its packages."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from convolved.embedded import embedded_server

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "node"

# Every script begins so: `client`, the two arrays of the test, and a place for what comes back.
PRELUDE = """
import { readFileSync, writeFileSync } from "node:fs";
import { Client, explain } from "./client.js";
const floats = (name) => new Float32Array(Uint8Array.from(readFileSync(name)).buffer);
const [address, folder] = process.argv.slice(2);
const client = new Client(address);
const signal = floats(`${folder}/signal`);
const taps = floats(`${folder}/taps`);
const told = {};
const keep = (...blocks) => writeFileSync(`${folder}/output`, Buffer.concat(
  blocks.map((block) => Buffer.from(block.buffer, block.byteOffset, block.byteLength))));
"""
EPILOGUE = """
client.close();
console.log(JSON.stringify(told));
"""


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the example beside the contract, its packages installed."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("node and npm are not installed, so the example in Node.js cannot run")
    root = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "proto", root / "proto")
    folder = root / "examples" / "node"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("node_modules"))
    install = ["npm", "ci", "--no-audit", "--no-fund"]
    done = subprocess.run(install, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0 and re.search(
        "ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT", done.stderr
    ):
        pytest.skip(f"the packages of Node.js cannot be reached: {done.stderr.strip()[:200]}")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with embedded_server() as address:
        yield address


class Outcome:
    """What a script told, and the samples that it kept."""

    def __init__(self, printed: str, folder: Path) -> None:
        self.told: dict[str, Any] = json.loads(printed)
        kept = folder / "output"
        self.output = np.fromfile(kept, np.float32) if kept.exists() else np.empty(0, np.float32)


class Node:
    """Runs scripts in the example's folder."""

    def __init__(self, example: Path, address: str, folder: Path) -> None:
        self.example, self.address, self.folder = example, address, folder

    def run(self, body: str, signal: NDArray[np.float32], taps: NDArray[np.float32]) -> Outcome:
        signal.tofile(self.folder / "signal")
        taps.tofile(self.folder / "taps")
        script = self.example / "script.mjs"
        script.write_text(PRELUDE + body + EPILOGUE, encoding="utf-8")
        done = subprocess.run(
            ["node", "--unhandled-rejections=strict", script, self.address, self.folder],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return Outcome(done.stdout, self.folder)


@pytest.fixture
def node(example: Path, address: str, tmp_path: Path) -> Node:
    return Node(example, address, tmp_path)


def noise(length: int) -> NDArray[np.float32]:
    return np.random.default_rng(length).standard_normal(length).astype(np.float32)


def agree(found: NDArray[np.float32], signal: NDArray[Any], taps: NDArray[Any]) -> None:
    length = signal.size + taps.size - 1
    size = 1 << length.bit_length()
    truth = np.fft.irfft(np.fft.rfft(signal, size) * np.fft.rfft(taps, size), size)[:length]
    assert found.shape == truth.shape
    assert np.abs(found - truth).max() < 1e-5 * np.abs(truth).max()


def test_one_call_convolves_an_array(node: Node) -> None:
    signal, taps = noise(48_000), noise(700)
    outcome = node.run("keep(await client.convolve(signal, taps));", signal, taps)
    agree(outcome.output, signal, taps)


def test_a_live_stream_answers_each_block_with_all_that_it_fixes(node: Node) -> None:
    signal, taps = noise(6_400), noise(3_000)
    # The next block exists only after the output of the one before has come.
    body = """
    let answered;
    const ends = [];
    async function* blocks() {
      for (let begin = 0; begin < signal.length; begin += 64) {
        const answer = new Promise((resolve) => { answered = resolve; });
        yield signal.subarray(begin, begin + 64);
        await answer;
      }
    }
    const outputs = [];
    for await (const output of client.stream(blocks(), taps)) {
      outputs.push(output);
      ends.push(output.length);
      answered();
    }
    told.lengths = ends;
    keep(...outputs);
    """
    outcome = node.run(body, signal, taps)
    assert outcome.told["lengths"][:100] == [64] * 100
    assert sum(outcome.told["lengths"][100:]) == taps.size - 1
    agree(outcome.output, signal, taps)


def test_a_whole_signal_larger_than_any_message_streams_through(node: Node) -> None:
    signal, taps = noise(3_000_000), noise(5_000)
    body = """
    function* blocks() {
      for (let begin = 0; begin < signal.length; begin += 262144) {
        yield signal.subarray(begin, begin + 262144);
      }
    }
    const outputs = [];
    for await (const output of client.stream(blocks(), taps, signal.length)) outputs.push(output);
    keep(...outputs);
    """
    agree(node.run(body, signal, taps).output, signal, taps)


def test_an_error_tells_what_is_wrong_what_came_and_what_would_do(node: Node) -> None:
    body = """
    try { await client.convolve(signal, new Float32Array(0)); }
    catch (error) { told.error = explain(error); told.text = error.details; }
    """
    told = node.run(body, noise(10), noise(3)).told
    error = told["error"]
    assert error["status"] == error["reason"] == "INVALID_ARGUMENT"
    assert error["argument"] == "layers[0].weight"
    assert error["fields"] == ["filter.inline.layers[0].conv.weight.shape"]
    assert told["text"] == f"{error['argument']}: got {error['came']}; want {error['wanted']}"


def test_an_error_of_a_stream_tells_as_much(node: Node) -> None:
    body = """
    try { for await (const output of client.stream([signal], taps, 5)) told.came = output.length; }
    catch (error) { told.error = explain(error); }
    """
    error = node.run(body, noise(10), noise(3)).told["error"]
    assert error["status"] == "INVALID_ARGUMENT"
    assert error["reason"] == "OUT_OF_SEQUENCE"
    assert error["argument"]
    assert error["fields"]


def test_an_error_of_the_connection_is_told_without_details(node: Node, tmp_path: Path) -> None:
    body = """
    const nobody = new Client(`unix:${folder}/nobody`);
    try { await nobody.convolve(signal, taps); } catch (error) { told.error = explain(error); }
    nobody.close();
    """
    assert node.run(body, noise(10), noise(3)).told["error"] == {"status": "UNAVAILABLE"}


def test_a_stream_whose_source_fails_passes_the_failure_on(node: Node) -> None:
    body = """
    function* blocks() { yield signal; throw new Error("the microphone is gone"); }
    try { for await (const output of client.stream(blocks(), taps)) told.came = output.length; }
    catch (error) { told.text = error.message; }
    """
    assert node.run(body, noise(10), noise(3)).told["text"] == "the microphone is gone"


def test_a_stream_that_is_left_early_lets_the_program_end(node: Node) -> None:
    body = """
    function* blocks() { for (;;) yield signal; }
    for await (const output of client.stream(blocks(), taps)) { told.came = output.length; break; }
    """
    assert node.run(body, noise(1_000), noise(3)).told["came"] > 0


def test_the_packages_are_fixed_by_hash_and_bound_to_no_registry() -> None:
    wanted = json.loads((EXAMPLE / "package.json").read_text(encoding="utf-8"))["dependencies"]
    lock = json.loads((EXAMPLE / "package-lock.json").read_text(encoding="utf-8"))
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert wanted == {name: packages[f"node_modules/{name}"]["version"] for name in wanted}, (
        "package.json names exact versions, those of the lock file"
    )
    assert all(entry["integrity"].startswith("sha512-") for entry in packages.values())
    assert not any("resolved" in entry for entry in packages.values())
