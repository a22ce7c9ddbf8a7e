# shellcheck shell=sh disable=SC2034
# For the scripts that say what room there is. df without --output, which came with coreutils 8.21.

nearest_folder() { # nearest_folder PATH: the folder itself, or the nearest one above it that is there
    nearest="$1"
    while [ ! -d "$nearest" ]; do nearest="$(dirname "$nearest")"; done
    printf '%s\n' "$nearest"
}

# The number before the percentage of the last line; names of devices and mount points may have spaces in them.
column_before_percent() { # column_before_percent UNIT: times UNIT; nothing when the file system counts no such thing
    awk -v unit="$1" 'END {
        for (i = 5; i <= NF; i++) if ($i ~ /^([0-9]+%|-)$/) break
        if (i <= NF && $(i - 3) > 0) printf "%.0f\n", ($(i - 1) > 0 ? $(i - 1) * unit : 0)
    }'
}

free_bytes() { # free_bytes FOLDER
    df -Pk "$1" | column_before_percent 1024
}

free_inodes() { # free_inodes FOLDER: nothing where the file system makes as many as it needs
    df -Pi "$1" 2>/dev/null | column_before_percent 1
}
