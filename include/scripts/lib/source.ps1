# For copy_tree, after lib/host.ps1 and lib/volume.ps1: where the tenant's folder is on the volume. What is copied is a
# real folder of the volume at each of its parts; a link is followed only by a look, which says where it has come to, so
# that somebody can judge whose that is.
#
# SOURCE              the tenant's folder on the volume, relative to its root ("." for all of it)
# SHOWN_AT            where the volume showed on its host: so begin the links on it that name a whole path. Empty where
#                     SOURCE is to be a real folder: no link is followed then
# SEEN_AT             where the folder was seen before the snapshot, relative to the volume's root, when its path led
#                     there; taken where SOURCE is no link on the volume (what was mounted over it is elsewhere), or one
#                     that leads to nothing

function Join-Below([string] $Path, [string] $Name) {
    if ($Path -eq '') { return $Name }
    return "$Path\$Name"
}

function Get-LinkTarget([string] $Path) {
    return "$(@((Get-Item -LiteralPath (Get-Long $Path) -Force).Target)[0])"
}

# Adds the parts of a path to those that are still to be gone, its first one on top.
function Add-Parts($Rest, [string] $Path) {
    $parts = $Path.Split('\/'.ToCharArray())
    [Array]::Reverse($parts)
    foreach ($part in $parts) { $Rest.Push($part) }
}

# Where a path leads on the volume, relative to its root, and how many links led there. Windows would follow a link that
# names a whole path to today's files of this host. What leads off the volume is refused, though it may come back to it.
function Resolve-OnVolume([string] $Root, [string] $Path) {
    $off = "The folder $Path on the volume $($Asked.VOLUME_ID)"
    $shown, $seen = ("$($Asked.SHOWN_AT)", "$($Asked.SEEN_AT)" | ForEach-Object { $_.Replace('/', '\').TrimEnd('\') })
    $folder, $links = '', 0
    $rest = New-Object 'Collections.Generic.Stack[string]'
    Add-Parts $rest $Path
    while ($rest.Count -gt 0) {
        $part = $rest.Pop()
        if ($part -eq '' -or $part -eq '.') { continue }
        if ($part -eq '..') {
            if ($folder -eq '') { Stop-Untouched "$off leads off the volume" }
            $folder = $folder.Substring(0, [Math]::Max(0, $folder.LastIndexOf('\')))
            continue
        }
        $next = Join-Below $folder $part
        if ((Get-Kind "$($Root.TrimEnd('\'))\$next") -notlike 'linked*') { $folder = $next; continue }
        if ($shown -eq '') {
            Stop-Untouched "'$next' on the volume $($Asked.VOLUME_ID) is a link, where a folder was to be"
        }
        $links += 1
        if ($links -gt 40) { Stop-Untouched "$off is a link that leads to itself" }
        $to = (Get-LinkTarget "$($Root.TrimEnd('\'))\$next").Replace('/', '\')
        if ("$to\".StartsWith("$shown\", [StringComparison]::OrdinalIgnoreCase)) {
            $folder, $to = '', $to.Substring($shown.Length)
        }
        elseif ($to -eq '' -or [IO.Path]::IsPathRooted($to)) {
            # A mount point that was itself reached by a link has another name; the look has seen through it.
            $whole = (@($to) + $rest.ToArray()) -join '\'
            if ($seen -eq '' -or -not $whole.EndsWith("\$seen", [StringComparison]::OrdinalIgnoreCase)) {
                Stop-Untouched "$off is a link that leads off the volume, to $to"
            }
            $folder, $to = '', $seen
            $rest.Clear()
        }
        Add-Parts $rest $to
    }
    return @{ Folder = $folder; Links = $links }
}

# The tenant's folder, and the one in which it lies, relative to the volume's root; the root itself is empty.
function Find-SourceFolder([string] $Root) {
    $found = Resolve-OnVolume $Root $Asked.SOURCE
    $around = (Resolve-OnVolume $Root ($Asked.SOURCE -replace '[^\\/]+[\\/]*$', '')).Folder
    $isThere = (Get-Kind "$($Root.TrimEnd('\'))\$($found.Folder)") -eq 'folder'
    $folder = $found.Folder
    if ("$($Asked.SEEN_AT)" -ne '' -and ($found.Links -eq 0 -or -not $isThere)) { $folder = $Asked.SEEN_AT }
    return @{ Folder = $folder; Around = $around }
}

# A folder of the volume as it is answered.
function Get-Answered([string] $Folder) {
    if ($Folder -eq '') { return '.' }
    return $Folder.Replace('\', '/')
}
