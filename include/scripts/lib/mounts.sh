# shellcheck shell=sh
# For the scripts that look into a folder of a site: what of it lies on other disks.

# Lists the mount points below a folder, relative to it. Other disks show there: no snapshot of this one has their files.
mounts_below() { # mounts_below FOLDER
    folder="$(readlink -f "$1")"
    # The kernel writes spaces, tabs, newlines and backslashes as \040 and so on (proc(5), mountinfo).
    awk '{ print $5 }' /proc/self/mountinfo | sed 's/\\/\\0/g' | while IFS= read -r point; do
        point="$(printf %b "$point")"
        case "$point" in
            "${folder%/}"/?*) printf '%s\n' "${point#"${folder%/}/"}" ;;
        esac
    done
}
