# shellcheck shell=sh
# needs: lib/json.sh
# needs: lib/mounts.sh
# needs: lib/room.sh
# Tells what a folder holds and what room there is, for a restore's preview. Changes nothing.
# The last line it writes is a JSON object:
#   exists       whether the folder is there
#   no_folder    whether something else is there that is no folder
#   real         where the folder really is, when it is reached through symbolic links; else the same as TARGET
#   mounts       mount points below it, relative to it: other disks, of which its volume's snapshot has nothing
#   empty        whether nothing is in it, the marker apart
#   files, bytes how many files and how much content, as far as counted
#   counted      false when not all was counted, because the time was up or files came and went meanwhile
#   free_bytes   room for more on its file system (on that of the nearest folder above it when it is missing), or null
#   free_inodes  how many files more, or null where the file system makes as many as it needs
#   writable     false when nothing can be written there: a read-only file system, or a locked folder
#   marker       null, the id of the restore whose marker lies there, or "unknown" when it is somebody else's
#
# TARGET           the folder, absolute
# OFFLINE_MARKER   file name of the marker that keeps a site offline
# COUNT_SECONDS    when to give up counting
set -eu

exists=false no_folder=false mounts="" empty=true counted=true files=0 bytes=0 marker=null
real="$(readlink -m "$TARGET")"
if [ -d "$TARGET" ]; then
    exists=true
    cd "$TARGET"
    if [ -n "$(find . -mindepth 1 ! -path "./$OFFLINE_MARKER" -print -quit)" ]; then empty=false; fi
    # The last line is the exit code. 124 says that the time was up (timeout, of coreutils), 1 that find could not look
    # at all of it: on a busy site files go while it looks.
    counts="$({
        ended=0
        timeout "$COUNT_SECONDS" find . -type f ! -path "./$OFFLINE_MARKER" -printf '%s\n' || ended=$?
        echo "ended $ended"
    } | awk '$1 == "ended" { ended = $2; next } { n++; bytes += $1 } END { printf "%d %.0f %d", n, bytes, ended }')"
    files="${counts%% *}" ended="${counts##* }"
    bytes="${counts#* }" bytes="${bytes% *}"
    case "$ended" in
        0) ;;
        1 | 124) counted=false ;;
        *) exit "$ended" ;;
    esac
    if [ -e "$OFFLINE_MARKER" ] || [ -L "$OFFLINE_MARKER" ]; then
        id="$(grep -oshE '[a-z0-9-]+-restore-[0-9]{8}T[0-9]{6}Z' "./$OFFLINE_MARKER" | head -n 1)"
        marker="\"${id:-unknown}\""
    fi
    mounts="$(mounts_below "$TARGET" | while IFS= read -r mount; do printf '%s, ' "$(json "$mount")"; done)"
elif [ -e "$TARGET" ] || [ -L "$TARGET" ]; then
    no_folder=true
fi

above="$(nearest_folder "$TARGET")"
bytes_left="$(free_bytes "$above")" inodes_left="$(free_inodes "$above")"
if [ -w "$above" ]; then writable=true; else writable=false; fi
printf '{"exists": %s, "no_folder": %s, "real": %s, "mounts": [%s], "empty": %s, ' \
    "$exists" "$no_folder" "$(json "$real")" "${mounts%, }" "$empty"
printf '"free_bytes": %s, "free_inodes": %s, "writable": %s, ' \
    "${bytes_left:-null}" "${inodes_left:-null}" "$writable"
printf '"files": %s, "bytes": %s, "counted": %s, "marker": %s}\n' "$files" "$bytes" "$counted" "$marker"
