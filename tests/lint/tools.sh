# Shared by the lint scripts.

# Debian 12's. Another version formats and complains differently, and nobody could satisfy two.
version=14

# find_tool NAME: its pinned version; says so where there is none.
find_tool() {
	for candidate in "$1-$version" "$1"; do
		if "$candidate" --version 2>/dev/null | grep -q "version $version\."; then
			echo "$candidate"
			return 0
		fi
	done
	echo "skipped: no $1 of version $version on this machine" >&2
	return 1
}

# c_files FOLDER..: the C files in them.
c_files() {
	find "$@" -name '*.[ch]' | sort
}
