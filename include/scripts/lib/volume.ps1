# For the scripts that read from the attached volume: finds its disk, gives it a drive letter, lets go of it at the end.
#
# VOLUME_ID    the attached volume, e.g. vol-0123456789abcdef0 (its disk is found by serial: disk numbers are not kept)

$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'

# Says that nothing was changed, in words and by an exit code of its own.
function Stop-Untouched([string] $What) {
    [Console]::Error.WriteLine("$What; nothing was overwritten.")
    exit 3
}

# EBS gives a disk the volume's id without its dash as serial number; NVMe adds a suffix: vol0123456789abcdef0_00000001.
function Find-VolumeDisk {
    $serial = $Env:VOLUME_ID -replace '-', ''
    $found = Get-Disk | Where-Object { $_.SerialNumber -like "$serial*" } | Select-Object -First 1
    if ($found -and ($found.IsBoot -or $found.IsSystem)) {
        Stop-Untouched "The volume $Env:VOLUME_ID is the disk that this host has started from"
    }
    return $found
}

function Find-FreeLetter {
    $taken = [IO.DriveInfo]::GetDrives() | ForEach-Object { $_.Name.Substring(0, 1) }
    return 'ZYXWVUTSRQPONMLKJIHGFED'.ToCharArray() | Where-Object { $taken -notcontains "$_" } | Select-Object -First 1
}

function Wait-VolumeDisk {
    foreach ($second in 1..60) {
        Update-HostStorageCache
        $disk = Find-VolumeDisk
        if ($disk) { return $disk }
        Start-Sleep -Seconds 1
    }
    Stop-Untouched "No disk of the volume $Env:VOLUME_ID appeared within 60 s although it is attached"
}

# Returns the volume's root, for instance Z:\.
#
# The disk has the signature of its original, which this very host has online: Windows leaves such a disk offline, and
# gives it another signature when it is brought online. NTFS replays its log. Both write to the disk, so it cannot stay
# read-only; it is a copy made for this restore alone, and nothing of this reaches the snapshot.
function Mount-SnapshotVolume {
    $disk = Wait-VolumeDisk
    if ($disk.IsReadOnly) { Set-Disk -Number $disk.Number -IsReadOnly $false }
    if ($disk.IsOffline) { Set-Disk -Number $disk.Number -IsOffline $false }
    $partition = Get-Partition -DiskNumber $disk.Number |
        Where-Object { 'Basic', 'IFS' -contains $_.Type } |
        Sort-Object -Property Size -Descending | Select-Object -First 1
    if (-not $partition) { Stop-Untouched "The volume $Env:VOLUME_ID has no partition with files" }
    $letter = "$($partition.DriveLetter)"
    if ($letter -notmatch '^[A-Z]$') {
        $letter = Find-FreeLetter
        if (-not $letter) { Stop-Untouched 'This host has no free drive letter for the volume: free one' }
        Set-Partition -DiskNumber $disk.Number -PartitionNumber $partition.PartitionNumber -NewDriveLetter $letter
    }
    # A session learns of new letters when it lists them.
    [void] (Get-PSDrive)
    return "${letter}:\"
}

function Dismount-SnapshotVolume {
    $disk = Find-VolumeDisk
    if (-not $disk -or $disk.IsOffline) { return }
    foreach ($partition in Get-Partition -DiskNumber $disk.Number) {
        $letter = "$($partition.DriveLetter)"
        if ($letter -match '^[A-Z]$') {
            Remove-PartitionAccessPath -DiskNumber $disk.Number -PartitionNumber $partition.PartitionNumber `
                -AccessPath "${letter}:\"
        }
    }
    Set-Disk -Number $disk.Number -IsOffline $true
}

# Folders that are links (junctions, mount points) lead elsewhere; links to files are files of another kind.
function Get-Kind([string] $Path) {
    try { $attributes = [IO.File]::GetAttributes($Path) } catch [IO.IOException] { return 'nothing' }
    $link = ($attributes -band [IO.FileAttributes]::ReparsePoint) -ne 0
    if (($attributes -band [IO.FileAttributes]::Directory) -ne 0) {
        if ($link) { return 'linked folder' } else { return 'folder' }
    }
    if ($link) { return 'linked file' } else { return 'file' }
}

# A link on the volume would lead to this host's own disks: following it would take today's files for the snapshot's.
function Get-OnVolume([string] $Root, [string] $Path, [string] $Kind) {
    $found = $Root.TrimEnd('\')
    foreach ($part in $Path.Split('\/'.ToCharArray())) {
        if ($part -eq '..') { Stop-Untouched "The path $Path leads off the volume $Env:VOLUME_ID" }
        if ($part -eq '.' -or $part -eq '') { continue }
        $found = "$found\$part"
        if ((Get-Kind $found) -like 'linked*') {
            Stop-Untouched "$part in the path $Path on the volume $Env:VOLUME_ID is a link: name what it means"
        }
    }
    if ($found.Length -eq 2) { $found = "$found\" }
    if ((Get-Kind $found) -ne $Kind) { Stop-Untouched "The volume $Env:VOLUME_ID has no $Kind $Path" }
    return $found
}
