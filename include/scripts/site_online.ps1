# needs: lib/host.ps1
# needs: lib/marker.ps1
# Puts a site online again: takes the marker of this restore away, and no other. May be run again at any point.
# The last line it writes is a JSON object: site is "online" (this run put it there), "was online already",
# "offline by somebody else" (the marker is not of this restore and stays) or "no folder".
#
# SITE             the site's folder, absolute
# OFFLINE_MARKER   file name of the marker
# RESTORE_ID       the restore

$folder = $Asked.SITE.Replace('/', '\').TrimEnd('\')
$site = Get-Long $folder
$marker = Get-Long "$folder\$($Asked.OFFLINE_MARKER)"
if ((Get-Kind $site) -notlike '*folder') { Write-State 'no folder' }
[IO.File]::Delete((Get-Long "$folder\.$($Asked.OFFLINE_MARKER).$($Asked.RESTORE_ID).part"))
if (-not (Test-There $marker)) { Write-State 'was online already' }
if (-not (Get-MarkerText $marker).Contains($Asked.RESTORE_ID)) { Write-State 'offline by somebody else' }
$changed = [IO.Directory]::GetLastWriteTimeUtc($site)
Clear-Attributes $marker
[IO.File]::Delete($marker)
[IO.Directory]::SetLastWriteTimeUtc($site, $changed)  # the folder's time is the site's, not the marker's
Write-State 'online'
