"""Every setting of the server, in one value.

A setting is looked for in this order: the flags of the command line, the environment
(`CONVOLVED_` and the name in capitals), a TOML file (`--config` or `CONVOLVED_CONFIG`), the
default. A name that no setting has is refused in flags and file; the environment is shared with
clients, and with what a cluster puts there, so that unknown names in it are only reported.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import ByteSize, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from convolved_vocabulary import InvalidArgument

__all__ = ["Settings", "flag_of", "load", "unknown_in_environment"]

PREFIX = "CONVOLVED_"

# What clients, the command line and the engine read from the environment.
_OTHERS = {"CONVOLVED_CACHE", "CONVOLVED_SERVER", "CONVOLVED_TOKEN"}

_MIB = 1 << 20


class Settings(BaseSettings):
    """What an operator can set; sizes may be written as `256MiB`.

    >>> Settings(listen="unix:/run/convolved.sock", filter_bytes="8MiB").filter_bytes
    8388608
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="forbid", frozen=True, allow_inf_nan=False
    )

    config: Path | None = Field(None, description="a TOML file with settings")
    listen: str = Field(
        "127.0.0.1:50051",
        description="where to listen: HOST:PORT (port 0 for any free one) or unix:PATH",
    )
    until_stdin_closes: bool = Field(
        False, description="stop when standard input closes, as a child process should"
    )
    threads: int | None = Field(
        None, ge=1, le=1024, description="threads that compute; default: the cores available"
    )
    constants: str | None = Field(
        None,
        description="the file of constants by which times are predicted, or builtin; default: "
        "what convolved calibrate found here, else what is built in",
    )
    rigor: Literal["estimate", "measure"] = Field(
        "estimate",
        description="measure: time the plausible algorithms once for each new problem, a second "
        "or more, instead of predicting",
    )
    memory_bytes: ByteSize | None = Field(
        None,
        ge=16 * _MIB,
        description="memory for requests and streams in flight, beyond which they are refused; "
        "default: half of what the process may have",
    )
    store_bytes: ByteSize | None = Field(
        None,
        ge=0,
        description="all registered filters together; default: a quarter of what the process "
        "may have",
    )
    filter_bytes: ByteSize = Field(
        ByteSize(256 * _MIB), ge=1, description="the tensors of one filter together"
    )
    filter_layers: int = Field(256, ge=1, le=10_000, description="the layers of one filter")
    frame_bytes: ByteSize = Field(
        ByteSize(_MIB),
        ge=16,
        le=_MIB,
        description="one sample of a stream, in or out; at most 1 MiB",
    )
    whole_signal_bytes: ByteSize = Field(
        ByteSize(256 * _MIB),
        ge=1,
        description="the input of a stream that must be held whole (wrap along time)",
    )
    gradient_bytes: ByteSize = Field(
        ByteSize(256 * _MIB),
        ge=1,
        description="the tensors of one call for gradients, in and out together",
    )
    streams: int = Field(4096, ge=1, description="streams at one time")
    queue_seconds: float = Field(
        10.0,
        gt=0,
        description="predicted work, in seconds for each thread, that may wait; more is refused",
    )
    idle_timeout_seconds: float = Field(
        300.0, ge=0, description="how long a stream may be silent; 0: for ever"
    )
    stream_lifetime_seconds: float = Field(
        0.0, ge=0, description="after how long a stream is asked to resume elsewhere; 0: never"
    )
    grace_seconds: float = Field(
        25.0, ge=0, description="how long calls in flight may go on after SIGTERM"
    )
    warm_up_seconds: float = Field(
        1.5,
        ge=0,
        description="how long compiling may put off the start; what is left goes on beside it",
    )
    keepalive_seconds: float = Field(
        20.0, ge=1, description="a silent connection is asked for life after this long"
    )
    ping_timeout_seconds: float = Field(
        10.0, ge=1, description="a connection that does not answer that is closed after this long"
    )
    handshake_seconds: float = Field(
        10.0, ge=0.1, description="a new connection that says nothing is closed after this long"
    )
    reflection: bool = Field(True, description="offer gRPC server reflection")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="what is logged, on standard error"
    )
    log_format: Literal["auto", "text", "json"] = Field(
        "auto", description="auto: text on a terminal, else JSON"
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic names them all
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the same
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags, environment, file: the first that states a setting decides it."""
        given = init_settings()
        path = given.get("config") or env_settings().get("config")
        file = TomlConfigSettingsSource(settings_cls, Path(path) if path else None)
        return init_settings, env_settings, file


def load(flags: Mapping[str, Any] | None = None) -> Settings:
    """The settings, where `flags` states those that the command line gave.

    Raises:
        InvalidArgument: naming the setting, what it was and what would do.

    >>> load({"listen": "127.0.0.1:0"}).grace_seconds
    25.0
    """
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    path = given.get("config") or os.environ.get(PREFIX + "CONFIG")
    if path:
        _check_file(Path(path))
    try:
        return Settings(**given)
    except ValidationError as error:
        raise _told(error, given) from None


def flag_of(name: str) -> str:
    """The flag of a setting.

    >>> flag_of("grace_seconds")
    '--grace-seconds'
    """
    return "--" + name.replace("_", "-")


def unknown_in_environment() -> list[str]:
    """Variables of our prefix that no setting reads: perhaps misspelled."""
    known = {PREFIX + name.upper() for name in Settings.model_fields} | _OTHERS
    return sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known)


def _check_file(path: Path) -> None:
    try:
        tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidArgument("config", f"{path} ({error})", "a readable TOML file") from error


def _told(error: ValidationError, flags: Mapping[str, Any]) -> InvalidArgument:
    """The first complaint, naming the setting in the way in which it was given."""
    first = error.errors()[0]
    name = str(first["loc"][0])
    if name not in Settings.model_fields:
        return InvalidArgument(name, "a setting that is not known", _known())
    written = name
    if name in flags:
        written = flag_of(name)
    elif PREFIX + name.upper() in os.environ:
        written = PREFIX + name.upper()
    wish = first["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    return InvalidArgument(written, repr(first["input"]), wish)


def _known() -> str:
    return "one of " + ", ".join(Settings.model_fields)
