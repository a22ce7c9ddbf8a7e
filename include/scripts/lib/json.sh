# shellcheck shell=sh
# For the scripts that answer in JSON.

# A text as JSON writes it: a quote or backslash is escaped, a control character left out.
json() {
    printf '"%s"' "$(printf %s "$1" | tr -d '[:cntrl:]' | sed 's/[\\"]/\\&/g')"
}
