# needs: lib/host.ps1
# needs: lib/marker.ps1
# Tells what a folder holds and what room there is, for a restore's preview. Changes nothing.
# The last line it writes is a JSON object:
#   exists       whether the folder is there
#   no_folder    whether something else is there that is no folder
#   real         where the folder really is, when it is a linked folder; else the same as TARGET
#   mounts       always none: a disk that shows below it is a linked folder, and a restore leaves those alone
#   empty        whether nothing is in it, the marker apart
#   files, bytes how many files and how much content, as far as counted; linked folders are not looked into
#   counted      false when not all was counted, because the time was up or not all could be looked at
#   free_bytes   room for more on its disk (on that of the nearest folder above it when it is missing), or null
#   free_inodes  always null: NTFS makes as many files as there is room for
#   writable     always true: only writing tells, and nothing is written here
#   marker       null, the id of the restore whose marker lies there, or "unknown" when it is somebody else's
#   free_letter  whether a drive letter is free, for the volume with the files
#
# TARGET           the folder, absolute
# OFFLINE_MARKER   file name of the marker that keeps a site offline
# COUNT_SECONDS    when to give up counting

$clock = [Diagnostics.Stopwatch]::StartNew()
$limit = [double]::Parse($Asked.COUNT_SECONDS, [Globalization.CultureInfo]::InvariantCulture)
$answer = @{ exists = $false; empty = $true; files = 0; bytes = [long] 0; counted = $true; marker = $null }
$target = $Asked.TARGET.Replace('/', '\').TrimEnd('\')
$kind = Get-Kind $target
$answer.no_folder = $kind -like '*file'
$answer.real = $Asked.TARGET
$answer.mounts = @()
$answer.free_inodes = $null
$answer.writable = $true
$marker = "$target\$($Asked.OFFLINE_MARKER)"
$waiting = New-Object 'Collections.Generic.Stack[string]'
if ($kind -like '*folder') {
    $answer.exists = $true
    $leads = @((Get-Item -LiteralPath (Get-Long $target) -Force).Target)
    if ($leads.Count -gt 0 -and $leads[0]) { $answer.real = $leads[0] }
    $waiting.Push($target)
    if (Test-There $marker) {
        $id = [regex]::Match((Get-MarkerText $marker), '[a-z0-9-]+-restore-[0-9]{8}T[0-9]{6}Z').Value
        if ($id) { $answer.marker = $id } else { $answer.marker = 'unknown' }
    }
}
$inTime = $true
while ($waiting.Count -gt 0 -and $inTime) {
    $folder = $waiting.Pop()
    # On a busy site folders go while they are looked at, and some may be closed to this script.
    try { $items = @(Get-Items $folder) } catch { $answer.counted = $false; continue }
    foreach ($item in $items) {
        if ("$folder\$($item.Name)" -eq $marker) { continue }
        $answer.empty = $false
        if ($clock.Elapsed.TotalSeconds -gt $limit) {
            $answer.counted = $inTime = $false
            break
        }
        if ($item -is [IO.FileInfo]) {
            $answer.files += 1
            $answer.bytes += $item.Length
        }
        elseif (($item.Attributes -band [IO.FileAttributes]::ReparsePoint) -eq 0) {
            $waiting.Push("$folder\$($item.Name)")
        }
    }
}
$volume = Get-VolumeOf $target
$answer.free_bytes = $null
if ($volume) { $answer.free_bytes = $volume.SizeRemaining }
$drives = [IO.DriveInfo]::GetDrives()
$answer.free_letter = @($drives | Where-Object { $_.Name -match '^[D-Z]:' }).Count -lt 23
Write-Answer $answer
