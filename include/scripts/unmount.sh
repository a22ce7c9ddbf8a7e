# shellcheck shell=sh
# Takes the mount point of the attached volume away, if it is still there, so that the volume can be detached.
# (The same for Windows finds the disk by VOLUME_ID instead.)
#
# MOUNT_NAME   name of the mount point below the folder for temporary files
set -eu

mount_point="${TMPDIR:-/tmp}/$MOUNT_NAME"
if [ -d "$mount_point" ]; then
    if mountpoint -q "$mount_point"; then
        umount "$mount_point"
    fi
    rmdir "$mount_point"
fi
echo '{}'
