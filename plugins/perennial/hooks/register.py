"""Reads the register, tenants.yaml and plans.yaml, from a folder or from s3://; the rules judge what it says."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from include.rules.errors import ConfigurationError
from include.rules.register.register import Register, parse_register
from perennial.hooks.aws.clients import aws_client
from perennial.hooks.aws.errors import AWS_ERRORS, advice_for, error_code
from perennial.hooks.aws.objects import read_object
from perennial.settings import Settings

TENANTS, PLANS = "tenants.yaml", "plans.yaml"


class MissingRegisterError(ConfigurationError):
    """There is no register: no tenants.yaml where the settings look for it."""


async def read_register(settings: Settings) -> Register:
    """Read and judge the register that the settings name.

    Raises:
        ConfigurationError: when a file is missing or no YAML, or its shape is wrong as a whole.
    """
    tenants, plans = await _text(settings, TENANTS), await _text(settings, PLANS)
    return parse_register(
        _yaml(tenants, f"{settings.config}/{TENANTS}"),
        _yaml(plans, f"{settings.config}/{PLANS}"),
        tenants_source=TENANTS,
        plans_source=PLANS,
    )


async def find_register(settings: Settings) -> Register | None:
    """Read the register like `read_register`; None when there is no tenants.yaml at all."""
    try:
        return await read_register(settings)
    except MissingRegisterError:
        return None


async def _text(settings: Settings, name: str) -> str:
    where = urlsplit(settings.config)
    try:
        if where.scheme != "s3":
            return await asyncio.to_thread((Path(settings.config) / name).read_text, encoding="utf-8")
        s3 = await aws_client("s3", settings.aws_conn_id)
        read = await read_object(s3, where.netloc, f"{where.path.strip('/')}/{name}".lstrip("/"))
        return str(read.body, "utf-8")
    except (OSError, UnicodeDecodeError, *AWS_ERRORS) as error:
        is_missing = isinstance(error, FileNotFoundError) or error_code(error) == "NoSuchKey"
        kind = MissingRegisterError if is_missing and name == TENANTS else ConfigurationError
        raise kind(
            f"{settings.config}/{name} cannot be read: {error}.",
            why="Without it no tenant is known, so nothing was done.",
            todo=advice_for(error, "Check PERENNIAL_CONFIG and the rights of the component that reads it."),
        ) from error


def _yaml(text: str, source: str) -> object:
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:  # a date that is none raises ValueError
        raise ConfigurationError(
            f"{source} is no YAML: {error}.", why="No tenant can be read from it.", todo="Correct the file."
        ) from error
