# shellcheck shell=sh
# Tells what a folder holds and what room there is, for a restore's preview. Changes nothing.
# The last line it writes is a JSON object:
#   exists       whether the folder is there
#   empty        whether nothing is in it, the marker apart
#   files, bytes how many files and how much content, as far as counted
#   counted      false when the time was up before all was counted: there is more
#   free_bytes   room for more on its file system (on that of the nearest folder above it when it is missing)
#   marker       null, the id of the restore whose marker lies there, or "unknown" when it is somebody else's
#
# TARGET           the folder, absolute
# OFFLINE_MARKER   file name of the marker that keeps a site offline
# COUNT_SECONDS    when to give up counting
set -eu

exists=false empty=true counted=true files=0 bytes=0 marker=null
if [ -d "$TARGET" ]; then
    exists=true
    cd "$TARGET"
    if [ -n "$(find . -mindepth 1 ! -path "./$OFFLINE_MARKER" -print -quit)" ]; then empty=false; fi
    # The last line is the exit code: 124 says that the time was up (timeout, of coreutils).
    counts="$({
        ended=0
        timeout "$COUNT_SECONDS" find . -type f ! -path "./$OFFLINE_MARKER" -printf '%s\n' || ended=$?
        echo "ended $ended"
    } | awk '$1 == "ended" { ended = $2; next } { n++; bytes += $1 } END { printf "%d %.0f %d", n, bytes, ended }')"
    files="${counts%% *}" ended="${counts##* }"
    bytes="${counts#* }" bytes="${bytes% *}"
    case "$ended" in
        0) ;;
        124) counted=false ;;
        *) exit "$ended" ;;
    esac
    if [ -e "$OFFLINE_MARKER" ] || [ -L "$OFFLINE_MARKER" ]; then
        id="$(grep -oshE '[a-z0-9-]+-restore-[0-9]{8}T[0-9]{6}Z' "./$OFFLINE_MARKER" | head -n 1)"
        marker="\"${id:-unknown}\""
    fi
fi

above="$TARGET"
while [ ! -d "$above" ]; do above="$(dirname "$above")"; done
free="$(df --block-size=1 --output=avail "$above" | tail -n 1 | tr -d ' ')"
printf '{"exists": %s, "empty": %s, "files": %s, "bytes": %s, "counted": %s, "free_bytes": %s, "marker": %s}\n' \
    "$exists" "$empty" "$files" "$bytes" "$counted" "$free" "$marker"
