# shellcheck shell=sh disable=SC2153,SC2154
# For copy_tree, after lib/volume.sh: whether TARGET has become what SOURCE is. Chosen paths as in lib/before_copy.sh.

# What the file system of TARGET makes of a time tells how exactly two times can be the same there.
measure_times() { # sets fraction: how many digits of a second are kept; refuses where nothing can be made
    probe="$TARGET/.$MOUNT_NAME.probe" changed="$(stat -c %y "$TARGET")"
    (: >"$probe" && touch -d @1234567891.123456789 "$probe") || {
        rm -f "$probe"
        refuse "No file can be made in $TARGET"
    }
    kept="$(stat -c %.9Y "$probe")"
    rm -f "$probe"
    touch -d "$changed" "$TARGET"
    case "$kept" in
        1234567891.123456789) fraction=9 ;;
        1234567891.123456*) fraction=6 ;;
        1234567891.*) fraction=0 ;;
        *) refuse "The file system of $TARGET does not keep the second in which a file was changed" ;;
    esac
}

# Lists what cp has left other than the source has it, but for the attributes of folders, which rsync mends here, and
# names of one file that two runs of cp made two files. (--modify-window=-1: times to the nanosecond, since rsync 3.1.3)
differences_by_rsync() {
    window=0
    if [ "$checked_by" = rsync ] && [ "$fraction" = 9 ]; then window=-1; fi
    listed="$(cd "$source" && rsync -aHAX --numeric-ids --modify-window="$window" --relative --no-implied-dirs \
        --delete --exclude="/$OFFLINE_MARKER" --itemize-changes "$@" "$TARGET/")" || exit
    printf %s "$listed" | grep -v -e '^\.d' -e '^hf' || true
}

is_since() { # is_since MAJOR MINOR PATCH: whether this host's rsync is of that version or a later one
    rsync --version 2>/dev/null | awk -v wanted="$1.$2.$3" 'NR == 1 {
        sub(/^[^0-9]+/, "", $3)
        split($3, is, "[^0-9]+")
        split(wanted, want, ".")
        for (i = 1; i <= 3; i++) if (is[i] + 0 != want[i] + 0) exit is[i] + 0 < want[i] + 0
        exit 0
    } END { if (NR == 0) exit 1 }'
}

# Kinds, sizes, times as exactly as TARGET keeps them, modes, owners and where links lead, of all but folders.
differences_by_find() {
    # shellcheck disable=SC2016 # for the shell that it is given to
    listing='
        cd "$1" || exit
        marker="./$2"
        shift 2
        for path; do
            if [ ! -e "$path" ] && [ ! -L "$path" ]; then continue; fi
            find "$path" ! -type d ! -path "$marker" -printf "%p\002%y %s %T@ %m %U:%G %l\0"
        done | tr "\n\0" "\001\n"'
    {
        sh -c "$listing" sh "$source" "$OFFLINE_MARKER" "$@"
        sh -c "$listing" sh "$TARGET" "$OFFLINE_MARKER" "$@"
    } | awk -F '\002' -v digits="$fraction" '{
        split($2, has, " ")
        time = has[3]
        sub(/\..*/, "", time)
        part = has[3] ~ /\./ ? has[3] : ".0"
        sub(/^[^.]*\./, "", part)
        link = $2
        sub(/^[^ ]+ [^ ]+ [^ ]+ [^ ]+ [^ ]+ /, "", link)
        print $1 "\002" has[1], has[2], time "." substr(part, 1, digits), has[4], has[5], link
    }' | LC_ALL=C sort -S 64M | uniq -u | sed 's/\o002.*//' | uniq
}

differences_by_diff() {
    # Sockets, pipes and devices have no content to compare: two of a kind are the same.
    same_kind='is a (fifo|socket|block special file|character special file) while file .* is a \1$'
    for path; do
        if [ -L "$source/$path" ] || { [ ! -d "$source/$path" ] && [ ! -f "$source/$path" ]; }; then continue; fi
        LC_ALL=C diff -rq --no-dereference "$source/$path" "$TARGET/$path" || true
    done | grep -vE "$same_kind" | grep -vxF \
        -e "Only in $source/.: $OFFLINE_MARKER" -e "Only in $TARGET/.: $OFFLINE_MARKER" \
        -e "Files $source/./$OFFLINE_MARKER and $TARGET/./$OFFLINE_MARKER differ" || true
}

# How TARGET is compared with SOURCE afterwards, decided before anything is changed.
choose_check() {
    if ! command -v rsync >/dev/null; then
        need_tools diff
        checked_by="diff and find"
    elif is_since 3 1 3; then
        checked_by=rsync
        if [ "$fraction" = 6 ]; then checked_by="rsync and find"; fi
    else
        checked_by="rsync and find"
    fi
}

list_differences() {
    case "$checked_by" in
        rsync*) differences_by_rsync "$@" ;;
        diff*) differences_by_diff "$@" ;;
    esac
    case "$checked_by" in
        *find) differences_by_find "$@" ;;
    esac
}
