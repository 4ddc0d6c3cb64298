"""All settings: flags over CONVSCOPE_* environment variables over these defaults, read once."""

from pathlib import Path
from typing import Annotated, get_args

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.device import Device
from service.logs import LogFormat, LogLevel
from service.policy import PolicyName

ENV_PREFIX = "CONVSCOPE_"
Seconds = Annotated[float, Field(gt=0, le=86_400)]


class Settings(BaseSettings):
    """What the operator decides; all but the secrets are flags of `convscope serve`."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, frozen=True, extra="ignore")

    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 for all.")
    port: Annotated[int, Field(ge=0, le=65535)] = Field(
        8000, description="Port to listen on; 0 takes any free one."
    )
    models_dir: Path = Field(
        Path("models"), description="Folder that holds <name>/<version>/ for every model."
    )
    default_model: str | None = Field(
        None,
        description="Models for requests that name none, separated by commas: the first that does "
        "the task; unset, the only one if there is only one.",
    )
    policy: PolicyName = Field(
        "all", description="Versions that are served: the highest, all of them, or the pinned."
    )
    pins: str | None = Field(
        None,
        description="Under pinned, such as cifar10=3,digits=1; other models serve the highest.",
    )
    watch_s: Annotated[float, Field(ge=0)] = Field(
        0, description="Seconds between looks for new, changed and removed versions; 0: none."
    )
    custom_ops: Path | None = Field(
        None, description="Shared library with operators that ONNX Runtime lacks; it runs as us."
    )
    device: Device = Field(
        "auto", description="auto takes CUDA when it really works; cuda never falls back."
    )
    gpu: Annotated[int, Field(ge=0)] = Field(0, description="Which GPU, counted from 0.")
    gpu_memory_bytes: Annotated[int, Field(ge=0)] = Field(
        0, description="GPU memory that one model may take, weights included; 0: no limit."
    )
    tensorrt_cache: Path | None = Field(
        None, description="Use TensorRT, and keep the engines that it builds in this folder."
    )
    processes: Annotated[int, Field(ge=1, le=1024)] = Field(
        1, description="Server processes behind the port; several are for small nets on the CPU."
    )
    threads: Annotated[int, Field(ge=0, le=1024)] = Field(
        0,
        description="CPU threads for computing in each process; 0: the CPU quota, shared out.",
    )
    runners: Annotated[int, Field(ge=0, le=1024)] = Field(
        0, description="Pieces of work done at once; 0: as many as threads, so that none waits."
    )
    max_batch_size: Annotated[int, Field(ge=1)] = Field(
        32, description="Pictures or sounds of one model that are run together at most."
    )
    max_queue: Annotated[int, Field(ge=1)] = Field(
        32,
        description="Files, or tensors of a batch, that may wait for a model; more get 503.",
    )
    max_queue_delay_ms: Annotated[float, Field(ge=0)] = Field(
        0, description="How long a file is held back for company; 0: never."
    )
    request_timeout_ms: Annotated[float, Field(gt=0)] = Field(
        30_000, description="An answer is given up after this, or x-request-timeout-ms if less."
    )
    shutdown_delay_s: Annotated[float, Field(ge=0)] = Field(
        0, description="After SIGTERM requests are still taken so long, with /readyz at 503."
    )
    shutdown_grace_s: Annotated[float, Field(gt=0)] = Field(
        30, description="After that, what was accepted has so long to be answered."
    )
    max_body_bytes: Annotated[int, Field(ge=1)] = Field(
        32 * 1024 * 1024, description="Largest request body."
    )
    max_files: Annotated[int, Field(ge=1)] = Field(
        64, description="Most files in one multipart request."
    )
    max_inflight_bytes: Annotated[int, Field(ge=1)] = Field(
        256 * 1024 * 1024,
        description="Bytes of bodies held at once, and as many of answers that nobody reads yet.",
    )
    max_connections: Annotated[int, Field(ge=1)] = Field(
        1024, description="Connections open at once; more are answered 503 and closed."
    )
    max_header_bytes: Annotated[int, Field(ge=256)] = Field(
        32_768, description="Largest head of a request: its first line and its headers."
    )
    header_timeout_s: Seconds = Field(
        10, description="How long a connection may take to bring the head of a request."
    )
    body_timeout_s: Seconds = Field(
        60, description="How long the body of a request may take to come."
    )
    write_timeout_s: Seconds = Field(
        60, description="How long a client may take to read on in its answer."
    )
    keep_alive_s: Annotated[int, Field(ge=1, le=86_400)] = Field(
        5, description="How long a connection stays open between two requests."
    )
    max_pixels: Annotated[int, Field(ge=1)] = Field(
        50_000_000, description="Largest picture, width times height, checked before decoding."
    )
    max_audio_seconds: Annotated[float, Field(gt=0)] = Field(
        7200, description="Longest sound, in seconds; decoding stops there at the latest."
    )
    max_prefix_models: Annotated[int, Field(ge=1)] = Field(
        16, description="Cut sub-models for feature maps that each model keeps ready."
    )
    max_prefix_bytes: Annotated[int, Field(ge=1)] = Field(
        256 * 1024 * 1024,
        description="What their weights may take, of each model; a larger one is kept alone.",
    )
    api_keys_file: Path | None = Field(
        None, description="Keys, one a line, of which requests need one; see CONVSCOPE_API_KEYS."
    )
    api_keys: SecretStr | None = Field(
        None, description="Keys of which requests need one, separated by commas."
    )
    admin_keys_file: Path | None = Field(
        None, description="Keys, one a line, that open admin routes; see CONVSCOPE_ADMIN_KEYS."
    )
    admin_keys: SecretStr | None = Field(
        None, description="Keys that open admin routes and all others, separated by commas."
    )
    cors_origins: str | None = Field(
        None, description="Origins of the pages that may ask from a browser, or *; unset, none."
    )
    log_level: LogLevel = Field(
        "warning", description="Least severe message that is logged; info adds an access log."
    )
    log_format: LogFormat = Field(
        "text", description="Log lines for people, or as JSON for machines."
    )
    tracing: bool = Field(
        False, description="Send traces to an OpenTelemetry collector; needs the otel extra."
    )


def is_secret(name: str) -> bool:
    """Return whether the setting has no flag, because ps would show it to everybody."""
    return SecretStr in get_args(Settings.model_fields[name].annotation)
