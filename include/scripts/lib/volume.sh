# shellcheck shell=sh disable=SC2034,SC2153
# For the scripts that read from the attached volume: finds its disk, mounts it read-only, lets go of it at the end.
#
# VOLUME_ID    the attached volume, e.g. vol-0123456789abcdef0 (its disk is found by serial: device names are not kept)
# MOUNT_NAME   name of the mount point below the folder for temporary files
# DEVICE       the name under which AWS has attached it, e.g. /dev/sdf: disks of Xen hosts have no serial numbers
# VOLUME_GIB   its size in GiB, which a disk without a serial number has to have
: "${DEVICE=}" "${VOLUME_GIB=}" "${ONLY_LOOK_SECONDS=0}"

refuse() { # says that nothing was changed, in words and by an exit code of its own
    echo "$1; nothing was overwritten." >&2
    exit 3
}

seconds_since() { # seconds_since "$(date +%s.%N)"
    date +%s.%N | awk -v began="$1" '{ printf "%.3f", $1 - began }'
}

need_tools() { # need_tools NAME...: refuses when this host lacks one, before anything depends on it
    lacking=""
    for tool; do command -v "$tool" >/dev/null || lacking="$lacking $tool"; done
    [ -z "$lacking" ] || refuse "This host lacks the programs$lacking: install them"
}

# Only options and columns that util-linux 2.23 (2013) has: no column PATH, which came with 2.33.
list_disks() { # list_disks COLUMNS [DISK]: COLUMN="value" pairs, paths in full
    columns="$1"
    shift
    lsblk --pairs --paths --bytes --noheadings --output "$columns" "$@"
}

# A Xen host's kernel calls /dev/sdf xvdf, some call it sdf. Such a name says less than a serial number does: it has to
# be a disk without one, and of the volume's size.
find_disk() { # sets disk; empty when there is none yet
    letters="${DEVICE##*/}" letters="${letters#sd}" letters="${letters#xvd}"
    disk="$(list_disks KNAME,SIZE,SERIAL --nodeps |
        awk -F '"' -v serial="vol${VOLUME_ID#vol-}" -v device="$DEVICE" -v letters="$letters" -v gib="$VOLUME_GIB" '
            $6 == serial || $6 ~ "[_ ]" serial "$" { by_serial = $2 } # older udev writes the model in front of it
            $6 == "" && letters != "" && $4 == gib * 1073741824 {
                name = $2
                sub(/.*\//, "", name)
                if ($2 == device || name == "xvd" letters || name == "sd" letters) by_name = $2
            }
            END { print by_serial != "" ? by_serial : by_name }')"
}

wait_for_disk() { # sets disk, and what lsblk shows of it in on_it
    waited=0
    while :; do
        find_disk
        if [ -n "$disk" ]; then break; fi
        [ "$waited" -lt "${WAIT_SECONDS:-60}" ] || refuse "No disk of the volume $VOLUME_ID appeared within 60 s \
although it is attached: none has its serial number, and none without one is called as $DEVICE is and has \
$VOLUME_GIB GiB"
        sleep 1
        waited=$((waited + 1))
    done
    on_it="$(list_disks KNAME,TYPE,MOUNTPOINT "$disk" || true)"
    in_use="$(printf '%s\n' "$on_it" | sed -n 's/.* MOUNTPOINT="\(..*\)"$/\1/p' | head -n 1)"
    [ -z "$in_use" ] || refuse "The disk $disk of the volume $VOLUME_ID is mounted on $in_use"
}

# The file systems that the disk may hold: its partitions, or the disk itself where it has none.
list_file_systems() {
    printf '%s\n' "$on_it" |
        awk -F '"' '$4 == "part" { parts = parts $2 "\n" } NR == 1 { whole = $2 "\n" }
            END { printf "%s", parts != "" ? parts : whole }'
}

kind_of() { # kind_of DEVICE: what is on it, e.g. ext4 or LVM2_member; empty when nobody can tell
    kind="$(blkid -p -s TYPE -o value "$1" 2>/dev/null || true)"
    [ -n "$kind" ] || kind="$(list_disks FSTYPE --nodeps "$1" 2>/dev/null | awk -F '"' '{ print $2 }')"
}

mount_one() { # mount_one DEVICE: false when it cannot be mounted; then why says why
    kind_of "$1"
    case "$kind" in
        btrfs) why="btrfs, of which a host cannot have a copy beside the original" && return 1 ;;
        LVM2_member) why="LVM, of which a host cannot have a copy beside the original" && return 1 ;;
        swap | crypto_LUKS | linux_raid_member | zfs_member) why="$kind, which holds no files to read" && return 1 ;;
    esac
    # An xfs copy has the same uuid as its original, which is mounted on this very host: only xfs knows the option.
    mount -o ro,nouuid "$1" "$mount_point" 2>/dev/null && return
    why="$(mount -o ro "$1" "$mount_point" 2>&1)" && return
    why="${kind:-of a kind that nobody knows}: $(printf %s "$why" | head -n 1)"
    return 1
}

unmount_one() { # what mounted names, if anything
    if [ -n "$mounted" ]; then umount "$mount_point" || refuse "What is mounted on $mount_point cannot be unmounted"; fi
    mounted=""
}

holds() { # holds PATH...: whether the mounted file system has all of them
    for path; do
        [ -e "$mount_point/$path" ] || [ -L "$mount_point/$path" ] || return 1
    done
}

leave_volume() {
    if mountpoint -q "$mount_point"; then umount "$mount_point" || return; fi
    rmdir "$mount_point"
}

mount_volume() { # mount_volume PATH...: the file system with these; sets volume_root, free of symbolic links
    need_tools lsblk awk sed mount umount mountpoint readlink
    mount_point="${TMPDIR:-/tmp}/$MOUNT_NAME"
    mkdir -p "$mount_point" || refuse "The folder $mount_point for the volume $VOLUME_ID cannot be made"
    if mountpoint -q "$mount_point"; then
        umount "$mount_point" || refuse "What is mounted on $mount_point cannot be unmounted"
    fi
    trap leave_volume EXIT
    wait_for_disk
    mountable="" holding="" reasons="" mounted=""
    while IFS= read -r file_system; do
        unmount_one
        if ! mount_one "$file_system"; then
            reasons="$reasons, $file_system is $why"
            continue
        fi
        mounted="$file_system" mountable="$mountable $file_system"
        if holds "$@"; then
            chosen="$file_system" holding="$holding $file_system"
        elif [ -z "$holding" ]; then
            chosen="$file_system"
        fi
    done <<END
$(list_file_systems)
END
    [ -n "$mountable" ] || refuse "The volume $VOLUME_ID cannot be mounted (${reasons#, })"
    case "$holding" in
        " "*" /"*) refuse "Several file systems on the volume $VOLUME_ID have $1:$holding" ;;
        "") case "$mountable" in
            " "*" /"*) refuse "None of the file systems on the volume $VOLUME_ID has $1:$mountable" ;;
        esac ;;
    esac
    if [ "$mounted" != "$chosen" ]; then # most volumes have one file system, which shows already
        unmount_one
        mount_one "$chosen" || refuse "The volume $VOLUME_ID cannot be mounted ($chosen is $why)"
    fi
    volume_root="$(cd "$mount_point" && pwd -P)"
}

# A symbolic link on the volume may name a path of this host: following it would take today's files for the snapshot's.
check_on_volume() { # check_on_volume folder|file PATH: refuses what the volume does not have, or what leads off it
    found="$(readlink -e "$volume_root/$2")" || refuse "The volume $VOLUME_ID has no $1 $2"
    case "$1" in
        folder) [ -d "$found" ] && [ -r "$found" ] && [ -x "$found" ] ;;
        file) [ -f "$found" ] && [ -r "$found" ] ;;
    esac || refuse "$2 on the volume $VOLUME_ID is no $1 that can be read"
    case "$found/" in
        "$volume_root"/*) ;;
        *) refuse "The $1 $2 on the volume $VOLUME_ID is a link that leads off the volume, to $found" ;;
    esac
}
