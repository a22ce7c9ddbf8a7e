# shellcheck shell=sh
# For the scripts that look into a folder of a site: what of it lies on other disks.

# Lists the mount points below a folder, relative to it. Other disks show there: no snapshot of this one has their files.
mounts_below() { # mounts_below FOLDER
    folder="$(readlink -f "$1")"
    # One program for all of them: a host that runs containers has hundreds of mounts. The kernel writes spaces, tabs,
    # newlines and backslashes as \040 and so on (proc(5), mountinfo).
    LC_ALL=C above="${folder%/}/" awk '
        function plain(text,  done, at) {
            while ((at = index(text, "\\")) > 0) {
                code = 64 * substr(text, at + 1, 1) + 8 * substr(text, at + 2, 1) + substr(text, at + 3, 1)
                done = done substr(text, 1, at - 1) sprintf("%c", code)
                text = substr(text, at + 4)
            }
            return done text
        }
        {
            point = plain($5)
            if (index(point, ENVIRON["above"]) != 1) next
            below = substr(point, length(ENVIRON["above"]) + 1)
            if (below != "") print below
        }' /proc/self/mountinfo
}
