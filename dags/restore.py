"""
### Bring a tenant back

Press *Trigger*, name the tenant, choose what comes back, and type the name of the tenant whose place it goes to into
`confirm`. Everything else may stay empty: the newest verified recovery point, files and database, in place.

1. `preview` looks at everything and touches nothing: which recovery point, whether its .bak can be read to the end,
   what will be overwritten, how large it is, how long it took before. Whatever must not be done is refused here.
2. `approval` waits for somebody to approve that preview (under *Required actions*), when the form or the plan asks for
   it, when another tenant's data is involved, or when the snapshot has to stand in for a .bak. Nothing is locked
   meanwhile. Skipped otherwise.
3. `open` takes the tenant's lease: no backup and no retention beside the restore.
4. `attach_volumes` makes volumes from the snapshots, attaches them as further drives, and looks whether what is to come
   back is there and has room. Whatever is wrong with that is found here, while the site is still online.
5. `prepare_database`, where the database comes from the snapshot, attaches it beside the standing one and runs DBCC
   CHECKDB. A snapshot whose database is damaged is found here.
6. `take_site_offline` puts `app_offline.htm` into the site's folder, so that nothing that users write is lost.
7. `take_safety_point` makes a recovery point of what is about to be overwritten. To undo this restore, restore it.
8. `copy_files` makes the folder (or the chosen paths) the same as it was, and compares it.
9. `restore_database` keeps everybody out, brings the database back, and lets users in again.
10. `check` runs DBCC CHECKDB and names users that have lost their login.
11. `bring_site_online`, `remove_volumes` and `close` clean up; the last two after a failure too. A site that may be
    half restored stays offline, and `close` says what is where.

A restore under another name (`folder`, `database`) overwrites nothing: no site goes offline, no safety point is needed.

**When a run has failed**: read what `close` says, mend it, then clear the task `open`. Every step may be repeated.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param

from include.rules.restore.scope import DatabaseSource, RestoreScope
from perennial.restore.chain import restore_chain
from perennial.steps import forms

with DAG(
    "restore",
    description="Bring one tenant back from a recovery point",
    doc_md=__doc__,
    **forms.BY_HAND,
    params={
        "tenant": forms.text("Tenant", "Whose recovery point comes back"),
        "recovery_point": forms.optional_text(
            "Recovery point", "Its id (the DAG list_recovery_points shows them); empty for the newest verified one"
        ),
        "what": Param(
            str(RestoreScope.BOTH), type="string", enum=[str(what) for what in RestoreScope], title="What comes back"
        ),
        "paths": Param(
            [],
            type=["null", "array"],  # without null the form marks the field as required
            items={"type": "string"},
            title="Only these paths",
            description="Files and folders relative to the tenant's folder, one a line; empty for all",
        ),
        "into_tenant": forms.optional_text(
            "Into another tenant",
            "Another tenant whose place it goes to (always has to be approved); empty for its own",
            section="Somewhere else",
        ),
        "folder": forms.optional_text(
            "Into another folder",
            "A new folder on the web host; empty to overwrite the tenant's own",
            section="Somewhere else",
        ),
        "database": forms.optional_text(
            "Under another database name",
            "A new name on the same server; empty to overwrite the tenant's own database",
            section="Somewhere else",
        ),
        "database_from": Param(
            str(DatabaseSource.BACKUP_FILE),
            type="string",
            enum=[str(source) for source in DatabaseSource],
            title="Database from",
            section="More",
            description="The snapshot (crash-consistent) stands in, once approved, when the .bak cannot be read",
        ),
        "approval": Param(
            False, type="boolean", title="Ask for approval", section="More", description="Show the preview and wait"
        ),
        "confirm": forms.text("Confirm", "Type the name of the tenant whose place it goes to"),
    },
    tags=["restore"],
):
    restore_chain()
