# Traces: replayed, checked, and those that cannot be.
unset PYTORCH_ALLOC_CONF PYTORCH_CUDA_ALLOC_CONF
head='spabench-trace 1
source a test
policy default
device_bytes 150109880320
begin'

# trace NAME EVENT..: writes NAME.txt
trace() {
	name=$1
	shift
	{
		echo "$head"
		for event; do echo "$event"; done
		echo "end $#"
	} >"$name.txt"
}

trace good 'S 0 7f0000000000 20971520' 'a 0 7f0000000000 3000000' 'a 5 7f00002dc800 5000000' 'f 1700 7f0000000000' \
	'S 1800 7f0010000000 2097152' 'a 1800 7f0010000000 100' 'f 2000 7f00002dc800'
try replay good.txt --check
try replay good.txt --alloc expandable
try replay good.txt --alloc none --format csv
try replay good.txt --conf max_split_size_mb:64,expandable_segments:True --format markdown
try replay good.txt --alloc default --limit 21MiB --format json
gzip -n good.txt && try replay good.txt.gz --check --format csv

echo '# holes in the middle: more is asked for, or they are moved'
trace holes 'a 0 7f0000000000 83886080' 'a 0 7f0010000000 8388608' 'a 0 7f0020000000 83886080' 'a 0 7f0030000000 8388608' \
	'f 1 7f0000000000' 'f 1 7f0020000000' 'a 2 7f0040000000 125829120'
for policy in expandable stitched; do
	"$SPABENCH" replay holes.txt --alloc $policy --format csv | grep -E '^(policy|peak_reserved|driver_calls|cu_mem_create|stitch)' | visible ''
done

echo '# where it differs'
trace size 'S 0 7f0000000000 25165824' 'a 0 7f0000000000 3000000'
try replay size.txt --check --format csv
trace missing 'S 0 7f0000000000 20971520' 'a 0 7f0000000000 3000000' 'S 9 7f0010000000 20971520' 'a 9 7f00002dc800 3000000'
try replay missing.txt --check --format csv
trace place 'S 0 7f0000000000 20971520' 'a 0 7f0000100000 3000000'
try replay place.txt --check --format csv

echo '# what is no trace'
trace twice 'a 0 7f0000000000 512' 'f 1 7f0000000000' 'f 2 7f0000000000'
try replay twice.txt
trace unknown 'a 0 7f0000000000 512' 'f 1 7f0000000200'
try replay unknown.txt
trace again 'a 0 7f0000000000 512' 'a 1 7f0000000000 512'
try replay again.txt
trace backwards 'a 7 7f0000000000 512' 'f 6 7f0000000000'
try replay backwards.txt
trace huge 'a 0 7f0000000000 4611686018427387904'
try replay huge.txt
trace use 'a 0 7f0000000000 512' 'c 1 7f0000000000'
try replay use.txt
trace later 'a 0 7f0000000000 512' 'l 1 7f0000000000' 'l 1 7f0000000000'
try replay later.txt
trace odd 'a 0 7f0000000001 512'
try replay odd.txt
trace held 'F 0 7f0000000000 512'
try replay held.txt
printf '%s\na 0 200 512\nf 1 200' "$head" >cut.txt
try replay cut.txt
printf '%s\na 0 200 512\n' "$head" >noend.txt
try replay noend.txt
printf '%s\na 0 200 512\nend 2\n' "$head" >count.txt
try replay count.txt
printf 'spabench-trace 1\nbegin\n\033[31mred 0\n' >escape.txt
try replay escape.txt
printf 'spabench-trace 2\n' >version.txt
try replay version.txt
printf 'SQLite format 3\n' >other.txt
try replay other.txt
printf 'spabench-trace 1\nconf expandable_segments:Yes\nbegin\nend 0\n' >conf.txt
try replay conf.txt --check
printf 'spabench-trace 1\npartial\nbegin\na 0 200 512\nend 1\n' >partial.txt
try replay partial.txt --check
gzip -dc good.txt.gz | gzip -n | head -c 60 >half.gz
try replay half.gz
try replay missing_file.txt
try replay

echo '# settings'
try replay good.txt.gz --check --alloc none
try replay good.txt.gz --conf max_split_size_mb:19
try replay good.txt.gz --conf pinned_use_background_threads:True,release_lock_on_cudamalloc:False --format csv
PYTORCH_CUDA_ALLOC_CONF=expandable_segments:true
export PYTORCH_CUDA_ALLOC_CONF
try replay good.txt.gz
