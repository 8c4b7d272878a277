# SPDX-License-Identifier: BSD-2-Clause
# bash completion for skep. Verbs and options come from `skep --help` and `skep VERB --help`, so they
# are always those of the program that is typed.

_skep_guests()
{
	"$1" config show 2>/dev/null | sed -n '/^guests:/,/^[a-z]*:/s/^ *- *name: *\([a-z0-9-]*\).*/\1/p'
}

_skep_destinations()
{
	"$1" config show 2>/dev/null | sed -n '/^destinations:/,/^[a-z_]*:/s/^ *- *name: *\([a-z0-9-]*\).*/\1/p'
}

_skep_sessions()
{
	"$1" sessions 2>/dev/null | awk '$1 ~ /^[0-9a-z]{11}$/ { print $1 }'
}

# _skep_values PROGRAM OPTION: what may stand after it; files: yes if it is a path.
_skep_values()
{
	case $2 in
	-k | --kind)
		"$1" events --help | sed -n '/--kind/,/^  -D/p' | sed '$d; s/^ *-k, --kind K *//; s/,/ /g' ;;
	-D | --direction) echo inbound outbound lateral ;;
	-V | --verdict) echo forward limit drop reject redirect reflect rewrite ;;
	-P | --proto) echo tcp udp icmp icmp6 ;;
	-g | --guest | --class) _skep_guests "$1" ;;
	--destination) _skep_destinations "$1" ;;
	--only) "$1" prove --list 2>/dev/null | awk '{ print $1 }' ;;
	--mode) echo lab alias shared bridge ;;
	esac
}

# Every option in the help of a verb, but those of examples.
_skep_options()
{
	"$1" "$2" --help 2>/dev/null | sed 's/^Example:.*//; s/`[^`]*`//g' |
		grep -oE -e '(^|[][ ,(|])(--[a-z][a-z0-9-]+|-[A-Za-z]\b)' | grep -oE -e '-.*' | sort -u
	echo --help
}

# _skep_words PROGRAM WORD...: what may come after these words (those before the one being typed).
_skep_words()
{
	local program=$1 verb=$2
	shift
	if [ $# -eq 0 ]; then
		"$program" --help 2>/dev/null | awk '/^  [a-z]/ { print $1 }'
		echo --help --version
		return
	fi
	_skep_options "$program" "$verb"
	case $verb:$2:$# in
	config::1) echo example schema reference show ;;
	sessions::1) echo show export ;;
	files::1) echo list show get ;;
	replay::1 | sessions:show:2 | sessions:export:2) _skep_sessions "$program" ;;
	guest::1) echo list creds console reset ;;
	image::1) echo build list ;;
	rules::1) echo check list stats update reload rehearse ;;
	policy::1) echo show set reset ignore ;;
	fence::1) echo add del list ;;
	lockdown::1) echo on off status ;;
	log::1) echo diff ;;
	alerts::1) echo log show test preview reload ;;
	alerts:test:2) _skep_destinations "$program" ;;
	evidence::1) echo verify ;;
	guest:creds:2 | guest:console:2 | guest:reset:2 | policy:set:2 | policy:reset:2)
		_skep_guests "$program" ;;
	policy:set:3) echo forward limit drop reject redirect rewrite ;;
	policy:ignore:2) echo add del list ;;
	image:build:2) echo debian loghost tiny ;;
	esac
}

_skep()
{
	local program=${COMP_WORDS[0]} cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
	local words
	program=${program/#\~/$HOME}
	[ "$COMP_CWORD" -gt 1 ] && words=$(_skep_values "$program" "$prev")
	[ -n "$words" ] || words=$(_skep_words "$program" "${COMP_WORDS[@]:1:COMP_CWORD-1}")
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
	# Files where an argument of an option, or of a verb that takes some, may stand.
	if [ ${#COMPREPLY[@]} -eq 0 ] && [ "$COMP_CWORD" -gt 1 ]; then
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
	fi
}

complete -F _skep skep
