# shellcheck shell=sh disable=SC2153,SC2154
# needs: lib/volume.sh
# needs: lib/mounts.sh
# Brings the files of a tenant back: makes TARGET the same as SOURCE on the attached volume, or only PATHS of it.
# May be run again at any point: it converges. The last line it writes is a JSON object: files, bytes, seconds.
#
# VOLUME_ID, MOUNT_NAME   see lib/volume.sh
# SOURCE                  the folder on that volume, relative to its root ("." for all of it)
# TARGET                  the folder to overwrite, absolute
# OFFLINE_MARKER          file name; at the root of TARGET it keeps the site offline and is neither copied nor deleted
# PATHS                   paths below SOURCE, one a line: only these are brought back; empty for all. Folders on the way
#                         to them that TARGET does not have are made with SOURCE's owner, mode and times; others stay
# MUST_BE_NEW             yes: refuse a TARGET that holds anything, or that has no room for what is brought back
#
# What came back is what the snapshot holds, and this is why, with each byte of the volume read once:
# - cp copies every file, also where size and time are the same: those can be forged. (rsync alone would skip them.)
# - The kernel reports what it cannot read or write, and cp fails on it; `sync` waits for the disk and its errors.
# - Then rsync looks for what it would still change in names, kinds, sizes, times to the nanosecond, modes, owners,
#   links, ACLs and extended attributes, and there may be nothing, but for attributes of folders that were there before:
#   those it mends. A file that somebody has written to since it was copied has another time.
# Not proven: that no bit fell over in this host's memory on the way. Comparing all bytes (diff -r) would not prove that
# either: it reads TARGET from that memory, not from the disk, and a volume larger than memory a second time, over the
# network. Measured with bench/restore_files.py: rsync copying by itself takes twice the processor time of cp, and its
# hashes compare two processes of one host with each other. The price of trusting no size and time: all blocks are new
# to the next snapshot. Where there is no rsync, everything is compared by diff, contents but not attributes.
set -eu

began="$(date +%s.%N)"

check_path() {
    case "/$1/" in
        */../* | */./* | *//*) refuse "'$1' is not a path below the folder" ;;
        "/$OFFLINE_MARKER/") refuse "'$1' keeps the site offline during a restore and is not brought back" ;;
    esac
    [ -e "$source/$1" ] || [ -L "$source/$1" ] || refuse "The snapshot has no '$1' in the folder $SOURCE"
    parent="" rest="$1"
    while [ "$rest" != "${rest#*/}" ]; do
        parent="${parent:+$parent/}${rest%%/*}" rest="${rest#*/}"
        [ ! -L "$source/$parent" ] || refuse "'$parent' is a symbolic link in the snapshot: name the path that it means"
        if [ -L "$TARGET/$parent" ] || { [ -e "$TARGET/$parent" ] && [ ! -d "$TARGET/$parent" ]; }; then
            refuse "'$parent' in $TARGET is no folder today, as it is in the snapshot: bring back '$parent' itself"
        fi
        if [ ! -e "$TARGET/$parent" ]; then missing="$missing$parent
"; fi
    done
}

# Looked at once more right before the copy: the preview may be days old.
check_target() { # check_target PATH...
    if [ -L "$TARGET" ] && [ ! -e "$TARGET" ]; then refuse "$TARGET is a link that leads nowhere"; fi
    if [ ! -e "$TARGET" ]; then return; fi
    [ -d "$TARGET" ] || refuse "$TARGET is no folder"
    if [ "$MUST_BE_NEW" = yes ] && [ -n "$(cd "$TARGET" && find . -mindepth 1 ! -path "./$OFFLINE_MARKER" -print -quit)" ]; then
        refuse "$TARGET is not empty any more, and what is in it would be gone"
    fi
    # Of another disk's files the snapshot has nothing: they would all be deleted.
    mounts="$(mounts_below "$TARGET")"
    for path; do
        # By the environment: awk would take backslashes of a -v for escapes.
        mount="$(printf '%s\n' "$mounts" | chosen="${path#./}" awk '
            $0 != "" && (ENVIRON["chosen"] == "." || index($0 "/", ENVIRON["chosen"] "/") == 1) { print; exit }')"
        [ -z "$mount" ] || refuse "Another disk is mounted on '$mount' in $TARGET: unmount it, or name other paths"
    done
}

check_room() { # check_room PATH...
    needed="$(cd "$source" && du -sc --block-size=1 -- "$@" | tail -n 1 | cut -f 1)"
    above="$TARGET"
    while [ ! -d "$above" ]; do above="$(dirname "$above")"; done
    free="$(df --block-size=1 --output=avail "$above" | tail -n 1 | tr -d ' ')"
    [ "$needed" -le "$free" ] || refuse "$TARGET would need $needed bytes, and its disk has $free left"
}

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

# Lists what cp has left other than the source has it, but for the attributes of folders, which rsync mends here, and
# names of one file that two runs of cp made two files. (--modify-window=-1: times to the nanosecond, since rsync 3.1.3)
differences_by_rsync() {
    listed="$(cd "$source" && rsync -aHAX --numeric-ids --modify-window=-1 --relative --no-implied-dirs --delete \
        --exclude="/$OFFLINE_MARKER" --itemize-changes "$@" "$TARGET/")" || exit
    printf %s "$listed" | grep -v -e '^\.d' -e '^hf' || true
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

differences_by_diff() {
    # Sockets, pipes and devices have no content to compare: two of a kind are the same.
    same_kind='is a (fifo|socket|block special file|character special file) while file .* is a \1$'
    for path; do
        if [ -L "$source/$path" ] || { [ ! -d "$source/$path" ] && [ ! -f "$source/$path" ]; }; then continue; fi
        LC_ALL=C diff -rq --no-dereference "$source/$path" "$TARGET/$path" || true
    done | grep -vE "$same_kind" | grep -vxF \
        -e "Only in $source/.: $OFFLINE_MARKER" -e "Only in $TARGET/.: $OFFLINE_MARKER" \
        -e "Files $source/./$OFFLINE_MARKER and $TARGET/./$OFFLINE_MARKER differ" || true
}

case "$OFFLINE_MARKER" in
    "" | . | .. | *[!A-Za-z0-9._-]*) refuse "OFFLINE_MARKER '$OFFLINE_MARKER' is not a plain file name" ;;
esac
mount_volume
check_on_volume folder "$SOURCE"
source="$found"

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
if [ "$MUST_BE_NEW" = yes ]; then check_room "$@"; fi
mkdir -p "$TARGET" || refuse "The folder $TARGET cannot be made"

remove_obstacles "$@"
make_missing
copy "$@"
if command -v rsync >/dev/null; then
    differences="$(differences_by_rsync "$@")"
else
    differences="$(differences_by_diff "$@")"
fi
settle_missing
sync -f "$TARGET"
if [ -n "$differences" ]; then
    echo "After the copy $TARGET is not what the snapshot holds (is something writing to it?):" >&2
    echo "$differences" | head -n 20 >&2
    exit 1
fi
(cd "$TARGET" && find "$@" -type f ! -path "./$OFFLINE_MARKER" -printf '%s\n') |
    awk -v seconds="$(seconds_since "$began")" \
        '{ bytes += $1 } END { printf "{\"files\": %d, \"bytes\": %.0f, \"seconds\": %s}\n", NR, bytes, seconds }'
