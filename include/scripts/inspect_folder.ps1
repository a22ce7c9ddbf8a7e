# needs: lib/marker.ps1
# Tells what a folder holds and what room there is, for a restore's preview. Changes nothing.
# The last line it writes is a JSON object:
#   exists       whether the folder is there
#   empty        whether nothing is in it, the marker apart
#   files, bytes how many files and how much content, as far as counted; linked folders are not looked into
#   counted      false when the time was up before all was counted: there is more
#   free_bytes   room for more on its disk
#   marker       null, the id of the restore whose marker lies there, or "unknown" when it is somebody else's
#   free_letter  whether a drive letter is free, for the volume with the files
#
# TARGET           the folder, absolute
# OFFLINE_MARKER   file name of the marker that keeps a site offline
# COUNT_SECONDS    when to give up counting

$clock = [Diagnostics.Stopwatch]::StartNew()
$limit = [double]::Parse($Env:COUNT_SECONDS, [Globalization.CultureInfo]::InvariantCulture)
$answer = @{ exists = $false; empty = $true; files = 0; bytes = [long] 0; counted = $true; marker = $null }
$marker = [IO.Path]::Combine($Env:TARGET, $Env:OFFLINE_MARKER)
$waiting = New-Object 'Collections.Generic.Stack[IO.DirectoryInfo]'
if ([IO.Directory]::Exists($Env:TARGET)) {
    $answer.exists = $true
    $waiting.Push((New-Object IO.DirectoryInfo $Env:TARGET))
    if (Test-There $marker) {
        $id = [regex]::Match((Get-MarkerText $marker), '[a-z0-9-]+-restore-[0-9]{8}T[0-9]{6}Z').Value
        if ($id) { $answer.marker = $id } else { $answer.marker = 'unknown' }
    }
}
while ($waiting.Count -gt 0 -and $answer.counted) {
    foreach ($item in $waiting.Pop().EnumerateFileSystemInfos()) {
        if ($item.FullName -eq $marker) { continue }
        $answer.empty = $false
        if ($clock.Elapsed.TotalSeconds -gt $limit) {
            $answer.counted = $false
            break
        }
        if ($item -is [IO.FileInfo]) {
            $answer.files += 1
            $answer.bytes += $item.Length
        }
        elseif (($item.Attributes -band [IO.FileAttributes]::ReparsePoint) -eq 0) { $waiting.Push($item) }
    }
}
$drives = [IO.DriveInfo]::GetDrives()
$answer.free_bytes = (New-Object IO.DriveInfo ([IO.Path]::GetPathRoot($Env:TARGET))).AvailableFreeSpace
$answer.free_letter = @($drives | Where-Object { $_.Name -match '^[D-Z]:' }).Count -lt 23
$answer | ConvertTo-Json -Compress
exit 0
