# needs: lib/host.ps1
# Tells of folders of this host which partition is really seen there, on which disk, and whether anything is in them.
# Changes nothing, and looks into no folder below them. The last line it writes is a JSON object, short because Systems
# Manager keeps 24,000 characters:
#   mounts    by number: access path (a drive or a folder), always "/", the same, type of the file system, and the disk,
#             with its name and serial number ("" where Windows shows none, or where several disks are below it)
#   folders   in the order of FOLDERS: "folder", "other" or "nothing"; whether it is empty (the marker and what Windows
#             has in the root of a drive apart); the number of its mount; where it really is when links lead there, else "";
#             an access path below it, relative to it, where there is one: what shows there is on no snapshot of its disk
#
# FOLDERS          one a line, absolute
# OFFLINE_MARKER   file name of the marker that keeps a site offline

$leftAlone = @($Asked.OFFLINE_MARKER, 'System Volume Information', '$RECYCLE.BIN')

# Access paths are compared without regard to case, and with a closing backslash, so that D:\site is not below D:\sit.
function Get-Closed([string] $Path) {
    return $Path.Replace('/', '\').TrimEnd('\') + '\'
}

# Every partition by its access paths: drive letters and folders that it is mounted on.
function Get-Mounts {
    foreach ($partition in @(Get-Partition -ErrorAction SilentlyContinue)) {
        $disk = Get-Disk -Number $partition.DiskNumber
        $serial = "$($disk.SerialNumber)".Trim()
        # A disk of Storage Spaces is made of several, whose serial numbers it does not show.
        if ($disk.BusType -eq 'Spaces') { $serial = '' }
        $volume = $partition | Get-Volume -ErrorAction SilentlyContinue
        foreach ($path in @($partition.AccessPaths)) {
            if (-not $path -or $path.StartsWith('\\')) { continue }
            [pscustomobject] @{
                Path = Get-Closed $path
                Type = "$($volume.FileSystemType)"
                Disk = @("disk $($disk.Number)", $serial)
            }
        }
    }
}

function Find-Mount([object[]] $Mounts, [string] $Path) {
    $closed = Get-Closed $Path
    return $Mounts | Where-Object { $closed.StartsWith($_.Path, [StringComparison]::OrdinalIgnoreCase) } |
        Sort-Object -Property { $_.Path.Length } -Descending | Select-Object -First 1
}

# The path without links. A folder that a partition is mounted on is a link, too, for .NET: it stays as it is.
function Get-RealPath([object[]] $Mounts, [string] $Path) {
    $left = 40
    $rest = New-Object 'Collections.Generic.Stack[string]'
    $real = $Path.Replace('/', '\')
    $root = [IO.Path]::GetPathRoot($real)
    $parts = $real.Substring($root.Length).Split('\')
    [Array]::Reverse($parts)
    foreach ($part in $parts) { $rest.Push($part) }
    $real = $root
    while ($rest.Count -gt 0) {
        $part = $rest.Pop()
        if ($part -eq '' -or $part -eq '.') { continue }
        if ($part -eq '..') { $real = [IO.Path]::GetDirectoryName($real.TrimEnd('\')); continue }
        $next = (Get-Closed $real) + $part
        $mounted = @($Mounts | Where-Object { $_.Path -eq (Get-Closed $next) }).Count -gt 0
        $leads = ''
        if (-not $mounted -and (Test-There $next)) {
            if (([IO.File]::GetAttributes((Get-Long $next)) -band [IO.FileAttributes]::ReparsePoint) -ne 0) {
                $leads = "$(@((Get-Item -LiteralPath (Get-Long $next) -Force).Target)[0])"
            }
        }
        if ($leads -eq '' -or $left -eq 0) { $real = $next; continue }
        $left -= 1
        if ([IO.Path]::IsPathRooted($leads)) { $real = [IO.Path]::GetPathRoot($leads) }
        $parts = $leads.Substring([IO.Path]::GetPathRoot($leads).Length).Split('\')
        [Array]::Reverse($parts)
        foreach ($part in $parts) { $rest.Push($part) }
    }
    return $real
}

function Test-Empty([string] $Path) {
    foreach ($item in Get-Items $Path) {
        if ($leftAlone -notcontains $item.Name) { return $false }
    }
    return $true
}

$mounts = @(Get-Mounts)
$shown = [ordered] @{}
$folders = @()
foreach ($folder in $Asked.FOLDERS.Split("`n")) {
    $folder = $folder.Trim("`r")
    if ($folder -eq '') { continue }
    $real = Get-RealPath $mounts $folder
    $kind, $empty, $number, $below = 'nothing', $true, '0', ''
    if (Test-There $folder) {
        $kind = 'other'
        if ((Get-Kind $folder) -like '*folder') { $kind, $empty = 'folder', (Test-Empty $folder) }
        $closed = Get-Closed $real
        $others = @($mounts | Where-Object {
                $_.Path.Length -gt $closed.Length -and $_.Path.StartsWith($closed, [StringComparison]::OrdinalIgnoreCase)
            })
        if ($others.Count -gt 0) { $below = $others[0].Path.Substring($closed.Length).TrimEnd('\') }
        $mount = Find-Mount $mounts $real
        if ($mount) {
            $number = "$([array]::IndexOf($mounts, $mount) + 1)"
            $shown[$number] = @($mount.Path, '/', $mount.Path, $mount.Type, @(, $mount.Disk))
        }
    }
    if ((Get-Closed $real) -eq (Get-Closed $folder)) { $real = '' }
    $folders += , @($kind, $empty, $number, $real, $below)
}
Write-Answer @{ mounts = $shown; folders = $folders }
