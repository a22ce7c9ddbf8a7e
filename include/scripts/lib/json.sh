# shellcheck shell=sh
# For the scripts that answer in JSON.

# A text as JSON writes it: a quote or backslash is escaped, a control character left out.
json() {
    case "$1" in
        *[!A-Za-z0-9./_:=@,\ -]*) printf '"%s"' "$(printf %s "$1" | tr -d '[:cntrl:]' | sed 's/[\\"]/\\&/g')" ;;
        *) printf '"%s"' "$1" ;; # as nearly every one is: that takes no process
    esac
}
