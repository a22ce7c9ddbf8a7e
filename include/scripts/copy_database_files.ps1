# needs: lib/host.ps1
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
$onlyLook = "$($Asked.ONLY_LOOK_SECONDS)" -notin '', '0'

function Get-Size([string] $Path) {
    return (New-Object IO.FileInfo (Get-Long $Path)).Length
}

function Test-Equal([string] $One, [string] $Other) {
    if ((Get-Size $One) -ne (Get-Size $Other)) { return $false }
    if ($onlyLook) { return $true }
    $hashes = @($One, $Other | ForEach-Object { (Get-FileHash -LiteralPath (Get-Long $_) -Algorithm SHA256).Hash })
    return $hashes[0] -eq $hashes[1]
}

function Read-Line([string] $Line) {
    $source, $target = $Line.Trim("`r").Split("`t")
    if ("$target" -notmatch '^[A-Za-z]:\\' -or $target -match '(^|\\)\.\.(\\|$)') {
        Stop-Untouched "'$target' is not an absolute path"
    }
    $cut = $target.LastIndexOf('\')
    if (-not ((Get-Kind $target.Substring(0, $cut)) -like '*folder')) {
        Stop-Untouched "The folder of $target does not exist on this host"
    }
    if ($target.Length - $cut + '.part'.Length -gt 256) {
        Stop-Untouched "The name of $target is too long for its disk"
    }
    $file = @{ Source = (Get-OnVolume $root $source 'file'); Target = $target; Part = "$target.part"; Done = $false }
    if ((Get-Kind $target) -ne 'nothing') {
        if ((Get-Kind $target) -ne 'file' -or -not (Test-Equal $file.Source $target)) {
            Stop-Untouched "$target exists and is not a copy of $source"
        }
        $file.Done = $true
    }
    $file.Size = Get-Size $file.Source
    return $file
}

function Test-Room($Files) {
    foreach ($disk in $Files | Where-Object { -not $_.Done } | Group-Object { (Get-VolumeOf $_.Target).UniqueId }) {
        # What an earlier attempt has left of a file gives its room back before the file is copied.
        $left = $disk.Group | Where-Object { Test-There $_.Part } | ForEach-Object { Get-Size $_.Part } |
            Measure-Object -Sum
        $needed = [long] ($disk.Group | ForEach-Object { $_.Size } | Measure-Object -Sum).Sum - [long] $left.Sum
        $volume = Get-VolumeOf $disk.Group[0].Target
        if ($volume -and $needed -gt $volume.SizeRemaining) {
            Stop-Untouched "The disk has $($volume.SizeRemaining) bytes free and $needed are needed"
        }
    }
}

# Set-Acl would set the owner too, for which Windows PowerShell has not the privilege; icacls has. Who owns the file is
# of no matter to SQL Server, who may read and write it is.
function Copy-Rights([string] $From, [string] $To) {
    $was = (New-Object IO.FileInfo (Get-Long $From)).GetAccessControl('Access, Owner')
    $rights = New-Object Security.AccessControl.FileSecurity
    $rights.SetSecurityDescriptorSddlForm($was.GetSecurityDescriptorSddlForm('Access'), 'Access')
    (New-Object IO.FileInfo (Get-Long $To)).SetAccessControl($rights)
    $owner = $was.GetOwner([Security.Principal.SecurityIdentifier]).Value
    [void] (& icacls.exe $To /setowner "*$owner" /Q)
    if ($LASTEXITCODE -ne 0) { [Console]::Error.WriteLine("The owner $owner could not be given to the copy of $From.") }
}

function Copy-ToPart($File) {
    $from, $to = (Get-Long $File.Source), (Get-Long $File.Part)
    [IO.File]::Copy($from, $to, $true)
    [IO.File]::SetAttributes($to, [IO.FileAttributes]::Normal)
    $stream = [IO.File]::Open($to, 'Open', 'ReadWrite')
    try { $stream.Flush($true) } finally { $stream.Dispose() }
    Copy-Rights $File.Source $File.Part
    [IO.File]::SetLastWriteTimeUtc($to, [IO.File]::GetLastWriteTimeUtc($from))
    if (-not (Test-Equal $File.Source $File.Part)) {
        [IO.File]::Delete($to)
        throw "The copy of $($File.Source) to $($File.Target) differs from the volume and was removed."
    }
}

try { $root = Mount-SnapshotVolume }
catch { Stop-Untouched "The volume $($Asked.VOLUME_ID) cannot be brought online ($_)" }
try {
    try {
        $files = @("$($Asked.FILES)".Split("`n") | Where-Object { $_.Trim() } | ForEach-Object { Read-Line $_ })
        if ($files.Count -eq 0) { Stop-Untouched 'No file was named' }
        $twice = @($files | Group-Object { $_.Target } | Where-Object { $_.Count -gt 1 })
        if ($twice.Count -gt 0) { Stop-Untouched "$($twice[0].Name) is named twice" }
        Test-Room $files
    }
    catch { Stop-Untouched "It cannot be looked at all files that are to be copied ($_)" }
    $wanted = @($files | Where-Object { -not $_.Done -and -not $onlyLook })
    foreach ($file in $wanted) { [IO.File]::Delete((Get-Long $file.Part)) }
    foreach ($file in $wanted) { Copy-ToPart $file }
    foreach ($file in $wanted) { [IO.File]::Move((Get-Long $file.Part), (Get-Long $file.Target)) }
    $bytes = [long] ($files | ForEach-Object { $_.Size } | Measure-Object -Sum).Sum
}
finally {
    Close-SnapshotVolume
}
Write-Answer @{ files = $files.Count; bytes = $bytes; seconds = [Math]::Round($clock.Elapsed.TotalSeconds, 3) }
