# shellcheck shell=sh
# needs: lib/json.sh
# Tells whether this host could do its part of a restore, long before there is one. Changes nothing.
# The last line it writes is a JSON object:
#   missing       the programs that the scripts of a restore need and this host lacks
#   finds_disks   whether lsblk answers what they ask it (util-linux 2.23 or later)
#   rsync         the version of rsync, by which a copy is compared; "" when there is none
#   file_system   what FOLDER lies in, e.g. ext4; "" when nobody can tell
#   device        what that is made on, e.g. /dev/nvme1n1p1 or /dev/mapper/vg-site
#
# FOLDER   a folder on the volume that a snapshot would be taken of
set -eu

missing=""
for tool in awk cmp cp cut df diff du find findmnt grep lsblk mount mountpoint readlink realpath sed sort \
    stat sync timeout tr umount; do
    command -v "$tool" >/dev/null || missing="$missing$(json "$tool"), "
done
finds_disks=false
if lsblk --pairs --paths --bytes --noheadings --nodeps --output KNAME,SIZE,SERIAL >/dev/null 2>&1; then
    finds_disks=true
fi
rsync="$(rsync --version 2>/dev/null | sed -n '1s/^[^0-9]*\([0-9.]*\).*/\1/p')"
lies_in="$(df -PT "$FOLDER" 2>/dev/null | awk 'END { print $2, $1 }')"
printf '{"missing": [%s], "finds_disks": %s, "rsync": %s, "file_system": %s, "device": %s}\n' \
    "${missing%, }" "$finds_disks" "$(json "$rsync")" "$(json "${lies_in%% *}")" "$(json "${lies_in#* }")"
