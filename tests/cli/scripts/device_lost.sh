# A device that is lost in a trial: that trial is stored as failed, another worker goes on, and nothing else is lost.
SPABENCH_FAULT=lose:2000
export SPABENCH_FAULT
"$SPABENCH" run $tiny --blocks 3 --arms before --db lost.db >../out 2>../err </dev/null
echo "[exit $?]"
grep -c 'the worker died' ../err
unset SPABENCH_FAULT
outcome lost.db | sed 's/at op [0-9]*/at op N/'
