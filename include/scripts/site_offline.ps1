# needs: lib/host.ps1
# needs: lib/marker.ps1
# Takes a site offline: writes the marker into its folder. May be run again at any point.
# A marker of an earlier restore of the same tenant becomes this restore's.
# The last line it writes is a JSON object: site is "offline", "was offline already" (by a marker that is of no restore
# of this tenant, which stays as it is) or "no folder".
#
# SITE             the site's folder, absolute
# OFFLINE_MARKER   file name of the marker
# CONTENT          what visitors see; it names the restore, by which site_online knows the marker as its own
# RESTORE_ID       the restore
# CREATE           yes: make the folder when it is missing

if (-not $Asked.CONTENT.Contains($Asked.RESTORE_ID)) {
    [Console]::Error.WriteLine(
        "The content of $($Asked.OFFLINE_MARKER) does not name the restore $($Asked.RESTORE_ID): " +
        'it would never be taken away.')
    exit 1
}
$folder = $Asked.SITE.Replace('/', '\').TrimEnd('\')
$site = Get-Long $folder
$marker = Get-Long "$folder\$($Asked.OFFLINE_MARKER)"
if (-not (Test-There $site)) {
    if ($Asked.CREATE -ne 'yes') { Write-State 'no folder' }
    [void] [IO.Directory]::CreateDirectory($site)
}
if (Test-There $marker) {
    $said = Get-MarkerText $marker
    if ($said.Contains($Asked.RESTORE_ID)) { Write-State 'offline' }
    $tenant = $Asked.RESTORE_ID -creplace '-restore-[^-]*$', ''
    if ($said -cnotmatch "(^|[^a-z0-9-])$tenant-restore-[0-9]{8}T[0-9]{6}Z") { Write-State 'was offline already' }
}
# The file takes its rights from the folder; IIS may read it as it may read the site.
$changed = [IO.Directory]::GetLastWriteTimeUtc($site)
$part = Get-Long "$folder\.$($Asked.OFFLINE_MARKER).$($Asked.RESTORE_ID).part"
try {
    [IO.File]::WriteAllText($part, "$($Asked.CONTENT)`n")
    if (Test-There $marker) {
        Clear-Attributes $marker
        [IO.File]::Replace($part, $marker, [NullString]::Value)
    }
    else { [IO.File]::Move($part, $marker) }
}
finally {
    [IO.File]::Delete($part)
}
[IO.Directory]::SetLastWriteTimeUtc($site, $changed)  # the folder's time is the site's, not the marker's
Write-State 'offline'
