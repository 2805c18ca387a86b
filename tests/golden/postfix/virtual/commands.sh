#!/bin/sh
# Made by 'postrider convert postfix'. Read it, then run it as root, with the configuration in place. What exists already stays.
# Accounts get new passwords, which are written to ./passwords.
umask 077
[ ! -L passwords ] && { [ ! -e passwords ] || [ -O passwords ]; } || { echo "./passwords is a link, or not yours" >&2; exit 1; }
p() { postrider "$@" || [ $? -eq 4 ] || { echo "failed: postrider $*" >&2; failed=1; }; }
account() {
	new=$(head -c 15 /dev/urandom | base64)
	printf '%s\n' "$new" | postrider account add "$1" --password-stdin && printf '%s %s\n' "$1" "$new" >> passwords
}
login() {
	word=$(k="$2" awk '$1 == ENVIRON["k"] { sub(/^[^ \t]+[ \t]+[^:]*:/, ""); print; exit }' "$1") || word=
	shift 2
	printf '%s\n' "$word" | postrider "$@" || [ $? -eq 4 ] || { echo "failed: postrider $*" >&2; failed=1; }
}
failed=0

p domain add alias.example
p domain add one.example
p domain add two.example
account ann@one.example
account bob@two.example
p domain add third.example
p alias add info@one.example ann@one.example bob@two.example
p alias add @alias.example ann@one.example
p alias add sales@third.example ann@hosting.example bob@two.example
p rewrite add @old.example @one.example --recipient

exit $failed
