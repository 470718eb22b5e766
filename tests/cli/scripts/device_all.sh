# Every GPU of the host at once: a run each, with what they have in common.
SPABENCH_CUDA_LIB=$SB_FAKE_CUDA_LIB
export SPABENCH_CUDA_LIB
all="--preset tiny $tiny --device all"
# sorted ARGS..: a run on every GPU; lines of several processes come in any order.
sorted() {
	echo "\$ spabench run [all] $*"
	"$SPABENCH" run $all "$@" >../out 2>../err </dev/null
	code=$?
	grep -v -e ' not tested: ' -e planted ../out | sort | visible ''
	grep -v planted ../err | sort | visible '2> '
	echo "[exit $code]"
}
export SB_FAKE_CUDA=devices=2
sorted --db all.db
"$SPABENCH" list --db all.db | sed '1d' | awk '{ print $3, $4, $5, $6 }'
for uid in $("$SPABENCH" list --db all.db | sed '1d;s/ .*//'); do
	"$SPABENCH" export json "all.db:$uid" --out - | tr -d ' \n' | grep -o -e '"group[^}]*}' -e '"device_uuid":"[^"]*"' | sed 's/"[0-9a-f]\{32\}"/ID/' | sort -u | paste -s -d ' '
done | sort
"$SPABENCH" show --db all.db --all | sed -n 's/.*group  *id: \([0-9a-f]*\).*/\1/p' >../id
[ "$(wc -c <../id)" = 33 ] && echo 'a group has an id'
"$SPABENCH" compare --machines --db all.db --format csv | tr -d '\r' | sed "s/$(uname -n)/HOST/" | grep -e '^metric' -e '^wall_ns' | cut -d , -f 1-5
"$SPABENCH" compare --machines --db all.db | sed -n '1,3p;/^total  /,/between machines/p' | sed -E "s/$(uname -n)/HOST/; s/[0-9.]+ m?s\b/T/g; s/[0-9]+\.[0-9]+/N/g; s/ +/ /g"

echo '--- one of them cannot'
SB_FAKE_CUDA=devices=2,broken=1 sorted --arms after --db one.db
"$SPABENCH" list --db one.db | sed '1d' | awk '{ print $3, $4, $5, $6 }'
SB_FAKE_CUDA=devices=2,broken=1 sorted --exe /bin/false --db none.db
ls
try compare --machines --db one.db | sed -E "s/$(uname -n)/HOST/; s/run [0-9a-f]{8}/run ID/"
"$SB_MAKE_DB" made.db --blocks 6 --trace-blocks 0 --runs 2
try compare --machines --db made.db | sed -E "s/$(uname -n)/HOST/; s/run [0-9a-f]{8}/run ID/"
try compare --machines --effects --db all.db
try compare --machines --junit x.xml --db all.db

echo '--- none to use'
SPABENCH_CUDA_LIB=none try_tiny --device all --db no.db
SB_FAKE_CUDA=devices=0 try_tiny --device all --db no.db
SB_FAKE_CUDA=devices=65 try_tiny --device all --db no.db
SB_FAKE_CUDA=capability=75 try_tiny --device all --db no.db
try_tiny --device all --db no.db --save results
try_tiny --device all --db no/such/folder.db
ls

echo '--- stopped'
"$SPABENCH" run $all --blocks 5000 --db stop.db >../out 2>../err </dev/null &
pid=$!
two_children() {
	[ "$(children $pid | wc -l)" -ge 2 ]
}
eventually 60 two_children || echo 'no two processes within 60 s'
kill -TERM $pid
wait $pid
echo "[exit $?]"
grep -v '^cuda' ../out
grep '^spabench run' ../err
ls
