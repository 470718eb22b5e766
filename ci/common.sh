# What demo.sh and test.sh share; source it. Sets $root and gives need_packages and build.

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)

say() {
	printf '==> %s\n' "$*"
}

die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 3
}

# What the program is built from and what its built-in clip is decoded with.
build_packages=(cmake ninja-build gcc libc6-dev pkg-config libsqlite3-dev libjansson-dev libinih-dev libpng-dev
	zlib1g-dev libopenblas-openmp-dev ffmpeg)

missing_packages() {
	local package

	for package in "$@"; do
		# A package that another one provides (pkgconf for pkg-config) counts as installed under that name.
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || printf '%s\n' "$package"
	done
}

# apt-get that asks nothing and waits for another one that is running; up to three tries, for mirrors fail at times.
apt() {
	local try

	for try in 1 2 3; do
		if "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 "$@" </dev/null; then
			return 0
		fi
		say "apt-get $1 failed (try $try of 3)"
		sleep $((5 * try))
	done
	return 1
}

# need_packages PACKAGE..: installs those that are missing, and only then touches the package manager.
need_packages() {
	local missing

	if ! command -v dpkg-query >/dev/null; then
		say "no dpkg here: whatever is missing of these has to be installed by hand: $*"
		return 0
	fi
	mapfile -t missing < <(missing_packages "$@")
	[ ${#missing[@]} -gt 0 ] || return 0
	say "installing ${missing[*]}"
	as_root=()
	if [ "$(id -u)" -ne 0 ]; then
		command -v sudo >/dev/null || die "not root and no sudo: as root, run apt-get install ${missing[*]}"
		as_root=(sudo)
	fi
	apt update || say "apt-get update failed; trying with the lists that are there"
	apt install -y --no-install-recommends "${missing[@]}" || die "cannot install ${missing[*]}"
}

# build PRESET [TARGET..]: configures and builds in build/PRESET, on as many cores as this process may use.
build() {
	local preset=$1 cache=$root/build/$1/CMakeCache.txt log fresh=() generator=() cuda=()

	shift
	command -v ninja >/dev/null && generator=(-G Ninja)
	if [ -f "$cache" ]; then
		# Made by another generator, or by the tree that this one was copied from: neither can be gone on with.
		generator=()
		grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$root" "$cache" || fresh=(--fresh)
	fi
	# The CUDA kernels take minutes to build: where there is a GPU to run them, or on demand (SB_CUDA=ON).
	if [ "$preset" = release ]; then
		cuda=(-DSB_CUDA=OFF)
		[ ! -e /dev/nvidiactl ] || cuda=(-DSB_CUDA=AUTO)
		[ -z "${SB_CUDA:-}" ] || cuda=(-DSB_CUDA="$SB_CUDA")
	fi
	say "building ($preset)"
	mkdir -p -- "$root/build"
	log=$root/build/configure-$preset.log
	(cd -- "$root" && cmake --preset "$preset" "${fresh[@]}" "${generator[@]}" "${cuda[@]}") >"$log" 2>&1 || {
		cat -- "$log" >&2
		die "cannot configure the build"
	}
	(cd -- "$root" && cmake --build --preset "$preset" -j "$(nproc)" ${1:+--target "$@"}) || exit 4
}
