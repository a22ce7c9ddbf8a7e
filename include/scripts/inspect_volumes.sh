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

# Prints what $mounts says of a path: the number of the line whose file system is seen there, its device number, the
# first mount point below the path, the four texts of the answer (both as JSON), and what is mounted; each on a line.
# Where a mount hides another one, the device number of what is seen there tells them apart; a btrfs subvolume has a
# number of its own, and the deepest and latest mount is taken. findmnt writes what is no plain character as \x20.
from_mounts() { # from_mounts PATH DEVICE_NUMBER
    printf '%s\n' "$mounts" | path="$1" device="$2" awk -F '[ ]' '
        function digit(text) { return index("0123456789abcdef", text) - 1 }
        function plain(text,  done, at) {
            while ((at = index(text, "\\x")) > 0) {
                code = digit(substr(text, at + 2, 1)) * 16 + digit(substr(text, at + 3, 1))
                done = done substr(text, 1, at - 1) sprintf("%c", code)
                text = substr(text, at + 4)
            }
            return done text
        }
        function json(text) {
            gsub(/[\001-\037\177]/, "", text)
            gsub(/[\\"]/, "\\\\&", text)
            return "\"" text "\""
        }
        BEGIN { texts = "\"\", \"\", \"\", \"\"" }
        {
            target = plain($5)
            if (index(target, ENVIRON["path"] "/") == 1 && !hidden++) below = substr(target, length(ENVIRON["path"]) + 2)
            if (target != "/" && index(ENVIRON["path"] "/", target "/") != 1) next
            same = ($1 == ENVIRON["device"])
            if (same > found || (same == found && length(target) >= longest)) {
                found = same; longest = length(target); best = NR; best_device = $1; source = plain($3)
                texts = json(target) ", " json(plain($2)) ", " json(source) ", " json(plain($4))
            }
        }
        END { print best + 0; print best_device; print json(below); print texts; print source }'
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
    kind=nothing empty=true below='""' path="$(realpath -m "$folder")" number=0
    if [ -e "$folder" ]; then
        {
            read -r number
            read -r device
            IFS= read -r below
            IFS= read -r texts
            IFS= read -r mounted
        } <<MOUNT
$(from_mounts "$path" "$(device_number "$folder")")
MOUNT
        if [ -d "$folder" ]; then
            kind=folder
            is_empty "$folder" || empty=false
        else
            kind=other below='""'
        fi
        case "$seen" in
            *" $number "*) ;;
            *)
                seen="$seen$number "
                disks="$(disks_of "$mounted" "$device")"
                shown="$shown\"$number\": [$texts, [${disks%, }]], "
                ;;
        esac
    fi
    if [ "$path" = "$folder" ]; then path=""; fi
    folders="${folders}[\"$kind\", $empty, \"$number\", $(json "$path"), $below], "
done <<END
$FOLDERS
END
printf '{"mounts": {%s}, "folders": [%s]}\n' "${shown%, }" "${folders%, }"
