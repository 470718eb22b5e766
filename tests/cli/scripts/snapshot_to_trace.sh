# reports/snapshot_to_trace.py: what it makes of a snapshot, and what it refuses.
command -v python3 >/dev/null || exit 77
convert() {
	echo "\$ snapshot_to_trace.py $*"
	python3 "$SB_SOURCE/reports/snapshot_to_trace.py" "$@" >../out 2>../err </dev/null
	code=$?
	show_output
}

python3 - <<'PY'
import gzip, pickle
def e(action, t, addr=None, size=0, stream=0):
    return {"action": action, "time_us": 1795345938516150 + t, "size": size, "stream": stream,
            ("device_free" if action == "oom" else "addr"): addr}
A, B, C = 0x7f0000000000, 0x7f00002dc800, 0x7f0100000000
trace = [
    e("segment_alloc", 0, A, 20971520), e("alloc", 0, A, 3000000),
    e("segment_alloc", 9, C, 2097152, 94000512), e("alloc", 9, C, 77, 94000512),
    e("alloc", 8, B, 5000000),                             # the clock of a history is not quite steady
    e("free_requested", 20, A, 3000000), e("free_completed", 20, A, 3000000),
    e("free_requested", 21, B, 5000000), e("alloc", 30, A, 2500000), e("free_completed", 31, B, 5000000),
    e("oom", 40, 12345, 9 << 30), e("snapshot", 50, 0),
]
stats = {"num_ooms": 1, "num_alloc_retries": 1, "reserved_bytes.all.peak": 23068672, "num_device_alloc": 2, "odd": 3}
snap = {"segments": [{"device": 0, "stream": 0, "blocks": [{"address": A, "requested_size": 2500000, "state": "active_allocated"}]}],
        "device_traces": [[], trace], "allocator_settings": {"PYTORCH_CUDA_ALLOC_CONF": "max_split_size_mb:64"},
        "extra": {"torch": "2.11", "total_memory": 8 << 30, "memory_stats": stats}}
snap["segments"][0]["device"] = 1
with gzip.open("s.pickle.gz", "wb") as f:
    pickle.dump(snap, f)
late = dict(snap, device_traces=[trace[5:7]], segments=[])
del late["extra"]
pickle.dump(late, open("late.pickle", "wb"))
private = [{"device": 1, "stream": 0, "blocks": [], "address": A, "segment_pool_id": p} for p in ((0, 0), (0, 1))]
pickle.dump(dict(snap, segments=private[:1]), open("shared.pickle", "wb"))
pickle.dump(dict(snap, segments=private), open("private.pickle", "wb"))
two = dict(snap, device_traces=[trace, trace])
pickle.dump(two, open("two.pickle", "wb"))
class Evil:
    def __reduce__(self):
        return (print, ("this was run",))
pickle.dump({"device_traces": Evil()}, open("evil.pickle", "wb"))
open("text.pickle", "w").write("no pickle\n")
PY

convert s.pickle.gz
convert s.pickle.gz s.txt
convert s.pickle.gz --events 4 --conf expandable_segments:True --limit 1000000 --no-times
convert late.pickle
convert two.pickle
convert two.pickle --device 1 --events 2
convert evil.pickle
convert text.pickle
convert missing.pickle
convert s.pickle.gz s.txt.gz
gzip -dc s.txt.gz | cmp - s.txt && echo same
"$SPABENCH" replay s.txt.gz --check | grep check
convert shared.pickle shared.txt
convert private.pickle
echo '# a disk that is full'
convert s.pickle.gz /dev/full
python3 "$SB_SOURCE/reports/snapshot_to_trace.py" s.pickle.gz 2>&1 >/dev/full </dev/null
echo "[exit $?]"
cp s.txt old.txt
(
	trap '' XFSZ
	ulimit -f 0
	python3 "$SB_SOURCE/reports/snapshot_to_trace.py" s.pickle.gz old.txt 2>&1 </dev/null
	echo "[exit $?]"
) | cat
cmp s.txt old.txt && ls -A
convert s.pickle.gz no/such/folder.txt
