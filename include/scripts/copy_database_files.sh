# shellcheck shell=sh disable=SC2153,SC2154
# needs: lib/volume.sh
# needs: lib/room.sh
# Copies files of a database from the attached volume to new names, with their owner and mode.
# Everything that would stop it is looked at first, and refused before anything is written.
# May be run again at any point: a target that is there already is accepted when it equals its source to the byte (an
# earlier attempt has finished it) and refused otherwise. A file carries its name only once it is whole and on the disk.
# The last line it writes is a JSON object: files, bytes, seconds.
#
# VOLUME_ID, MOUNT_NAME, DEVICE, VOLUME_GIB   see lib/volume.sh
# FILES               one a line: path on the volume, a tab, absolute path to write; its folder must be there
# ONLY_LOOK_SECONDS   look whether the files could be copied, without reading them, and change nothing; 0 to copy
set -eu

began="$(date +%s.%N)"
tab="$(printf '\t')"

for_each_file() { # for_each_file FUNCTION: calls it with source and target
    while IFS="$tab" read -r source target; do
        if [ -n "$source" ]; then "$1" "$source" "$target"; fi
    done <<END
$FILES
END
}

is_whole() { # a look reads neither of them
    [ -f "$2" ] && [ ! -L "$2" ] && [ "$(size_of "$1")" = "$(stat --format=%s "$2")" ] &&
        { [ "$ONLY_LOOK_SECONDS" != 0 ] || cmp -s "$volume_root/$1" "$2"; }
}

size_of() {
    stat --dereference --format=%s "$volume_root/$1"
}

check() {
    check_on_volume file "$1"
    case "/$2/" in
        //*/../*) refuse "'$2' is not the path of a file" ;;
        //*) ;;
        *) refuse "'$2' is not an absolute path" ;;
    esac
    folder="$(dirname "$2")" name="$(basename "$2").part"
    [ -d "$folder" ] || refuse "The folder of $2 does not exist on this host"
    [ -w "$folder" ] || refuse "$folder cannot be written to: its file system is read-only, or it is locked (chattr)"
    [ "$(printf %s "$name" | wc -c)" -le "$(stat -f -c %l "$folder")" ] ||
        refuse "The name of $2 is too long for its disk"
    if [ -e "$2" ] || [ -L "$2" ]; then
        is_whole "$1" "$2" || refuse "$2 exists and is not a copy of $1"
    fi
    case "$targets" in
        *"
$2
"*) refuse "$2 is named twice" ;;
    esac
    targets="$targets$2
"
}

# What an earlier attempt has left of a file gives its room back before the file is copied.
need() { # file system, its free bytes and inodes, bytes that this file will take beyond those
    if [ -e "$2" ]; then return; fi
    folder="$(dirname "$2")" part="$2.part" left=0
    if [ -f "$part" ]; then left="$(($(stat --format=%b "$part") * 512))"; fi
    printf '%s\t%s\t%s\t%s\n' "$(stat --format=%d "$folder")" "$(free_bytes "$folder")" "$(free_inodes "$folder")" \
        "$(($(size_of "$1") - left))"
}

copy() {
    if [ ! -e "$2" ]; then
        rm -f "$2.part"
        cp -a -T "$(readlink -e "$volume_root/$1")" "$2.part"
        sync "$2.part"
        if ! cmp "$volume_root/$1" "$2.part"; then
            rm -f "$2.part"
            echo "The copy of $1 to $2 differs from the volume and was removed." >&2
            exit 1
        fi
    fi
}

name() {
    if [ ! -e "$2" ]; then mv -T "$2.part" "$2"; fi
    sync "$(dirname "$2")"
}

need_tools cmp cp df stat sync
first_file="$(printf '%s\n' "$FILES" | cut -f 1 | head -n 1)"
[ -n "$first_file" ] || refuse "No file was named"
mount_volume "$first_file"
targets="
"
for_each_file check
short="$(for_each_file need | awk -F '\t' '{
    bytes[$1] = $2; inodes[$1] = $3; wanted[$1] += $4; files[$1]++
} END {
    for (disk in wanted) {
        if (bytes[disk] != "" && wanted[disk] > bytes[disk])
            printf "The disk has %.0f bytes free and %.0f are needed. ", bytes[disk], wanted[disk]
        if (inodes[disk] != "" && files[disk] > inodes[disk])
            printf "The file system has %.0f inodes free and %d are needed. ", inodes[disk], files[disk]
    }
}')"
[ -z "$short" ] || refuse "${short%. }"
if [ "$ONLY_LOOK_SECONDS" = 0 ]; then
    for_each_file copy
    for_each_file name
fi
for_each_file size_of | awk -v seconds="$(seconds_since "$began")" \
    '{ bytes += $1 } END { printf "{\"files\": %d, \"bytes\": %.0f, \"seconds\": %s}\n", NR, bytes, seconds }'
