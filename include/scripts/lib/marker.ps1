# For the scripts that take a site offline and online again, or look at it.
#
# OFFLINE_MARKER   file name of the marker

$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'

function Test-There([string] $Path) {
    return [IO.File]::Exists($Path) -or [IO.Directory]::Exists($Path)
}

# What the marker says; empty when it is no file.
function Get-MarkerText([string] $Marker) {
    if ([IO.File]::Exists($Marker)) { return [IO.File]::ReadAllText($Marker) }
    return ''
}

function Write-State([string] $State) {
    @{ site = $State } | ConvertTo-Json -Compress
    exit 0
}
