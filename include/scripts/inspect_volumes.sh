# shellcheck shell=sh disable=SC2153
# needs: lib/json.sh
# Tells of folders of this host what file system is really seen there, on which disks, and whether anything is in them.
# Changes nothing, and looks into no folder below them. The last line it writes is a JSON object, short because Systems
# Manager keeps 24,000 characters:
#   mounts    by number: mount point, folder of the file system that shows there, what is mounted, its type, and the
#             disks below it, each with its name and serial number ("" where this host shows none)
#   folders   in the order of FOLDERS: "folder", "other" or "nothing"; whether it is empty (the marker and what a file
#             system has in its root apart); the number of its mount; where it really is when links lead there, else "";
#             a mount point below it, relative to it, where there is one: what shows there is on no snapshot of its disk
#
# FOLDERS          one a line, absolute
# OFFLINE_MARKER   file name of the marker that keeps a site offline
set -eu
export LC_ALL=C

mounts="$(findmnt --noheadings --raw --nofsroot --output MAJ:MIN,FSROOT,SOURCE,FSTYPE,TARGET)"

# Prints the number of the line of $mounts whose file system is seen at a path, or what that line says (print=plain), or
# the first mount point below a path.
# Where a mount hides another one, the device number of what is seen there tells them apart; a btrfs subvolume has a
# number of its own, and the deepest and latest mount is taken. findmnt writes what is no plain character as \x20.
from_mounts() { # from_mounts WHAT: by $path and $device, or by $path (below), or by $number
    printf '%s\n' "$mounts" | what="$1" path="${path-}" device="${device-}" number="${number-}" awk -F '[ ]' '
        function digit(text) { return index("0123456789abcdef", text) - 1 }
        function plain(text,  done, at) {
            while ((at = index(text, "\\x")) > 0) {
                code = digit(substr(text, at + 2, 1)) * 16 + digit(substr(text, at + 3, 1))
                done = done substr(text, 1, at - 1) sprintf("%c", code)
                text = substr(text, at + 4)
            }
            return done text
        }
        ENVIRON["what"] == "below" {
            target = plain($5)
            if (index(target, ENVIRON["path"] "/") == 1 && !below++) print substr(target, length(ENVIRON["path"]) + 2)
            next
        }
        ENVIRON["what"] != "number" { if (NR == ENVIRON["number"]) print plain($ENVIRON["what"]); next }
        {
            target = plain($5)
            if (target != "/" && index(ENVIRON["path"] "/", target "/") != 1) next
            same = ($1 == ENVIRON["device"])
            if (same > found || (same == found && length(target) >= longest)) {
                found = same; longest = length(target); best = NR
            }
        }
        END { if (ENVIRON["what"] == "number") print best + 0 }'
}

device_number() { # device_number PATH: as MAJ:MIN has it, from the number as Linux packs it
    packed="$(stat --dereference --format=%d "$1")"
    echo "$(((packed >> 8) & 0xfff)):$(((packed & 0xff) | ((packed >> 12) & 0xfff00)))"
}

# A partition's serial number is that of its disk, and what lies on a volume group lies on all its disks.
disks_of() { # disks_of DEVICE NUMBER
    {
        lsblk --noheadings --pairs --inverse --output NAME,SERIAL,TYPE "$1" 2>/dev/null ||
            lsblk --noheadings --pairs --inverse --output NAME,SERIAL,TYPE "/dev/block/$2" 2>/dev/null || true
    } | sed -n 's/^NAME="\([^"]*\)" SERIAL="\([^"]*\)" TYPE="disk"$/\1 \2/p' | sort -u | while read -r name serial; do
        printf '[%s, %s], ' "$(json "$name")" "$(json "$serial")"
    done
}

is_empty() {
    [ -z "$(find "$1/" -mindepth 1 -maxdepth 1 ! -name "$OFFLINE_MARKER" ! -name lost+found -print -quit)" ]
}

seen=" " shown="" folders=""
while IFS= read -r folder; do
    kind=nothing empty=true below="" path="$(realpath -m "$folder")" number=0
    if [ -e "$folder" ]; then
        device="$(device_number "$folder")"
        number="$(from_mounts number)"
        if [ -d "$folder" ]; then
            kind=folder
            below="$(from_mounts below)"
            is_empty "$folder" || empty=false
        else
            kind=other
        fi
        case "$seen" in
            *" $number "*) ;;
            *)
                seen="$seen$number "
                disks="$(disks_of "$(from_mounts 3)" "$(from_mounts 1)")"
                shown="$shown\"$number\": [$(json "$(from_mounts 5)"), $(json "$(from_mounts 2)"), "
                shown="$shown$(json "$(from_mounts 3)"), $(json "$(from_mounts 4)"), [${disks%, }]], "
                ;;
        esac
    fi
    if [ "$path" = "$folder" ]; then path=""; fi
    folders="${folders}[\"$kind\", $empty, \"$number\", $(json "$path"), $(json "$below")], "
done <<END
$FOLDERS
END
printf '{"mounts": {%s}, "folders": [%s]}\n' "${shown%, }" "${folders%, }"
