# shellcheck shell=sh disable=SC2034,SC2153
# For the scripts that read from the attached volume: finds its disk, mounts it read-only, lets go of it at the end.
#
# VOLUME_ID    the attached volume, e.g. vol-0123456789abcdef0 (its disk is found by serial: device names are not kept)
# MOUNT_NAME   name of the mount point below the folder for temporary files

refuse() { # says that nothing was changed, in words and by an exit code of its own
    echo "$1; nothing was overwritten." >&2
    exit 3
}

seconds_since() { # seconds_since "$(date +%s.%N)"
    date +%s.%N | awk -v began="$1" '{ printf "%.3f", $1 - began }'
}

wait_for_device() {
    serial="vol${VOLUME_ID#vol-}"
    waited=0
    while :; do
        device="$(lsblk --nodeps --noheadings --output SERIAL,PATH |
            awk -v serial="$serial" '$1 == serial { sub(/^ *[^ ]+ +/, ""); print; exit }')"
        if [ -n "$device" ]; then break; fi
        [ "$waited" -lt 60 ] || refuse "No disk of the volume $VOLUME_ID appeared within 60 s although it is attached"
        sleep 1
        waited=$((waited + 1))
    done
}

mount_volume() { # sets volume_root, where the volume shows, free of symbolic links
    wait_for_device
    mount_point="${TMPDIR:-/tmp}/$MOUNT_NAME"
    mkdir -p "$mount_point" || refuse "The folder $mount_point for the volume $VOLUME_ID cannot be made"
    if mountpoint -q "$mount_point"; then
        umount "$mount_point" || refuse "What is mounted on $mount_point cannot be unmounted"
    fi
    # An xfs copy has the same uuid as its original, which is mounted on this very host: only xfs knows the option.
    mount -o ro,nouuid "$device" "$mount_point" 2>/dev/null || mount -o ro "$device" "$mount_point" || {
        rmdir "$mount_point"
        refuse "The volume $VOLUME_ID cannot be mounted"
    }
    trap 'umount "$mount_point" && rmdir "$mount_point"' EXIT
    volume_root="$(cd "$mount_point" && pwd -P)"
}

# A symbolic link on the volume may name a path of this host: following it would take today's files for the snapshot's.
check_on_volume() { # check_on_volume folder|file PATH: refuses what the volume does not have, or what leads off it
    found="$(realpath -e "$volume_root/$2" 2>/dev/null)" || refuse "The volume $VOLUME_ID has no $1 $2"
    case "$1" in
        folder) [ -d "$found" ] ;;
        file) [ -f "$found" ] ;;
    esac || refuse "$2 on the volume $VOLUME_ID is no $1"
    case "$found/" in
        "$volume_root"/*) ;;
        *) refuse "The $1 $2 on the volume $VOLUME_ID is a link that leads off the volume, to $found" ;;
    esac
}
