# shellcheck shell=sh disable=SC2153,SC2154
# needs: lib/volume.sh
# Copies files of a database from the attached volume to new names, with their owner and mode.
# May be run again at any point: a target that is there already is accepted when it equals its source to the byte (an
# earlier attempt has finished it) and refused otherwise. A file carries its name only once it is whole and on the disk.
# The last line it writes is a JSON object: files, bytes, seconds.
#
# VOLUME_ID, MOUNT_NAME   see lib/volume.sh
# FILES                   one a line: path on the volume, a tab, absolute path to write; its folder must be there
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

is_whole() {
    [ -f "$2" ] && [ ! -L "$2" ] && cmp -s "$volume_root/$1" "$2"
}

check() {
    check_on_volume file "$1"
    case "/$2/" in
        //*/../*) refuse "'$2' is not the path of a file" ;;
        //*) ;;
        *) refuse "'$2' is not an absolute path" ;;
    esac
    [ -d "$(dirname "$2")" ] || refuse "The folder of $2 does not exist on this host"
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

need() { # file system, its free bytes, bytes that this file will take
    rm -f "$2.part"
    if [ ! -e "$2" ]; then
        df --block-size=1 --output=target,avail "$(dirname "$2")" | tail -n 1 |
            awk -v size="$(stat --dereference --format=%s "$volume_root/$1")" \
                '{ free = $NF; sub(/ +[0-9]+$/, ""); print free, size, $0 }'
    fi
}

copy() {
    if [ ! -e "$2" ]; then
        cp -a -T "$(realpath -e "$volume_root/$1")" "$2.part"
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

size() {
    stat --format=%s "$2"
}

mount_volume
targets="
"
for_each_file check
[ "${#targets}" -gt 1 ] || refuse "No file was named"
short="$(for_each_file need | awk '{
    free = $1; size = $2; sub(/^[0-9]+ [0-9]+ /, ""); room[$0] = free; wanted[$0] += size
} END {
    for (disk in wanted) if (wanted[disk] > room[disk])
        printf "%s has %.0f bytes free and %.0f are needed. ", disk, room[disk], wanted[disk]
}')"
[ -z "$short" ] || refuse "${short%. }"
for_each_file copy
for_each_file name
for_each_file size | awk -v seconds="$(seconds_since "$began")" \
    '{ bytes += $1 } END { printf "{\"files\": %d, \"bytes\": %.0f, \"seconds\": %s}\n", NR, bytes, seconds }'
