# shellcheck shell=sh
# Takes a site offline: writes the marker into its folder. May be run again at any point.
# A marker of an earlier restore of the same tenant becomes this restore's.
# The last line it writes is a JSON object: site is "offline", "was offline already" (by a marker that is of no restore
# of this tenant, which stays as it is) or "no folder".
#
# SITE             the site's folder, absolute
# OFFLINE_MARKER   file name of the marker
# CONTENT          what visitors see; it names the restore, by which site_online knows the marker as its own
# RESTORE_ID       the restore
# CREATE           yes: make the folder when it is missing
set -eu

case "$CONTENT" in
    *"$RESTORE_ID"*) ;;
    *)
        echo "The content of $OFFLINE_MARKER does not name the restore $RESTORE_ID: it would never be taken away." >&2
        exit 1
        ;;
esac
marker="$SITE/$OFFLINE_MARKER"
if [ ! -d "$SITE" ] && [ "$CREATE" != yes ]; then
    echo '{"site": "no folder"}'
    exit
fi
mkdir -p "$SITE"
if grep -qsF -e "$RESTORE_ID" "$marker"; then
    echo '{"site": "offline"}'
    exit
fi
earlier="(^|[^a-z0-9-])${RESTORE_ID%-restore-*}-restore-[0-9]{8}T[0-9]{6}Z"
if { [ -e "$marker" ] || [ -L "$marker" ]; } && ! grep -qsE -e "$earlier" "$marker"; then
    echo '{"site": "was offline already"}'
    exit
fi
changed="$(stat -c %y "$SITE")"
part="$SITE/.$OFFLINE_MARKER.$RESTORE_ID.part"
trap 'rm -f "$part"' EXIT
rm -f "$part"
(umask 022 && printf '%s\n' "$CONTENT" >"$part")
chown --reference="$SITE" "$part"
mv -T "$part" "$marker"
touch -d "$changed" "$SITE" # the folder's time is the site's, not the marker's
echo '{"site": "offline"}'
