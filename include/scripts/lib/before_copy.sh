# shellcheck shell=sh disable=SC2034,SC2153,SC2154
# For copy_tree, after lib/volume.sh, lib/mounts.sh and lib/room.sh: what is looked at before anything is changed, so
# that nothing stops it half-way. Each look refuses, or says nothing.
# Chosen paths are relative to SOURCE and to TARGET alike, and begin with "./"; "." alone is all of it.

check_path() { # one of PATHS; adds folders on the way to it that TARGET does not have to `missing`
    case "/$1/" in
        */../* | */./* | *//*) refuse "'$1' is not a path below the folder" ;;
        "/$OFFLINE_MARKER/") refuse "'$1' keeps the site offline during a restore and is not brought back" ;;
    esac
    [ -e "$source/$1" ] || [ -L "$source/$1" ] || refuse "The snapshot has no '$1' in the folder $SOURCE"
    parent="" rest="$1"
    while [ "$rest" != "${rest#*/}" ]; do
        parent="${parent:+$parent/}${rest%%/*}" rest="${rest#*/}"
        [ ! -L "$source/$parent" ] || refuse "'$parent' is a symbolic link in the snapshot: name the path that it means"
        if [ -L "$TARGET/$parent" ] || { [ -e "$TARGET/$parent" ] && [ ! -d "$TARGET/$parent" ]; }; then
            refuse "'$parent' in $TARGET is no folder today, as it is in the snapshot: bring back '$parent' itself"
        fi
        if [ ! -e "$TARGET/$parent" ]; then missing="$missing$parent
"; fi
    done
}

check_target() { # check_target PATH...
    if [ -L "$TARGET" ] && [ ! -e "$TARGET" ]; then refuse "$TARGET is a link that leads nowhere"; fi
    [ ! -e "$TARGET" ] || [ -d "$TARGET" ] || refuse "$TARGET is no folder"
    on_disk="$(nearest_folder "$TARGET")"
    [ -w "$on_disk" ] || refuse "$on_disk cannot be written to: its file system is read-only, or it is locked"
    [ -d "$TARGET" ] || return 0
    present="$(cd "$TARGET" && find . -mindepth 1 ! -path "./$OFFLINE_MARKER" -print -quit)"
    if [ "$MUST_BE_NEW" = yes ] && [ -n "$present" ]; then
        refuse "$TARGET is not empty any more, and what is in it would be gone"
    fi
    # Of another disk's files the snapshot has nothing: they would all be deleted.
    refuse_chosen "Another disk is mounted on" "unmount it" "$(mounts_below "$TARGET")" "$@"
    refuse_chosen "The kernel has open as a disk or as swap space" "end that" "$(disk_files_below "$TARGET")" "$@"
}

# When one of FILES lies in a chosen path, or a chosen path in it.
refuse_chosen() { # refuse_chosen WHAT TODO FILES PATH...
    what="$1" todo="$2" files="$3"
    shift 3
    while IFS= read -r file; do
        for path; do
            if [ -n "$file" ] && { [ "$path" = . ] || is_in "$file" "${path#./}" || is_in "${path#./}" "$file"; }; then
                refuse "$what '$file' in $TARGET: $todo, or name other paths"
            fi
        done
    done <<END
$files
END
}

is_in() { # is_in PATH FOLDER
    case "$1/" in "$2"/*) return 0 ;; esac
    return 1
}

# Swap space cannot be replaced, and a mounted image would go on showing the old one.
disk_files_below() { # disk_files_below FOLDER: relative to it
    folder="$(readlink -f "$1")"
    {
        awk 'NR > 1 && $2 == "file" { print $1 }' /proc/swaps 2>/dev/null || true
        cat /sys/block/loop*/loop/backing_file 2>/dev/null || true
    } | while IFS= read -r file; do
        case "$file" in
            "${folder%/}"/?*) printf '%s\n' "${file#"${folder%/}/"}" ;;
        esac
    done
}

# A file system that keeps no owners, modes and links, or takes a name in another case for the same, holds no site.
check_file_system() {
    type="$(stat -f -c %T "$on_disk")"
    case "$type" in
        vfat | msdos | exfat | ntfs* | fuseblk | cifs | smb* | isofs | hfs*)
            refuse "The file system of $TARGET ($type) keeps no owners, modes and links, which a site on Linux has" ;;
    esac
    if is_caseless "$on_disk" && ! is_caseless "$source"; then
        refuse "$on_disk takes names that differ in case for the same (casefold), and the snapshot does not"
    fi
}

is_caseless() { # is_caseless FOLDER: of ext4 or f2fs, with the attribute F
    case "$(lsattr -d -- "$1" 2>/dev/null)" in *F*" $1") return 0 ;; esac
    return 1
}

# Append-only, and immutable, are attributes of ext4, xfs and others; root has to take them away itself.
list_locked() { # list_locked PATH...: and the folders on the way to them
    cd "$TARGET" || return
    for path; do
        folder="$path"
        while [ "$folder" != . ]; do
            folder="$(dirname "$folder")"
            [ ! -d "$folder" ] || [ -w "$folder" ] || printf '%s\n' "$folder"
            lsattr -d -- "$folder" 2>/dev/null
        done
        if [ -L "$path" ] || [ ! -e "$path" ]; then continue; fi
        lsattr -d -- "$path" 2>/dev/null
        [ ! -d "$path" ] || timeout "$ONLY_LOOK_SECONDS" lsattr -Ra -- "$path" 2>/dev/null
    done | awk -v marker="./$OFFLINE_MARKER" '
        $1 ~ /^[-A-Za-z]+$/ && length($1) > 9 {
            if ($1 !~ /[ai]/) next
            sub(/^[^ ]+ +/, "")
        }
        /^\./ && !/\/\.\.?$/ && !/:$/ && $0 != marker'
}

# Every file of both sides, sorted by name, SOURCE first: name, side, kind, number of names, inode, size, blocks of 512
# bytes on the disk; and what even root cannot write to, of which access(2) knows. A newline in a name is written as
# \001, and \002 ends a name.
list_both() { # list_both PATH...
    # shellcheck disable=SC2016 # for the shell that it is given to
    one_side='
        side="$1" marker="./$3"
        cd "$2" || exit
        shift 3
        for path; do
            if [ ! -e "$path" ] && [ ! -L "$path" ]; then continue; fi
            find "$path" ! -path "$marker" \( -type l -o -writable -o -printf "%p\002\tunwritable $side\0" \) \
                -printf "%p\002\t$side\t%y\t%n\t%i\t%s\t%b\0" || [ "$side" = TARGET ] ||
                printf "\002\tunreadable\0"
        done
        printf "\002\tall\0"'
    {
        timeout "$ONLY_LOOK_SECONDS" sh -c "$one_side" sh SOURCE "$source" "$OFFLINE_MARKER" "$@" || true
        if [ -d "$TARGET" ]; then
            timeout "$ONLY_LOOK_SECONDS" sh -c "$one_side" sh TARGET "$TARGET" "$OFFLINE_MARKER" "$@" || true
        else
            printf '\002\tall\0'
        fi
    } | tr '\n\0' '\001\n' | LC_ALL=C sort -S 64M
}

# What the copy takes at its worst: what is not in SOURCE is deleted first, then each file makes room for its own new
# self alone, and for nothing before that. A file of several names makes none while one of them stands.
# Answers: files, bytes, longest name, bytes and inodes that are needed beyond those that are freed, whether all was
# counted, and a file in the way.
add_up() {
    LC_ALL=C awk -F '\002\t' -v block="$(stat -f -c %S "$on_disk")" '
        function on_disk(kind, blocks) { return int((blocks * 512 + block - 1) / block) * block }
        function add(freed, freed_inodes) {
            if (name == "") return
            if (was[3] > 1 && was[2] != "d" && seen[was[4]]++) { name = ""; return }
            need = on_disk(was[2], was[6])
            if (need > freed) growth += need - freed
            inodes += 1 - freed_inodes
            name = ""
        }
        $1 == "" && $2 == "all" { sides++; next }
        $1 == "" { unreadable = 1; next }
        $2 ~ /^unwritable/ { if ($2 ~ /TARGET/ && locked == "") locked = $1; next }
        {
            split($2, now, "\t")
            frees = now[2] == "d" || now[3] == 1
            if (now[1] == "SOURCE") {
                add(0, 0)
                name = $1
                split($2, was, "\t")
                if (now[2] == "f") { files++; bytes += now[5] }
                last = $1
                sub(/.*\//, "", last)
                if (length(last) > longest) longest = length(last)
            } else if ($1 == name && now[2] == "d" && was[2] == "d") {
                add(on_disk("d", now[6]), 1)
            } else if ($1 == name && (now[2] == "d") == (was[2] == "d")) {
                add(frees * on_disk(now[2], now[6]), frees)
            } else {
                growth -= frees * on_disk(now[2], now[6])
                inodes -= frees
            }
        }
        END {
            add(0, 0)
            printf "%d %.0f %d %.0f %.0f %s\n", files, bytes, longest, growth + (growth > 0) * growth / 100, inodes,
                unreadable ? "unreadable" : sides < 2 ? "some" : "all"
            print locked
        }'
}

# Looks at every file, of both sides; sets files, bytes and counted (all, some).
check_content() { # check_content PATH...
    sums="$(list_both "$@" | add_up)"
    {
        read -r files bytes longest needed inodes counted
        IFS= read -r locked || true # there is mostly none
    } <<END
$sums
END
    if [ -z "$locked" ] && [ -d "$TARGET" ]; then locked="$(list_locked "$@" | head -n 1)"; fi
    [ -z "$locked" ] || refuse "'${locked#./}' in $TARGET cannot be replaced: it is locked (chattr -i -a frees it), or \
its file system is read-only"
    [ "$counted" != unreadable ] || refuse "The snapshot's folder $SOURCE cannot be read to its end"
    longest_there="$(stat -f -c %l "$on_disk")"
    [ "$longest" -le "$longest_there" ] ||
        refuse "The snapshot has names of $longest bytes, and the file system of $TARGET takes $longest_there"
    free="$(free_bytes "$on_disk")"
    [ "$needed" -le "${free:-$needed}" ] ||
        refuse "$TARGET would need $needed bytes beyond those that are freed in time, and its disk has $free left"
    free="$(free_inodes "$on_disk")"
    [ "$inodes" -le "${free:-$inodes}" ] ||
        refuse "$TARGET would need $inodes inodes more, and its file system has $free left: it holds too many files"
}
