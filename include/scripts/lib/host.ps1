# For all scripts: how they look at a path, refuse, and answer. What they are asked is in $Asked, by name.
#
# AWS-RunPowerShellScript runs Windows PowerShell 5.1, in .NET Framework's old ways with paths: one of more than 260
# characters would be an error, and one that begins with \\?\ illegal. Both switches are read when the first path is.

$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'

# Says that nothing was changed, in words and by an exit code of its own.
function Stop-Untouched([string] $What) {
    [Console]::Error.WriteLine("$What; nothing was overwritten.")
    exit 3
}

# The answer, in ASCII alone: the rest of Unicode would come through in whatever code page the agent takes it for.
function Write-Answer($Answer) {
    $text = ConvertTo-Json -InputObject $Answer -Depth 6 -Compress
    [Console]::Out.WriteLine([regex]::Replace($text, '[^\x20-\x7E]', { '\u{0:x4}' -f [int] [char] $args[0].Value }))
    exit 0
}

# A path as Windows takes it at any length: as it stands. The root of a drive needs its backslash.
function Get-Long([string] $Path) {
    $plain = $Path.Replace('/', '\')
    if ($plain -match '^[A-Za-z]:$') { $plain = "$plain\" }
    if ($plain.StartsWith('\\')) { return $plain }
    return "\\?\$plain"
}

# Folders that are links (junctions, mount points) lead elsewhere; links to files are files of another kind. Only what
# Windows does not find is nothing: what cannot be looked at is an error.
function Get-Kind([string] $Path) {
    try { $attributes = [IO.File]::GetAttributes((Get-Long $Path)) }
    catch [IO.FileNotFoundException], [IO.DirectoryNotFoundException] { return 'nothing' }
    $link = ($attributes -band [IO.FileAttributes]::ReparsePoint) -ne 0
    if (($attributes -band [IO.FileAttributes]::Directory) -ne 0) {
        if ($link) { return 'linked folder' } else { return 'folder' }
    }
    if ($link) { return 'linked file' } else { return 'file' }
}

function Test-There([string] $Path) {
    return (Get-Kind $Path) -ne 'nothing'
}

# What is in a folder, hidden files too; an error when it cannot be looked at.
function Get-Items([string] $Folder) {
    return (New-Object IO.DirectoryInfo (Get-Long "$($Folder.TrimEnd('\'))\")).GetFileSystemInfos()
}

# The volume that a path lies on, or the nearest folder above it that is there: it may be mounted on a folder. None when
# Windows does not say.
function Get-VolumeOf([string] $Path) {
    $nearest = $Path.Replace('/', '\').TrimEnd('\')
    while ($nearest.Contains('\') -and (Get-Kind $nearest) -eq 'nothing') {
        $nearest = $nearest.Substring(0, $nearest.LastIndexOf('\'))
    }
    try { return Get-Volume -FilePath "$nearest\" } catch { return $null }
}

if ('AppContext' -as [type]) {
    [AppContext]::SetSwitch('Switch.System.IO.UseLegacyPathHandling', $false)
    [AppContext]::SetSwitch('Switch.System.IO.BlockLongPaths', $false)
}
if (-not [IO.Directory]::Exists((Get-Long "$Env:SystemRoot\"))) {
    Stop-Untouched ('This host''s .NET Framework knows no paths of more than 260 characters: ' +
        'install 4.6.2 or a later one')
}
