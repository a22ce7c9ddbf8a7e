"""What a test does to the backup files of a vault: the product itself never deletes one by its key alone."""

from __future__ import annotations

from perennial.hooks.vault.backup_files import point_prefix
from perennial.hooks.vault.object_versions import delete_version, versions_below
from perennial.hooks.vault.vault import Vault


async def backup_file_keys(vault: Vault, tenant: str, point_id: str) -> list[str]:
    """Keys of all backup files beside a manifest, those of earlier attempts too."""
    keys = vault.documents.keys(point_prefix(tenant, point_id))
    return [key async for key in keys if not key.endswith("/manifest.json")]


async def delete_backup_file(vault: Vault, key: str) -> None:
    """Delete a backup file in all its versions."""
    for version in await versions_below(vault.documents, key):
        if version.key == key:
            await delete_version(vault.documents, version)
