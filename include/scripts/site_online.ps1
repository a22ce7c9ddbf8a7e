# needs: lib/marker.ps1
# Puts a site online again: takes the marker of this restore away, and no other. May be run again at any point.
# The last line it writes is a JSON object: site is "online" (this run put it there), "was online already",
# "offline by somebody else" (the marker is not of this restore and stays) or "no folder".
#
# SITE             the site's folder, absolute
# OFFLINE_MARKER   file name of the marker
# RESTORE_ID       the restore

$marker = [IO.Path]::Combine($Env:SITE, $Env:OFFLINE_MARKER)
if (-not [IO.Directory]::Exists($Env:SITE)) { Write-State 'no folder' }
[IO.File]::Delete([IO.Path]::Combine($Env:SITE, ".$Env:OFFLINE_MARKER.$Env:RESTORE_ID.part"))
if (-not (Test-There $marker)) { Write-State 'was online already' }
if (-not (Get-MarkerText $marker).Contains($Env:RESTORE_ID)) { Write-State 'offline by somebody else' }
$changed = [IO.Directory]::GetLastWriteTimeUtc($Env:SITE)
[IO.File]::Delete($marker)
[IO.Directory]::SetLastWriteTimeUtc($Env:SITE, $changed)  # the folder's time is the site's, not the marker's
Write-State 'online'
