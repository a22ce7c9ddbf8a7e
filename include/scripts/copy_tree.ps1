# needs: lib/host.ps1
# needs: lib/volume.ps1
# needs: lib/source.ps1
# Brings the files of a tenant back: makes TARGET the same as SOURCE on the attached volume, or only PATHS of it.
# May be run again at any point: it converges. The last line it writes is a JSON object: files, bytes, seconds, counted
# (false when not all was, because the time was up), checked_by (what has compared TARGET with SOURCE; empty when
# nothing was copied), folder (what SOURCE has turned out to be, relative to the volume's root), around (the same of the
# folder in which SOURCE lies), and links_left_out: how many linked folders (junctions, mount points) of the snapshot
# were not made again.
#
# VOLUME_ID           see lib/volume.ps1
# SOURCE, SHOWN_AT, SEEN_AT   see lib/source.ps1
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
#   what it cannot read or write, and robocopy counts it (exit code 8). Links to files come back as links (/SL), which
#   /XJ would leave out; /XJD leaves out linked folders alone.
# - Afterwards this script compares names, kinds, sizes, times and where links to files lead, both ways. Nothing may
#   differ, or something was writing to TARGET meanwhile. (`robocopy /L` lists no empty folder that is lost.)
# - Owners, rights and attributes are copied by robocopy alone: it has the privilege to give a file to somebody who is
#   not logged on, which Set-Acl has not.
# Comparing hashes instead would read a volume larger than memory a second time, over the network, and TARGET from
# memory rather than from the disk.
# What TARGET has beyond the snapshot is deleted here and not by robocopy (/E, not /MIR): robocopy follows links of the
# target to wherever they lead, leaves a file that stands where a folder belongs, and must not delete the marker.

$clock = [Diagnostics.Stopwatch]::StartNew()
$limit = [double] "0$($Asked.ONLY_LOOK_SECONDS)"
$counted = $true
$own = 'System Volume Information', '$RECYCLE.BIN'
$inUse = 32, 33  # ERROR_SHARING_VIOLATION, ERROR_LOCK_VIOLATION

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
    if ($plain -eq $Asked.OFFLINE_MARKER) {
        Stop-Untouched "'$plain' keeps the site offline during a restore and is not brought back"
    }
    $kind = Get-Kind "$source\$plain"
    if ($kind -eq 'nothing') { Stop-Untouched "The snapshot has no '$plain' in the folder $($Asked.SOURCE)" }
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

# True for what is neither copied nor deleted at the root of SOURCE and of TARGET.
function Test-LeftAlone([string] $Path) {
    return ($own + $Asked.OFFLINE_MARKER) -contains $Path
}

# Paths of the target that stand in the way or are not in the source, relative to both.
function Get-Obstacles([string] $Path) {
    $kind = Get-Kind "$target\$Path"
    if ($kind -eq 'nothing' -or (Test-LeftAlone $Path)) { return }
    # The target's folder itself may be linked to another place: what is in it is meant.
    if ($Path -ne '' -and $kind -ne (Get-Kind "$source\$Path")) { return $Path }
    if ($Path -eq '' -or $kind -eq 'folder') {
        foreach ($item in Get-Items "$target\$Path") { Get-Obstacles (Join-Below $Path $item.Name) }
    }
}

# Paths of the source that the target does not have as the source has them.
function Get-Lacking([string] $Path) {
    $kind = Get-Kind "$source\$Path"
    if ($kind -eq 'linked folder' -or (Test-LeftAlone $Path)) { return }
    if ($Path -ne '' -and (Get-Kind "$target\$Path") -ne $kind) { return $Path }
    switch ($kind) {
        'folder' {
            foreach ($item in Get-Items "$source\$Path") { Get-Lacking (Join-Below $Path $item.Name) }
        }
        'file' {
            $was, $is = (Get-File "$source\$Path"), (Get-File "$target\$Path")
            if ($was.Length -ne $is.Length -or $was.LastWriteTimeUtc -ne $is.LastWriteTimeUtc) { $Path }
        }
        'linked file' {
            if ((Get-LinkTarget "$source\$Path") -ne (Get-LinkTarget "$target\$Path")) { $Path }
        }
    }
}

function Get-File([string] $Path) {
    return New-Object IO.FileInfo (Get-Long $Path)
}

# Deletes a link itself and never what it leads to.
function Remove-Thing([string] $Path) {
    $kind = Get-Kind $Path
    if ($kind -eq 'folder') {
        foreach ($child in Get-Items $Path) { Remove-Thing "$Path\$($child.Name)" }
    }
    [IO.File]::SetAttributes((Get-Long $Path), [IO.FileAttributes]::Normal)
    if ($kind -like '*folder') { [IO.Directory]::Delete((Get-Long $Path)) } else { [IO.File]::Delete((Get-Long $Path)) }
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
    $always = '/COPYALL', '/DCOPY:DAT', '/B', '/EFSRAW', '/SL', '/XJD', '/XX', '/R:3', '/W:5', '/NP', '/NJH', '/NJS',
        '/NFL', '/NDL'
    # Only at the root: a folder of that name further down is the site's own.
    $notThese = $own | ForEach-Object { "$source\$_" }
    $log = & robocopy.exe $from $to $what @always @Options /XD @notThese /XF "$source\$($Asked.OFFLINE_MARKER)"
    $code = $LASTEXITCODE
    if ($code -ge 8) {
        if ($code -ge 16) { $meaning = 'a fatal error' } else { $meaning = 'some files could not be copied' }
        [Console]::Error.WriteLine("Robocopy ended with ${code}: $meaning. $target may be partly restored.")
        # In the language of the host, so that no word of it can be looked for.
        @($log) | Where-Object { "$_".Trim() } | Select-Object -First 20 |
            ForEach-Object { [Console]::Error.WriteLine("$_".Trim()) }
        exit 1
    }
}

# Makes a folder, without what is in it, as the source has it: its owner, rights, attributes and times.
function Copy-Folder([string] $Path) {
    Invoke-Robocopy $Path '/LEV:1', '/SECFIX', '/XF', '*'
}

# The files below a path of SOURCE or TARGET, and its linked folders, into which it does not look.
function Get-FilesBelow([string] $Root, [string] $Path) {
    $kind = Get-Kind "$Root\$Path"
    if ($kind -eq 'nothing' -or (Test-LeftAlone $Path)) { return }
    if ($limit -gt 0 -and $clock.Elapsed.TotalSeconds -gt $limit) { $script:counted = $false; return }
    if ($Path -eq '' -or $kind -eq 'folder') {
        foreach ($item in Get-Items "$Root\$Path") { Get-FilesBelow $Root (Join-Below $Path $item.Name) }
    }
    elseif ($kind -eq 'linked folder') { [pscustomobject] @{ Path = $Path; Kind = $kind; Length = [long] 0 } }
    else { [pscustomobject] @{ Path = $Path; Kind = $kind; Length = (Get-File "$Root\$Path").Length } }
}

# Looked at once more right before the copy: the preview may be days old. A disk that is mounted below TARGET shows as a
# linked folder: one that the snapshot has, too, is left alone, and one that it has not would be deleted as a link.
function Test-Target {
    if ('file', 'linked file' -contains (Get-Kind $target)) { Stop-Untouched "$target is no folder" }
    if ($Asked.MUST_BE_NEW -eq 'yes' -and (Test-There $target)) {
        $there = Get-Items $target | Where-Object { $_.Name -ne $Asked.OFFLINE_MARKER }
        if ($there) { Stop-Untouched "$target is not empty any more, and what is in it would be gone" }
    }
    foreach ($path in $selected | ForEach-Object { Get-Obstacles $_ }) {
        $links = Get-FilesBelow $target $path | Where-Object { $_.Kind -eq 'linked folder' }
        foreach ($link in $links | Where-Object { (Get-LinkTarget "$target\$($_.Path)") -match 'Volume\{' }) {
            Stop-Untouched "Another disk is mounted on '$($link.Path)' in ${target}: unmount it, or name other paths"
        }
    }
    $fileSystem = "$((Get-VolumeOf $target).FileSystem)"
    if ($fileSystem -ne '' -and $fileSystem -notmatch 'NTFS|ReFS') {
        Stop-Untouched "The file system of $target ($fileSystem) keeps no owners and rights, which a site has"
    }
}

# What the copy takes at its worst: what is not in the snapshot is deleted first, then each file takes the room of its
# own old self and what it has grown by.
function Test-Room($Chosen) {
    $needed = [long] 0
    foreach ($path in $selected | ForEach-Object { Get-Obstacles $_ }) {
        foreach ($file in Get-FilesBelow $target $path) { $needed -= $file.Length }
    }
    foreach ($file in $Chosen) {
        $today = [long] 0
        if ((Get-Kind "$target\$($file.Path)") -like '*file') { $today = (Get-File "$target\$($file.Path)").Length }
        $needed += [Math]::Max([long] 0, $file.Length - $today)
    }
    $volume = Get-VolumeOf $target
    if ($volume -and $needed -gt $volume.SizeRemaining) {
        Stop-Untouched ("$target would need $needed bytes beyond those that are freed in time, and its disk " +
            "has $($volume.SizeRemaining) left")
    }
}

# The site's processes let go of its files a while after the marker was put there; what somebody keeps open can be
# neither replaced nor deleted.
function Wait-Unused {
    $end = $clock.Elapsed.TotalSeconds + 60
    foreach ($path in $selected) {
        foreach ($file in Get-FilesBelow $target $path) {
            while ($file.Kind -eq 'file' -and (Test-InUse "$target\$($file.Path)")) {
                if ($clock.Elapsed.TotalSeconds -gt $end) {
                    Stop-Untouched "'$($file.Path)' in $target is in use: end the program that has it open"
                }
                Start-Sleep -Seconds 1
            }
        }
    }
}

# What cannot be opened for other reasons (its rights, for instance) is robocopy's to open, as a backup program.
function Test-InUse([string] $Path) {
    try { [IO.File]::Open((Get-Long $Path), 'Open', 'ReadWrite', 'None').Dispose() }
    catch [UnauthorizedAccessException] { return $false }
    catch [IO.IOException] { return $inUse -contains ($_.Exception.GetBaseException().HResult -band 0xFFFF) }
    return $false
}

# Makes TARGET what SOURCE is, and makes sure that it has become it.
function Restore-Files {
    [void] [IO.Directory]::CreateDirectory((Get-Long $target))
    $selected | ForEach-Object { Get-Obstacles $_ } | ForEach-Object { Remove-Thing "$target\$_" }
    foreach ($folder in $missing) { Copy-Folder $folder }
    foreach ($path in $selected) { Invoke-Robocopy $path '/IS', '/IT', '/SECFIX' }
    # Once more, the deepest first, because what is put into a folder changes its time.
    for ($last = $missing.Count - 1; $last -ge 0; $last--) { Copy-Folder $missing[$last] }

    $differences = @($selected | ForEach-Object { Get-Lacking $_ } | ForEach-Object { "not as in the snapshot: $_" })
    $differences += @($selected | ForEach-Object { Get-Obstacles $_ } | ForEach-Object { "not in the snapshot: $_" })
    if ($differences.Count -gt 0) {
        [Console]::Error.WriteLine(
            "After the copy $target is not what the snapshot holds (is something writing to it?):")
        $differences | Select-Object -First 20 | ForEach-Object { [Console]::Error.WriteLine("$_".Trim()) }
        exit 1
    }
}

if ($Asked.OFFLINE_MARKER -notmatch '^[A-Za-z0-9._-]*[A-Za-z0-9_-]$') {
    Stop-Untouched "OFFLINE_MARKER '$($Asked.OFFLINE_MARKER)' is not a plain file name"
}
try { $root = Mount-SnapshotVolume }
catch { Stop-Untouched "The volume $($Asked.VOLUME_ID) cannot be brought online ($_)" }
try {
    try {
        $sourceFolder = Find-SourceFolder $root
        $source = (Get-OnVolume $root $sourceFolder.Folder 'folder').TrimEnd('\')
        $target = $Asked.TARGET.Replace('/', '\').TrimEnd('\')
        $missing = New-Object 'Collections.Generic.List[string]'
        $selected = @("$($Asked.PATHS)".Split("`n") | Where-Object { $_.Trim() } | ForEach-Object { Test-Selected $_ })
        if ($selected.Count -eq 0) { $selected = @('') }
        Test-Target
        $chosen = @($selected | ForEach-Object { Get-FilesBelow $source $_ })
        Test-Room $chosen
        if ($limit -eq 0) { Wait-Unused }
    }
    catch { Stop-Untouched "It cannot be looked at all that is to be restored ($_)" }
    $checkedBy = ''
    if ($limit -eq 0) {
        Restore-Files
        $checkedBy = 'names, kinds, sizes and times'
    }
    $files = @($chosen | Where-Object { $_.Kind -ne 'linked folder' })
    $bytes = [long] ($files | Measure-Object -Property Length -Sum).Sum
}
finally {
    Close-SnapshotVolume
}
Write-Answer @{
    files = $files.Count; bytes = $bytes; links_left_out = $chosen.Count - $files.Count
    counted = $counted; checked_by = $checkedBy
    folder = Get-Answered $sourceFolder.Folder; around = Get-Answered $sourceFolder.Around
    seconds = [Math]::Round($clock.Elapsed.TotalSeconds, 3)
}
