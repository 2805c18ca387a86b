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

p domain add example.org
p domain add lists.example.org --relay pipe:mailman
p route add --to archive.example --via pipe:archive:store
p route add --to .archive.example --via pipe:archive
p alias import /etc/aliases

exit $failed
