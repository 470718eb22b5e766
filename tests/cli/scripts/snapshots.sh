# The recorded snapshots of ../shared/traces, where they are: every segment event of PyTorch's, and the time it takes.
command -v python3 >/dev/null || exit 77
shared=$SB_SOURCE/../shared/traces
[ -f "$shared/snapshot_front_churn_default.pickle.gz" ] || exit 77
for name in default expandable; do
	python3 "$SB_SOURCE/reports/snapshot_to_trace.py" "$shared/snapshot_front_churn_$name.pickle.gz" $name.txt 2>/dev/null
	"$SPABENCH" replay $name.txt --check --format csv | tr -d '\r' | grep -E '^(policy|requests|peak_|recorded|device_alloc|cu_mem|check)'
done
