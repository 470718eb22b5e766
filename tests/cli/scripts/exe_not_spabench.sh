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
echo '# and of one that is'
try_tiny --exe "$SPABENCH" --db good.db | tail -n 2
