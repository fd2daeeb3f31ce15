#!/bin/sh
# Serves the bare repositories in $REPOSITORIES through git http-backend, and makes a new one at the first push to it.
set -eu

answer() {
    printf 'Status: %s\nContent-Type: text/plain\n\n%s\n' "$1" "$2"
    exit
}

# The first segment of /NAME.git/info/refs and the like.
name=${PATH_INFO#/}
name=${name%%/*}
case $name in
.* | *[!A-Za-z0-9._-]*) answer '404 Not Found' 'a repository is named with letters, digits, ".", "_" and "-"' ;;
?*.git) ;;
*) answer '404 Not Found' 'the name of a repository ends in .git' ;;
esac

# What the user has configured is for the user's own work.
export HOME="$TMPDIR"
mkdir -p "$REPOSITORIES"
GIT_PROJECT_ROOT=$(cd "$REPOSITORIES" && pwd)
repository=$GIT_PROJECT_ROOT/$name

case $PATH_INFO?$QUERY_STRING in
*/info/refs\?service=git-receive-pack)
    if ! [ -d "$repository" ]; then
        # Made aside and moved, so that of two who push at once neither finds half of it.
        new=$(mktemp -d "$GIT_PROJECT_ROOT/.new-XXXXXX")
        git init --quiet --bare --initial-branch=main "$new"
        git -C "$new" config http.receivepack true
        # Housekeeping would outlive this process.
        git -C "$new" config receive.autogc false
        mv -T "$new" "$repository" 2>/dev/null || rm -rf "$new"
    fi
    ;;
esac

export GIT_PROJECT_ROOT GIT_HTTP_EXPORT_ALL=1
exec git http-backend
