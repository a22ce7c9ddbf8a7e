# shellcheck shell=sh disable=SC2034,SC2153,SC2154
# For copy_tree, after lib/volume.sh: where the tenant's folder is on the volume. What is copied is a real folder of the
# volume at each of its parts; a symbolic link is followed only by a look, which says where it has come to, so that
# somebody can judge whose that is.
#
# SOURCE     the tenant's folder on the volume, relative to its root ("." for all of it)
# SHOWN_AT   where the volume showed on its host: so begin the symbolic links on it that name a whole path. Empty where
#            SOURCE is to be a real folder: no link is followed then
# SEEN_AT    where the folder was seen before the snapshot, relative to the volume's root, when its path led there; taken
#            where SOURCE is no link on the volume (what was mounted over it is elsewhere), or one that leads to nothing
: "${SHOWN_AT=}" "${SEEN_AT=}"

# The kernel would follow a link that names a whole path to today's files of this host. What leads off the volume is
# refused, though it may come back to it.
follow_on_volume() { # follow_on_volume PATH: sets followed, relative to the volume's root, and how many links led there
    followed="" rest="$1" links=0
    while [ -n "$rest" ]; do
        part="${rest%%/*}"
        case "$rest" in */*) rest="${rest#*/}" ;; *) rest="" ;; esac
        case "$part" in
            "" | .) continue ;;
            ..)
                [ -n "$followed" ] || refuse "The folder $1 on the volume $VOLUME_ID leads off the volume"
                case "$followed" in */*) followed="${followed%/*}" ;; *) followed="" ;; esac
                continue
                ;;
        esac
        part="${followed:+$followed/}$part"
        if [ ! -L "$volume_root/$part" ]; then
            followed="$part"
            continue
        fi
        [ -n "$SHOWN_AT" ] || refuse "'$part' on the volume $VOLUME_ID is a link, where a folder was to be"
        links=$((links + 1))
        [ "$links" -le 40 ] || refuse "The folder $1 on the volume $VOLUME_ID is a link that leads to itself"
        to="$(readlink "$volume_root/$part" && printf .)"
        to="${to%??}"
        case "$to/" in
            "${SHOWN_AT%/}"/*) followed="" to="${to#"${SHOWN_AT%/}"}" ;;
            /*)
                # A mount point that was itself reached by a link has another name; the look has seen through it.
                case "$SEEN_AT:$to${rest:+/$rest}" in
                    ?*:*/"$SEEN_AT") followed="" to="$SEEN_AT" rest="" ;;
                    *) refuse "The folder $1 on the volume $VOLUME_ID is a link that leads off the volume, to $to" ;;
                esac
                ;;
        esac
        rest="$to${rest:+/$rest}"
    done
    followed="${followed:-.}"
}

find_source() { # sets source, and relative to the volume's root source_folder (the same) and source_around
    follow_on_volume "$(dirname "$SOURCE")"
    source_around="$followed"
    follow_on_volume "$SOURCE"
    if [ -n "$SEEN_AT" ] && { [ "$links" = 0 ] || [ ! -d "$volume_root/$followed" ]; }; then
        SHOWN_AT=""
        follow_on_volume "$SEEN_AT"
    fi
    source_folder="$followed"
    check_on_volume folder "$source_folder"
    source="$found"
}
