# What gpu.sh and gpu-gate.sh share; source it after common.sh. $built: nothing is installed or built. $spabench, $out.

# find_tool NAME: where a tool of the CUDA toolkit is, on PATH or where toolkits are put.
find_tool() {
	local dir

	command -v "$1" && return
	for dir in "${CUDA_PATH:-}" "${CUDA_HOME:-}" /usr/local/cuda; do
		if [ -n "$dir" ] && [ -x "$dir/bin/$1" ]; then
			printf '%s\n' "$dir/bin/$1"
			return
		fi
	done
	return 1
}

# What can be known before minutes of building.
need_gpu() {
	local nvcc

	if [ ! -e /dev/nvidiactl ] && [ ! -e /proc/driver/nvidia/version ] && [ ! -e /dev/dxg ]; then
		die "no NVIDIA GPU is visible (no /dev/nvidiactl); a container needs it passed on (--gpus all)"
	fi
	[ -z "$built" ] || return 0
	nvcc=$(find_tool nvcc) || die "no CUDA toolkit: no nvcc on PATH or in /usr/local/cuda; install 12.8 or later"
	export CUDACXX=$nvcc
}

# need_build PACKAGE..: the program with the CUDA backend, as $spabench; further packages beside those of the build.
need_build() {
	if [ -n "$built" ]; then
		[ -x "$spabench" ] || die "no $spabench: build the preset release there, or leave --built out"
	else
		need_packages "${build_packages[@]}" "$@"
		SB_CUDA=ON build release
	fi
}

# The program's own word on the GPU.
check_gpu() {
	local row

	"$spabench" doctor >"$out/doctor.txt" 2>&1 || true
	cat -- "$out/doctor.txt"
	row=$(grep -A 2 -E '^  [a-z]+ +gpu ' "$out/doctor.txt" || true)
	case $row in
	'  ok '*) ;;
	*) die "the GPU cannot be used: ${row:-doctor does not speak of it}" ;;
	esac
}
