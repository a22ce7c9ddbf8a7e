# shellcheck shell=sh disable=SC2153
# Brings the files of a tenant back: mounts the attached volume read-only and makes TARGET the same as SOURCE on it.
# May be run again at any point: it converges. The last line it writes is a JSON object.
#
# VOLUME_ID    the attached volume, e.g. vol-0123456789abcdef0 (its disk is found by serial: device names are not kept)
# SOURCE       the folder on that volume, relative to its root ("." for all of it)
# TARGET       the folder to overwrite, absolute
# MOUNT_NAME   name of the mount point below the folder for temporary files
set -eu

mount_point="${TMPDIR:-/tmp}/$MOUNT_NAME"
serial="vol${VOLUME_ID#vol-}"

find_device() {
    lsblk --nodeps --noheadings --output PATH,SERIAL | awk -v serial="$serial" '$2 == serial { print $1; exit }'
}

waited=0
while device="$(find_device)" && [ -z "$device" ]; do
    if [ "$waited" -ge 60 ]; then
        echo "No disk with serial $serial appeared within 60 s although $VOLUME_ID is attached." >&2
        exit 1
    fi
    sleep 1
    waited=$((waited + 1))
done

mkdir -p "$mount_point"
if mountpoint -q "$mount_point"; then
    umount "$mount_point"
fi
# An xfs copy has the same uuid as its original, which is mounted on this very host: only xfs knows the option.
mount -o ro,nouuid "$device" "$mount_point" 2>/dev/null || mount -o ro "$device" "$mount_point"
trap 'umount "$mount_point" && rmdir "$mount_point"' EXIT

source="$mount_point/$SOURCE"
if [ ! -d "$source" ]; then
    echo "The volume $VOLUME_ID has no folder $SOURCE; nothing was overwritten." >&2
    exit 1
fi
mkdir -p "$TARGET"

if command -v rsync >/dev/null; then
    rsync -aHAX --numeric-ids --delete "$source/" "$TARGET/"
else
    # What is not in the source, or is there as something else, has to go before cp can take its place.
    export source
    (cd "$TARGET" && find . -mindepth 1 -depth -exec sh -c '
        for path; do
            if [ -d "$path" ] && [ ! -L "$path" ]; then kind=folder; else kind=other; fi
            if [ -d "$source/$path" ] && [ ! -L "$source/$path" ]; then wanted=folder; else wanted=other; fi
            if [ "$kind" != "$wanted" ] || { [ ! -e "$source/$path" ] && [ ! -L "$source/$path" ]; }; then
                rm -rf "$path"
            fi
        done' sh {} +)
    cp -a --remove-destination "$source/." "$TARGET/"
fi

# Sockets, pipes and devices have no content to compare: two of a kind are the same.
same_kind='is a (fifo|socket|block special file|character special file) while file .* is a \1$'
differences="$(LC_ALL=C diff -rq --no-dereference "$source/" "$TARGET/" | grep -vE "$same_kind" || true)"
if [ -n "$differences" ]; then
    echo "After the copy $TARGET is not what the snapshot holds (is something writing to it?):" >&2
    echo "$differences" | head -n 20 >&2
    exit 1
fi
files="$(find "$TARGET/" -type f | wc -l)"
kib="$(du -sk "$TARGET/" | cut -f1)"
printf '{"files": %d, "kib": %d}\n' "$files" "$kib"
