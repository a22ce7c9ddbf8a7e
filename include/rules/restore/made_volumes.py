"""What the record of a restore says of the volumes that it makes from snapshots, while they exist.

A volume is asked for under a token that is written down before: whoever finds the token later, and no answer, asks
again and gets the same volume. So with the token goes the snapshot: the recovery point that named it may be gone by
then.
"""

from __future__ import annotations

from include.rules.restore.record import RestoreRecord


def asking_for_volume(record: RestoreRecord, part: str, token: str, snapshot: str) -> RestoreRecord:
    """Record, before the call, that a volume is asked for, and of which snapshot."""
    asked = {"asked_volumes": {**record.asked_volumes, part: token}}
    return record.model_copy(update={**asked, "asked_snapshots": {**record.asked_snapshots, part: snapshot}})


def with_volume(record: RestoreRecord, part: str, volume: str) -> RestoreRecord:
    """The record with the volume that was made from a part."""
    answered = without_asked_volume(record, part)
    return answered.model_copy(update={"volumes": {**record.volumes, part: volume}})


def without_asked_volume(record: RestoreRecord, part: str) -> RestoreRecord:
    """Take back what `asking_for_volume` has recorded: the call was answered."""
    tokens = {name: token for name, token in record.asked_volumes.items() if name != part}
    snapshots = {name: snapshot for name, snapshot in record.asked_snapshots.items() if name in tokens}
    return record.model_copy(update={"asked_volumes": tokens, "asked_snapshots": snapshots})


def without_volumes(record: RestoreRecord) -> RestoreRecord:
    """No volume of the restore is left."""
    return record.model_copy(update={"volumes": {}, "asked_volumes": {}, "asked_snapshots": {}})
