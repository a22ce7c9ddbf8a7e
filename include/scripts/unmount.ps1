# needs: lib/host.ps1
# needs: lib/volume.ps1
# Takes the attached volume's drive letters away and sets its disk offline, if it is still online, so that the volume
# can be detached. (The same for Linux finds it by MOUNT_NAME instead.)
#
# VOLUME_ID    see lib/volume.ps1

Dismount-SnapshotVolume
Write-Answer @{}
