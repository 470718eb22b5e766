# What differs from run to run and from machine to machine. Extended regular expressions.
s/\r//g
s/^spabench [0-9]+\.[0-9]+\.[0-9]+\+[0-9a-z.-]+/spabench VERSION/
s/^built with .*/built with COMPILER/
s/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z/DATE/g
s/\brun '?[0-9a-f]{8,32}\b'?/run ID/g
s/ in [0-9]+ s, stored in / in T s, stored in /
s/, [0-9]+ s(, total .*)?$/, T s/
s/^(  device +).*/\1DEVICE/
