# shellcheck shell=sh disable=SC2153,SC2154
# needs: lib/json.sh
# needs: lib/volume.sh
# needs: lib/source.sh
# needs: lib/mounts.sh
# needs: lib/room.sh
# needs: lib/before_copy.sh
# needs: lib/after_copy.sh
# Brings the files of a tenant back: makes TARGET the same as SOURCE on the attached volume, or only PATHS of it.
# Everything that would stop it is looked at first, and refused before anything is changed.
# May be run again at any point: it converges. The last line it writes is a JSON object: files, bytes, seconds, counted
# (false when not all was, because the time was up), checked_by (what has compared TARGET with SOURCE; empty when
# nothing was copied), folder (what SOURCE has turned out to be, relative to the volume's root) and around (the same of
# the folder in which SOURCE lies).
#
# VOLUME_ID, MOUNT_NAME, DEVICE, VOLUME_GIB   see lib/volume.sh
# SOURCE, SHOWN_AT, SEEN_AT                   see lib/source.sh
# TARGET                  the folder to overwrite, absolute
# OFFLINE_MARKER          file name; at the root of TARGET it keeps the site offline and is neither copied nor deleted
# PATHS                   paths below SOURCE, one a line: only these are brought back; empty for all. Folders on the way
#                         to them that TARGET does not have are made with SOURCE's owner, mode and times; others stay
# MUST_BE_NEW             yes: refuse a TARGET that holds anything
# ONLY_LOOK_SECONDS       look whether all of it could be brought back, counting files for so long, and change nothing;
#                         0 to copy
#
# What came back is what the snapshot holds, and this is why, with each byte of the volume read once:
# - cp copies every file, also where size and time are the same: those can be forged. (rsync alone would skip them.)
# - The kernel reports what it cannot read or write, and cp fails on it; `sync` waits for the disk and its errors.
# - Then rsync looks for what it would still change in names, kinds, sizes, times, modes, owners, links, ACLs and
#   extended attributes, and there may be nothing, but for attributes of folders that were there before: those it mends.
#   A file that somebody has written to since it was copied has another time. Times are compared as exactly as the
#   file system of TARGET keeps them, which a file made there tells: ext4 with inodes of 128 bytes keeps whole seconds.
#   rsync before 3.1.3 knows whole seconds only; where there is more to compare, find lists the times of both sides.
# Not proven: that no bit fell over in this host's memory on the way. Comparing all bytes (diff -r) would not prove that
# either: it reads TARGET from that memory, not from the disk, and a volume larger than memory a second time, over the
# network. Measured with bench/restore_files.py: rsync copying by itself takes twice the processor time of cp, and its
# hashes compare two processes of one host with each other. The price of trusting no size and time: all blocks are new
# to the next snapshot. Where there is no rsync, everything is compared by diff, contents but not attributes, and by
# find, which lists kinds, sizes, times, modes and owners.
set -eu

began="$(date +%s.%N)"

make_missing() {
    printf %s "$missing" | while IFS= read -r folder; do
        [ -d "$TARGET/$folder" ] || mkdir -m 700 "$TARGET/$folder"
    done
}

like_source() { # like_source FOLDER
    chown --reference="$source/$1" "$TARGET/$1"
    chmod --reference="$source/$1" "$TARGET/$1"
    touch --reference="$source/$1" "$TARGET/$1"
}

settle_missing() { # last, because what is put into a folder changes its time
    printf %s "$missing" | while IFS= read -r folder; do
        like_source "$folder"
    done
}

# What is not in the source, or is there as something else, has to go before cp can take its place.
remove_obstacles() {
    export source
    for path; do
        if [ ! -e "$TARGET/$path" ] && [ ! -L "$TARGET/$path" ]; then continue; fi
        (cd "$TARGET" && find "$path" -xdev -depth ! -path "./$OFFLINE_MARKER" -exec sh -c '
            for path; do
                if [ -d "$path" ] && [ ! -L "$path" ]; then kind=folder; else kind=other; fi
                if [ -d "$source/$path" ] && [ ! -L "$source/$path" ]; then wanted=folder; else wanted=other; fi
                if [ "$kind" != "$wanted" ] || { [ ! -e "$source/$path" ] && [ ! -L "$source/$path" ]; }; then
                    rm -rf --one-file-system "$path"
                fi
            done' sh {} +)
    done
}

copy() {
    if [ "$1" = . ]; then
        (cd "$source" && find . -mindepth 1 -maxdepth 1 ! -path "./$OFFLINE_MARKER" \
            -exec cp -a --remove-destination -t "$TARGET" -- {} +)
        like_source .
    else
        for path; do cp -a --remove-destination -T "$source/$path" "$TARGET/$path"; done
    fi
}

answer() { # answer FILES BYTES COUNTED CHECKED_BY
    printf '{"files": %s, "bytes": %s, "counted": %s, "checked_by": "%s", ' "$1" "$2" "$3" "$4"
    printf '"folder": %s, "around": %s, "seconds": %s}\n' \
        "$(json "$source_folder")" "$(json "$source_around")" "$(seconds_since "$began")"
}

case "$OFFLINE_MARKER" in
    "" | . | .. | *[!A-Za-z0-9._-]*) refuse "OFFLINE_MARKER '$OFFLINE_MARKER' is not a plain file name" ;;
esac
need_tools find sort cp du df stat timeout tr grep
mount_volume "$SOURCE"
find_source

missing=""
set --
while IFS= read -r path; do
    path="${path%/}"
    if [ -n "$path" ]; then
        check_path "$path"
        set -- "$@" "./$path"
    fi
done <<END
$PATHS
END
if [ $# -eq 0 ]; then set -- .; fi
check_target "$@"
check_file_system
check_content "$@"
if [ "$ONLY_LOOK_SECONDS" != 0 ]; then
    answer "$files" "$bytes" "$([ "$counted" = all ] && echo true || echo false)" ""
    exit
fi
mkdir -p "$TARGET" || refuse "The folder $TARGET cannot be made"
measure_times
choose_check

remove_obstacles "$@"
make_missing
copy "$@"
differences="$(list_differences "$@")"
settle_missing
sync -f "$TARGET" 2>/dev/null || sync # of coreutils before 8.24
if [ -n "$differences" ]; then
    echo "After the copy $TARGET is not what the snapshot holds (is something writing to it?):" >&2
    echo "$differences" | head -n 20 >&2
    exit 1
fi
(cd "$TARGET" && find "$@" -type f ! -path "./$OFFLINE_MARKER" -printf '%s\n') |
    awk '{ bytes += $1 } END { printf "%d %.0f\n", NR, bytes }' | {
    read -r files bytes
    answer "$files" "$bytes" true "$checked_by"
}
