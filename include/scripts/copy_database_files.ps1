# needs: lib/volume.ps1
# Copies files of a database from the attached volume to new names, with their rights and times.
# May be run again at any point: a target that is there already is accepted when it equals its source to the byte (an
# earlier attempt has finished it) and refused otherwise. A file carries its name only once it is whole and on the disk.
# The last line it writes is a JSON object: files, bytes, seconds.
#
# VOLUME_ID           see lib/volume.ps1
# FILES               one a line: path on the volume, a tab, absolute path to write; its folder must be there
# ONLY_LOOK_SECONDS   look whether the files could be copied, without reading them, and change nothing; 0 to copy

$clock = [Diagnostics.Stopwatch]::StartNew()
$onlyLook = "$Env:ONLY_LOOK_SECONDS" -notin '', '0'

function Test-Equal([string] $One, [string] $Other) {
    if ((New-Object IO.FileInfo $One).Length -ne (New-Object IO.FileInfo $Other).Length) { return $false }
    if ($onlyLook) { return $true }
    $hashes = @($One, $Other | ForEach-Object { (Get-FileHash -LiteralPath $_ -Algorithm SHA256).Hash })
    return $hashes[0] -eq $hashes[1]
}

function Read-Line([string] $Line) {
    $source, $target = $Line.Trim("`r").Split("`t")
    if ("$target" -notmatch '^[A-Za-z]:\\' -or $target -match '(^|\\)\.\.(\\|$)') {
        Stop-Untouched "'$target' is not an absolute path"
    }
    $folder = [IO.Path]::GetDirectoryName($target)
    if (-not [IO.Directory]::Exists($folder)) { Stop-Untouched "The folder $folder does not exist on this host" }
    $file = @{ Source = (Get-OnVolume $root $source 'file'); Target = $target; Part = "$target.part"; Done = $false }
    if ((Get-Kind $target) -ne 'nothing') {
        if ((Get-Kind $target) -ne 'file' -or -not (Test-Equal $file.Source $target)) {
            Stop-Untouched "$target exists and is not a copy of $source"
        }
        $file.Done = $true
    }
    $file.Size = (New-Object IO.FileInfo $file.Source).Length
    return $file
}

function Test-Room($Files) {
    foreach ($disk in $Files | Where-Object { -not $_.Done } | Group-Object { [IO.Path]::GetPathRoot($_.Target) }) {
        # What an earlier attempt has left of a file gives its room back before the file is copied.
        $left = $disk.Group | Where-Object { [IO.File]::Exists($_.Part) } |
            ForEach-Object { (New-Object IO.FileInfo $_.Part).Length } | Measure-Object -Sum
        $needed = [long] ($disk.Group | ForEach-Object { $_.Size } | Measure-Object -Sum).Sum - [long] $left.Sum
        $free = (New-Object IO.DriveInfo $disk.Name).AvailableFreeSpace
        if ($needed -gt $free) {
            Stop-Untouched "$($disk.Name) has $free bytes free and $needed are needed"
        }
    }
}

function Copy-ToPart($File) {
    [IO.File]::Copy($File.Source, $File.Part, $true)
    $stream = [IO.File]::Open($File.Part, 'Open', 'ReadWrite')
    try { $stream.Flush($true) } finally { $stream.Dispose() }
    Set-Acl -LiteralPath $File.Part -AclObject (Get-Acl -LiteralPath $File.Source)
    [IO.File]::SetLastWriteTimeUtc($File.Part, [IO.File]::GetLastWriteTimeUtc($File.Source))
    if (-not (Test-Equal $File.Source $File.Part)) {
        [IO.File]::Delete($File.Part)
        throw "The copy of $($File.Source) to $($File.Target) differs from the volume and was removed."
    }
}

$root = Mount-SnapshotVolume
try {
    $files = @("$Env:FILES".Split("`n") | Where-Object { $_.Trim() } | ForEach-Object { Read-Line $_ })
    if ($files.Count -eq 0) { Stop-Untouched 'No file was named' }
    $twice = @($files | Group-Object { $_.Target } | Where-Object { $_.Count -gt 1 })
    if ($twice.Count -gt 0) { Stop-Untouched "$($twice[0].Name) is named twice" }
    if (-not $onlyLook) { foreach ($file in $files) { [IO.File]::Delete($file.Part) } }
    Test-Room $files
    $wanted = @($files | Where-Object { -not $_.Done -and -not $onlyLook })
    foreach ($file in $wanted) { Copy-ToPart $file }
    foreach ($file in $wanted) { [IO.File]::Move($file.Part, $file.Target) }
    $bytes = [long] ($files | ForEach-Object { $_.Size } | Measure-Object -Sum).Sum
}
finally {
    Dismount-SnapshotVolume
}
@{
    files = $files.Count; bytes = $bytes; seconds = [Math]::Round($clock.Elapsed.TotalSeconds, 3)
} | ConvertTo-Json -Compress
exit 0
