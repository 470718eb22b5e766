# Workers of a program that is not spabench.
try_tiny --exe /bin/true
try_tiny --exe /bin/false
try_tiny --exe /nonexistent/spabench
: >file
try_tiny --exe ./file
printf '#!/bin/sh\necho hello >&3 2>/dev/null; exit 0\n' >script
chmod +x script
try_tiny --exe ./script
printf '#!/bin/sh\neval "head -c 4096 /dev/zero >&$3"\n' >zeros
chmod +x zeros
try_tiny --exe ./zeros
echo '# of one from before there were lists of capabilities, and of one without some'
# older HELLO: a worker that says that and then listens
older() {
	printf '%s' "$1" >hello
	{
		printf '#!/bin/sh\neval "exec 4>&$3"\n'
		printf 'printf "SBPW\\\\001\\\\000\\\\001\\\\000\\\\%03o\\\\000\\\\000\\\\000" >&4\n' ${#1}
		printf 'cat hello >&4\nexec cat <&4 >/dev/null\n'
	} >older
	chmod +x older
}
older '{"build":"old","pid":1}'
try_tiny --exe ./older
older '{"build":"old","pid":1,"capabilities":"tracker,weight,rawer"}'
head -c 14112 /dev/zero >clip.raw
try_tiny --exe ./older --video clip.raw --raw 84x56
echo '# and of one that is'
try_tiny --exe "$SPABENCH" --db good.db | grep -E '^(run|.exit)'
