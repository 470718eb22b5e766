# ci/gpu-gate.sh with a program that does nothing, on a machine that is taken to have a GPU: what it calls and how it ends.
command -v flock >/dev/null || exit 77
cp -r "$SB_SOURCE/ci" .
echo 'need_gpu() { :; }' >>ci/gpu-common.sh
mkdir -p build/release/harness/cli
: >build/release/harness/cli/libspabench_cuda.so
cat >build/release/harness/cli/spabench <<'STUB'
#!/bin/sh
case $1 in
help) exit 0 ;;
doctor) echo '  ok       gpu  fine' && exit 0 ;;
esac
echo "[$(basename "$(dirname "$0")" | sed 's/[.][0-9]*$/.N/') $*]" | sed 's/[.][0-9]\{6,\}/.N/g'
case $1 in
gate) echo "${STUB_SAYS:-nothing}" && exit "${STUB_GATE:-0}" ;;
pairs) exit "${STUB_PAIRS:-0}" ;;
merge) : >"$3" ;;
esac
STUB
chmod +x build/release/harness/cli/spabench
export SPABENCH_DB=$PWD/state/gate.db TMPDIR=$PWD
unset VIDEO
# gate ARGS..
gate() {
	echo "\$ ci/gpu-gate.sh --built $*"
	ci/gpu-gate.sh --built "$@" >../out 2>../err </dev/null
	code=$?
	show_output
	[ ! -d state ] || ls state | sed 's/[.][0-9]*$/.N/'
}
STUB_PAIRS=4 gate
gate
sleep 1 # folders are told apart by the second
STUB_SAYS='1 metric is slower' STUB_GATE=1 gate
cat build/gate/gate.txt
STUB_GATE=5 gate
STUB_GATE=5 gate --allow-inconclusive
STUB_GATE=3 gate
gate --set
VIDEO=clip.y4m gate --baseline nightly
gate --baseline ../main
gate --baseline
gate --frob
rm build/release/harness/cli/spabench
gate
