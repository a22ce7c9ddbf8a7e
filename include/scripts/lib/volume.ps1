# For the scripts that read from the attached volume, after lib/host.ps1: finds its disk, gives it a drive letter, lets
# go of it at the end.
#
# VOLUME_ID    the attached volume, e.g. vol-0123456789abcdef0 (its disk is found by serial: disk numbers are not kept)

# EBS gives a disk the volume's id without its dash as serial number; NVMe adds a suffix: vol0123456789abcdef0_00000001.
function Find-VolumeDisk {
    $serial = $Asked.VOLUME_ID -replace '-', ''
    $found = Get-Disk | Where-Object { ("$($_.SerialNumber)".Trim() -split '_')[0] -eq $serial } |
        Select-Object -First 1
    if ($found -and ($found.IsBoot -or $found.IsSystem)) {
        Stop-Untouched "The volume $($Asked.VOLUME_ID) is the disk that this host has started from"
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
    Stop-Untouched "No disk of the volume $($Asked.VOLUME_ID) appeared within 60 s although it is attached"
}

# The largest partition with files. A disk that has just been brought online shows its partitions a moment later; one of
# a dynamic disk has none of its own.
function Wait-Partition([int] $Disk) {
    foreach ($second in 1..30) {
        $partition = Get-Partition -DiskNumber $Disk -ErrorAction SilentlyContinue |
            Where-Object { 'Basic', 'IFS' -contains $_.Type } |
            Sort-Object -Property Size -Descending | Select-Object -First 1
        if ($partition) { return $partition }
        Start-Sleep -Seconds 1
    }
    Stop-Untouched "The volume $($Asked.VOLUME_ID) has no partition with files (of a dynamic disk none can be read)"
}

# What a new letter leads to, which Windows may show a moment later.
function Get-KindInTime([string] $Root) {
    foreach ($second in 1..30) {
        try { $kind = Get-Kind $Root } catch { $kind = 'nothing' }
        if ($kind -ne 'nothing') { return $kind }
        Start-Sleep -Seconds 1
    }
    return 'nothing'
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
    $partition = Wait-Partition $disk.Number
    $letter = "$($partition.DriveLetter)"
    if ($letter -notmatch '^[A-Z]$') {
        $letter = Find-FreeLetter
        if (-not $letter) { Stop-Untouched 'This host has no free drive letter for the volume: free one' }
        Set-Partition -DiskNumber $disk.Number -PartitionNumber $partition.PartitionNumber -NewDriveLetter $letter
    }
    # A session learns of new letters when it lists them.
    [void] (Get-PSDrive)
    $kind = Get-KindInTime "${letter}:\"
    if ($kind -ne 'folder') {
        Stop-Untouched ("The volume $($Asked.VOLUME_ID) shows no files under its letter ${letter} " +
            '(is it locked by BitLocker?)')
    }
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

# For the end of a script: whether the disk lets go or not, what the script has to say stands. `unmount` tries again.
function Close-SnapshotVolume {
    try { Dismount-SnapshotVolume }
    catch { [Console]::Error.WriteLine("The volume $($Asked.VOLUME_ID) could not be set offline: $_") }
}

# A link on the volume would lead to this host's own disks: following it would take today's files for the snapshot's.
function Get-OnVolume([string] $Root, [string] $Path, [string] $Kind) {
    $found = $Root.TrimEnd('\')
    foreach ($part in $Path.Split('\/'.ToCharArray())) {
        if ($part -eq '..') { Stop-Untouched "The path $Path leads off the volume $($Asked.VOLUME_ID)" }
        if ($part -eq '.' -or $part -eq '') { continue }
        $found = "$found\$part"
        if ((Get-Kind $found) -like 'linked*') {
            Stop-Untouched "$part in the path $Path on the volume $($Asked.VOLUME_ID) is a link: name what it means"
        }
    }
    if ($found.Length -eq 2) { $found = "$found\" }
    if ((Get-Kind $found) -ne $Kind) { Stop-Untouched "The volume $($Asked.VOLUME_ID) has no $Kind $Path" }
    return $found
}
