"""A voice in a hall: a recording goes through a server, over gRPC, and comes out convolved.

    python examples/demo.py [FOLDER]

writes wet.wav and wet.png to FOLDER, by default demo-out beside this folder. What it does is what
a program of yours would do: connect, register, apply.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.table import Table

from convolved import Candidate, Client, Plan, audio, impulse_response
from convolved.picture import before_and_after

HERE = Path(__file__).resolve().parent
VOICE, HALL = HERE / "data" / "voice.flac", HERE / "data" / "hall.wav"

out = Console(highlight=False, emoji=False)


def main(folder: Path) -> None:
    out.print("\n[bold]A voice in a hall[/bold]")
    voice, hall = audio.read(VOICE), audio.read(HALL)
    tell("voice", f"{shown(VOICE)}: {samples(voice.samples)}")
    tell("hall", f"{shown(HALL)}: {samples(hall.samples)}; a click in a room")

    step("Start a server: a child process on a Unix socket")
    begun = time.perf_counter()
    progress = Progress(
        TextColumn("   over gRPC"), BarColumn(50), TaskProgressColumn(), console=out
    )
    task = progress.add_task("")
    client = Client.embedded(
        progress=lambda done, total: progress.update(task, completed=done, total=total)
    )
    with client:
        info = client.info()
        tell("ready", f"after {time.perf_counter() - begun:.1f} s: convolved {info.version}")
        tell("on", f"{info.cpu}, {info.threads} threads, {info.transforms}")

        step("Register the hall as a filter, from mono to stereo")
        filter = impulse_response(hall.samples, spread=True, sample_rate_hertz=48_000)
        handle = client.register(filter)
        tell("name", f"{handle.name[:20]}..., made from its content: the same everywhere")

        step("Ask the server how it would do it, and why")
        plan = client.plan(handle, voice.samples.shape)
        show(plan)

        step("Convolve")
        begun = time.perf_counter()
        with progress:
            wet = client.apply(voice.samples, handle, sample_rate_hertz=48_000)
        seconds = time.perf_counter() - begun
        length = voice.samples.shape[-1] / 48_000
        tell("time", f"{length:.1f} s of voice in {seconds:.2f} s")
        tell("speed", f"[bold]{length / seconds:.0f} times real time[/bold]")

    step("Write what came back")
    folder.mkdir(parents=True, exist_ok=True)
    fit = audio.write(folder / "wet.wav", wet, 48_000)
    tell("sound", f"[bold]{shown(folder / 'wet.wav')}[/bold]: {samples(wet)}, float32, {fit}")
    before_and_after(voice.samples, wet, 48_000, folder / "wet.png", title="A voice in a hall")
    tell("picture", f"[bold]{shown(folder / 'wet.png')}[/bold]: before and after")

    command = Path(sys.executable).parent / "convolved"
    out.print("\nListen to the one, look at the other. The same from the command line:\n")
    out.print(f"  {shown(command)} apply {shown(VOICE)} \\\n    {shown(HALL)} wet.wav\n")


def step(title: str) -> None:
    out.print(f"\n[bold cyan]>[/bold cyan] [bold]{title}[/bold]")


def tell(label: str, text: str) -> None:
    out.print(f"  [dim]{label:<8}[/dim] {text}", soft_wrap=True)


def show(plan: Plan) -> None:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("  algorithm")
    table.add_column("predicted", justify="right")
    table.add_column("memory", justify="right")
    table.add_column("why")
    [layer] = plan.steps
    table.add_row(*row(layer.chosen, "*"), style="bold green")
    for candidate in layer.rejected:
        table.add_row(*row(candidate, " "))
    out.print(table)
    tell("instead", f"of {plan.multiply_adds / 1e9:.0f} billion multiply-adds, summed one by one")


def row(candidate: Candidate, mark: str) -> tuple[str, str, str, str]:
    if candidate.predicted_seconds is None:
        return f"{mark} {candidate.algorithm}", "", "", candidate.reason
    return (
        f"{mark} {candidate.algorithm}",
        f"{candidate.predicted_seconds * 1e3:,.0f} ms",
        f"{candidate.workspace_bytes / 2**20:.0f} MiB",
        candidate.reason,
    )


def samples(x: NDArray[np.floating]) -> str:
    channels = {1: "mono", 2: "stereo"}[len(x)]
    return f"{x.shape[-1] / 48_000:.1f} s, {channels}, 48 kHz"


def shown(path: Path) -> str:
    """Return a path as one would type it here."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent / "demo-out")
