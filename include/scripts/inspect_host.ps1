# needs: lib/host.ps1
# Tells whether this host could do its part of a restore, long before there is one. Changes nothing.
# The last line it writes is a JSON object:
#   missing       the programs and commands that the scripts of a restore need and this host lacks
#   finds_disks   whether the disks' serial numbers can be asked for
#   rsync         always empty: robocopy compares what it has copied
#   file_system   what FOLDER lies in, e.g. NTFS; empty when nobody can tell
#   device        the drive of FOLDER
#   free_letter   whether a drive letter is free, for the volume with the files
#
# FOLDER   a folder on the volume that a snapshot would be taken of

$needed = 'robocopy.exe', 'Get-Disk', 'Set-Disk', 'Get-Partition', 'Set-Partition', 'Update-HostStorageCache',
    'Remove-PartitionAccessPath', 'Get-Volume', 'Get-FileHash', 'icacls.exe'
$missing = @($needed | Where-Object { -not (Get-Command $_ -ErrorAction SilentlyContinue) })
$volume = Get-VolumeOf $Asked.FOLDER
$drives = [IO.DriveInfo]::GetDrives()
Write-Answer @{
    missing = $missing; finds_disks = $missing -notcontains 'Get-Disk'; rsync = ''
    file_system = "$($volume.FileSystem)"; device = $Asked.FOLDER.Substring(0, 2)
    free_letter = @($drives | Where-Object { $_.Name -match '^[D-Z]:' }).Count -lt 23
}
