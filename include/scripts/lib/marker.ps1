# For the scripts that take a site offline and online again, or look at it, after lib/host.ps1.
#
# OFFLINE_MARKER   file name of the marker

# What the marker says; empty when it is no file.
function Get-MarkerText([string] $Marker) {
    if ((Get-Kind $Marker) -like '*file') { return [IO.File]::ReadAllText((Get-Long $Marker)) }
    return ''
}

# Windows deletes and replaces no file that is marked read-only.
function Clear-Attributes([string] $Marker) {
    if ((Get-Kind $Marker) -eq 'file') { [IO.File]::SetAttributes((Get-Long $Marker), [IO.FileAttributes]::Normal) }
}

function Write-State([string] $State) {
    Write-Answer @{ site = $State }
}
