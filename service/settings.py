"""All settings: flags over CONVSCOPE_* environment variables over these defaults, read once."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.device import Device

ENV_PREFIX = "CONVSCOPE_"


class Settings(BaseSettings):
    """What the operator decides; every field is a flag of `convscope serve`."""

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
        description="Model for requests that name none; unset, the only one if there is only one.",
    )
    device: Device = Field(
        "auto", description="auto takes CUDA when it really works; cuda never falls back."
    )
    threads: Annotated[int, Field(ge=0, le=1024)] = Field(
        0, description="CPU threads of one run and requests worked on at once; 0: the CPU quota."
    )
    max_body_bytes: Annotated[int, Field(ge=1)] = Field(
        32 * 1024 * 1024, description="Largest request body."
    )
    max_files: Annotated[int, Field(ge=1)] = Field(
        64, description="Most files in one multipart request."
    )
    max_pixels: Annotated[int, Field(ge=1)] = Field(
        50_000_000, description="Largest picture, width times height, checked before decoding."
    )
    max_prefix_models: Annotated[int, Field(ge=1)] = Field(
        16, description="Cut sub-models for feature maps that each model keeps ready."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "warning", description="Least severe message that is logged; info adds an access log."
    )
