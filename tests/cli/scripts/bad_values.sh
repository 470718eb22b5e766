# Numbers that are none, or out of range: exit 2, nothing is measured.
for value in '' abc -1 0 1e3 0x10 '3 ' 10001 99999999999 9223372036854775808; do
	try_tiny --frames "$value"
done
for option in stride blocks trace-blocks threads seed; do
	for value in '' x -1 1.5 99999999999999999999; do
		try_tiny --$option "$value"
	done
done
try_tiny --stride 0
try_tiny --blocks 0
try_tiny --threads 0
for option in budget timeout; do
	for value in '' x -1 nan inf 1e400; do
		try_tiny --$option "$value"
	done
done
try_tiny --timeout 0
for value in '' x -1 0 1 512X 99999999999999999999; do
	try_tiny --vram-limit "$value"
done
for value in '' x 28 28x x28 abc 13x14 1x1 15x28 28x14 28x2086 280000x14 -28x28 28X28 28x28x28 '28 x 28' 0x0 NATIVE; do
	try_tiny --size "$value"
done
for value in huge '' TINY ../tiny; do
	try_tiny --preset "$value"
done
for value in gpu '' cuda cuda:0 cuda:-1 cpu:1; do
	try_tiny --device "$value"
done
echo '# more frames than memory is allowed for'
try_tiny --frames 10000 | sed -E 's|may take [0-9.]+ GiB; at most [0-9]+|may take SIZE; at most N|'
ls
