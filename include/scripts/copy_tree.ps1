# needs: lib/volume.ps1
# Brings the files of a tenant back: makes TARGET the same as SOURCE on the attached volume, or only PATHS of it.
# May be run again at any point: it converges. The last line it writes is a JSON object: files, bytes, seconds, counted
# (false when not all was, because the time was up), checked_by (what has compared TARGET with SOURCE; empty when
# nothing was copied), and links_left_out: how many linked folders (junctions, mount points) of the snapshot were not
# made again.
#
# VOLUME_ID           see lib/volume.ps1
# SOURCE              the folder on that volume, relative to its root ("." for all of it)
# TARGET              the folder to overwrite, absolute
# OFFLINE_MARKER      file name; at the root of TARGET it keeps the site offline and is neither copied nor deleted
# PATHS               paths below SOURCE, one a line: only these are brought back; empty for all. Folders on the way to
#                     them that TARGET does not have are made with SOURCE's rights, attributes and times; others stay
# MUST_BE_NEW         yes: refuse a TARGET that holds anything
# ONLY_LOOK_SECONDS   look whether all of it could be brought back, counting files for so long, and change nothing; 0 to
#                     copy
#
# What came back is what the snapshot holds, and this is why, with each byte of the volume read once:
# - Robocopy copies every file, also where size and time are the same (/IS /IT): those can be forged. Windows reports
#   what it cannot read or write, and robocopy counts it (exit code 8).
# - Afterwards `robocopy /L` lists what it would still copy, by size and time, and this script what TARGET has beyond
#   the snapshot. Nothing may be left, or something was writing to TARGET meanwhile.
# Comparing hashes instead would read a volume larger than memory a second time, over the network, and TARGET from
# memory rather than from the disk.
# What TARGET has beyond the snapshot is deleted here and not by robocopy (/E, not /MIR): robocopy follows links of the
# target to wherever they lead, leaves a file that stands where a folder belongs, and must not delete the marker.

$clock = [Diagnostics.Stopwatch]::StartNew()
$limit = [double] "0$Env:ONLY_LOOK_SECONDS"
$counted = $true
$own = 'System Volume Information', '$RECYCLE.BIN'

function Get-Parts([string] $Path) {
    $parts = $Path.Trim("`r").Replace('/', '\').TrimEnd('\').Split('\')
    foreach ($part in $parts) {
        # Windows drops dots and spaces at the end of a name: '.. ' would be '..'.
        if ($part -eq '' -or $part -match '[. ]$' -or $part -match '[:*?"<>|]') {
            Stop-Untouched "'$Path' is not a path below the folder"
        }
    }
    return , $parts
}

# Refuses a path that cannot come back; returns it, and collects the folders on the way that TARGET does not have.
function Test-Selected([string] $Path) {
    $parts = Get-Parts $Path
    $plain = $parts -join '\'
    if ($plain -eq $Env:OFFLINE_MARKER) {
        Stop-Untouched "'$plain' keeps the site offline during a restore and is not brought back"
    }
    $kind = Get-Kind "$source\$plain"
    if ($kind -eq 'nothing') { Stop-Untouched "The snapshot has no '$plain' in the folder $Env:SOURCE" }
    if ($kind -eq 'linked folder') { Stop-Untouched "'$plain' is a linked folder in the snapshot: make it by hand" }
    for ($depth = 1; $depth -lt $parts.Count; $depth++) {
        $parent = $parts[0..($depth - 1)] -join '\'
        if ((Get-Kind "$source\$parent") -ne 'folder') {
            Stop-Untouched "'$parent' is a link in the snapshot: name the path that it means"
        }
        $today = Get-Kind "$target\$parent"
        if ($today -eq 'nothing') {
            if ($missing -notcontains $parent) { $missing.Add($parent) }
        }
        elseif ($today -ne 'folder') {
            Stop-Untouched ("'$parent' in $target is no folder today, as it is in the snapshot: " +
                "bring back '$parent' itself")
        }
    }
    return $plain
}

# What of the target stands in the way or is not in the source.
function Get-Obstacles([string] $From, [string] $To) {
    foreach ($item in (New-Object IO.DirectoryInfo $To).GetFileSystemInfos()) {
        if ($To -eq $target -and ($own + $Env:OFFLINE_MARKER) -contains $item.Name) { continue }
        $kind = Get-Kind $item.FullName
        if ($kind -ne (Get-Kind "$From\$($item.Name)")) { $item }
        elseif ($kind -eq 'folder') { Get-Obstacles "$From\$($item.Name)" $item.FullName }
    }
}

function Get-ObstaclesOf([string] $Path) {
    if ($Path -eq '') { return Get-Obstacles $source $target }
    $kind = Get-Kind "$target\$Path"
    if ($kind -eq 'nothing') { return }
    if ($kind -ne (Get-Kind "$source\$Path")) {
        if ($kind -like '*folder') { return New-Object IO.DirectoryInfo "$target\$Path" }
        return New-Object IO.FileInfo "$target\$Path"
    }
    if ($kind -eq 'folder') { return Get-Obstacles "$source\$Path" "$target\$Path" }
}

# Deletes a link itself and never what it leads to.
function Remove-Thing([IO.FileSystemInfo] $Thing) {
    if ((Get-Kind $Thing.FullName) -eq 'folder') {
        foreach ($child in $Thing.GetFileSystemInfos()) { Remove-Thing $child }
    }
    $Thing.Attributes = [IO.FileAttributes]::Normal
    $Thing.Delete()
}

# Robocopy's exit code is a sum: 1 files were copied, 2 the target has more than the source, 4 a file stands where a
# folder belongs or the other way round, 8 some files could not be copied, 16 a fatal error and nothing was copied.
function Invoke-Robocopy([string] $Path, [string[]] $Options) {
    if ((Get-Kind "$source\$Path") -eq 'folder') {
        $from, $to, $what = "$source\$Path", "$target\$Path", '/E'
    }
    else {
        $from, $to = [IO.Path]::GetDirectoryName("$source\$Path"), [IO.Path]::GetDirectoryName("$target\$Path")
        $what = [IO.Path]::GetFileName($Path)
    }
    # A backslash before the closing quote of an argument would escape that quote; only a drive's root needs one.
    $from, $to = @($from, $to) | ForEach-Object { $_.TrimEnd('\') -replace '^([A-Za-z]:)$', '$1\' }
    $always = '/COPYALL', '/DCOPY:DAT', '/B', '/SL', '/XJ', '/XX', '/R:1', '/W:1', '/NP', '/NJH', '/NJS'
    $log = & robocopy.exe $from $to $what @always @Options /XD @own /XF "$source\$Env:OFFLINE_MARKER"
    $code = $LASTEXITCODE
    if ($code -ge 8) {
        if ($code -ge 16) { $meaning = 'a fatal error' } else { $meaning = 'some files could not be copied' }
        [Console]::Error.WriteLine("Robocopy ended with ${code}: $meaning. $target may be partly restored.")
        $log | Where-Object { $_ -match 'ERROR' } | Select-Object -First 20 |
            ForEach-Object { [Console]::Error.WriteLine($_.Trim()) }
        exit 1
    }
    if ($code -ne 0) { return $log | Where-Object { $_.Trim() } }
}

# Last, because what is put into a folder changes its time.
function Set-AsInSource([string] $Path) {
    $was, $now = (New-Object IO.DirectoryInfo "$source\$Path"), (New-Object IO.DirectoryInfo "$target\$Path")
    Set-Acl -LiteralPath $now.FullName -AclObject (Get-Acl -LiteralPath $was.FullName)
    $now.Attributes = $was.Attributes
    $now.CreationTimeUtc = $was.CreationTimeUtc
    $now.LastWriteTimeUtc = $was.LastWriteTimeUtc
}

# The files below a folder, and its linked folders, into which it does not look.
function Get-FilesBelow([string] $Folder) {
    foreach ($item in (New-Object IO.DirectoryInfo "$Folder\").GetFileSystemInfos()) {
        if ($limit -gt 0 -and $clock.Elapsed.TotalSeconds -gt $limit) { $script:counted = $false; return }
        if ($Folder -eq $source -and ($own + $Env:OFFLINE_MARKER) -contains $item.Name) { continue }
        if ((Get-Kind $item.FullName) -eq 'folder') { Get-FilesBelow $item.FullName } else { $item }
    }
}

# The files and linked folders that are brought back.
function Get-Chosen {
    foreach ($path in $selected) {
        if ((Get-Kind "$source\$path") -eq 'folder') { Get-FilesBelow ("$source\$path".TrimEnd('\')) }
        else { New-Object IO.FileInfo "$source\$path" }
    }
}

# Looked at once more right before the copy: the preview may be days old. Other disks need no look here: they show as
# linked folders, which are never looked into.
function Test-Target {
    if ('file', 'linked file' -contains (Get-Kind $target)) { Stop-Untouched "$target is no folder" }
    if ($Env:MUST_BE_NEW -eq 'yes' -and [IO.Directory]::Exists($target)) {
        $there = (New-Object IO.DirectoryInfo $target).GetFileSystemInfos() |
            Where-Object { $_.Name -ne $Env:OFFLINE_MARKER }
        if ($there) { Stop-Untouched "$target is not empty any more, and what is in it would be gone" }
    }
}

# What the copy takes at its worst: what is not in the snapshot is deleted first, then each file takes the room of its
# own old self and what it has grown by.
function Test-Room {
    $needed = [long] 0
    foreach ($thing in $selected | ForEach-Object { Get-ObstaclesOf $_ }) {
        if ($thing -is [IO.FileInfo]) { $needed -= $thing.Length }
        elseif ((Get-Kind $thing.FullName) -eq 'folder') {
            $inside = Get-FilesBelow $thing.FullName | Where-Object { $_ -is [IO.FileInfo] }
            $needed -= [long] ($inside | Measure-Object -Property Length -Sum).Sum
        }
    }
    foreach ($file in Get-Chosen | Where-Object { $_ -is [IO.FileInfo] }) {
        $today = New-Object IO.FileInfo ($target + '\' + $file.FullName.Substring($source.Length).TrimStart('\'))
        if ($today.Exists) { $needed += [Math]::Max([long] 0, $file.Length - $today.Length) }
        else { $needed += $file.Length }
    }
    $free = (New-Object IO.DriveInfo ([IO.Path]::GetPathRoot($target))).AvailableFreeSpace
    if ($needed -gt $free) {
        Stop-Untouched ("$target would need $needed bytes beyond those that are freed in time, and its disk " +
            "has $free left")
    }
}

# Makes TARGET what SOURCE is, and makes sure that it has become it.
function Restore-Files {
    [void] [IO.Directory]::CreateDirectory($target)
    $selected | ForEach-Object { Get-ObstaclesOf $_ } | ForEach-Object { Remove-Thing $_ }
    foreach ($folder in $missing) { [void] [IO.Directory]::CreateDirectory("$target\$folder") }
    foreach ($path in $selected) { [void] (Invoke-Robocopy $path '/IS', '/IT', '/SECFIX', '/NFL', '/NDL') }
    foreach ($folder in $missing) { Set-AsInSource $folder }

    $differences = @($selected | ForEach-Object { Invoke-Robocopy $_ '/L' })
    $differences += @($selected | ForEach-Object { Get-ObstaclesOf $_ } |
            ForEach-Object { "not in the snapshot: $($_.FullName)" })
    if ($differences.Count -gt 0) {
        [Console]::Error.WriteLine(
            "After the copy $target is not what the snapshot holds (is something writing to it?):")
        $differences | Select-Object -First 20 | ForEach-Object { [Console]::Error.WriteLine("$_".Trim()) }
        exit 1
    }
}

if ($Env:OFFLINE_MARKER -notmatch '^[A-Za-z0-9._-]*[A-Za-z0-9_-]$') {
    Stop-Untouched "OFFLINE_MARKER '$Env:OFFLINE_MARKER' is not a plain file name"
}
try { $root = Mount-SnapshotVolume }
catch { Stop-Untouched "The volume $Env:VOLUME_ID cannot be brought online ($_)" }
try {
    $source = (Get-OnVolume $root $Env:SOURCE 'folder').TrimEnd('\')
    $target = $Env:TARGET.Replace('/', '\').TrimEnd('\')
    $missing = New-Object 'Collections.Generic.List[string]'
    $selected = @("$Env:PATHS".Split("`n") | Where-Object { $_.Trim() } | ForEach-Object { Test-Selected $_ })
    if ($selected.Count -eq 0) { $selected = @('') }
    Test-Target
    Test-Room
    $checkedBy = ''
    if ($limit -eq 0) {
        Restore-Files
        $checkedBy = 'robocopy'
    }
    $items = @(Get-Chosen)
    $files = @($items | Where-Object { $_ -is [IO.FileInfo] })
    $bytes = [long] ($files | Measure-Object -Property Length -Sum).Sum
}
finally {
    Dismount-SnapshotVolume
}
@{
    files = $files.Count; bytes = $bytes; links_left_out = $items.Count - $files.Count
    counted = $counted; checked_by = $checkedBy
    seconds = [Math]::Round($clock.Elapsed.TotalSeconds, 3)
} | ConvertTo-Json -Compress
exit 0
