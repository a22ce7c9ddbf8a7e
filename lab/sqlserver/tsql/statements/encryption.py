"""Certificates and databases' encryption keys."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CreateCertificate:
    """A new certificate, or, with a `file`, one that was backed up to it."""

    name: str
    file: str = ""


@dataclass(frozen=True)
class BackupCertificate:
    name: str
    file: str
    key_file: str


@dataclass(frozen=True)
class DropCertificate:
    name: str


@dataclass(frozen=True)
class CreateEncryptionKey:
    """CREATE DATABASE ENCRYPTION KEY in the session's current database."""

    certificate: str


@dataclass(frozen=True)
class DropEncryptionKey:
    """DROP DATABASE ENCRYPTION KEY in the session's current database."""
