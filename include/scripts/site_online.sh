# shellcheck shell=sh
# Puts a site online again: takes the marker of this restore away, and no other. May be run again at any point.
# The last line it writes is a JSON object: site is "online" (this run put it there), "was online already",
# "offline by somebody else" (the marker is not of this restore and stays) or "no folder".
#
# SITE             the site's folder, absolute
# OFFLINE_MARKER   file name of the marker
# RESTORE_ID       the restore
set -eu

marker="$SITE/$OFFLINE_MARKER"
if [ ! -d "$SITE" ]; then
    echo '{"site": "no folder"}'
    exit
fi
rm -f "$SITE/.$OFFLINE_MARKER.$RESTORE_ID.part"
if [ ! -e "$marker" ] && [ ! -L "$marker" ]; then
    echo '{"site": "was online already"}'
elif grep -qsF -e "$RESTORE_ID" "$marker"; then
    changed="$(stat -c %y "$SITE")"
    rm "$marker"
    touch -d "$changed" "$SITE" # the folder's time is the site's, not the marker's
    echo '{"site": "online"}'
else
    echo '{"site": "offline by somebody else"}'
fi
