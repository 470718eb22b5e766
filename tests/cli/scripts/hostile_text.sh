# Bytes that would drive a terminal, wherever a text is repeated to the user.
esc=$(printf 'a\033[31mb\007\tc\nd')
try "$esc"
try run "--$esc"
try run "$esc"
try run --frames "$esc"
try run --size "$esc"
try run --arms "before,$esc"
try run --factors "$esc"
try run --set "$esc=fp32"
try run --video "$esc"
try run --exe "$esc"
try compare "$esc"
try compare "/$esc"
try compare "$esc:"
try compare --db "$esc"
try compare --format "$esc"
try_tiny --preset "$esc"
try_tiny --device "$esc"
try_tiny --db "$esc/x.db"
echo '# a note and a database of such a name are kept, and come back harmless'
try_tiny --db "$esc.db" --note "$esc"
"$SPABENCH" compare --db "$esc.db" >../out 2>../err
echo "[exit $?]"
grep -c "$(printf '\033')" ../out ../err | sed 's|.*/||'
echo '# the command is kept as a shell takes it'
"$SPABENCH" run $tiny --note "it's; \$x *" --db q.db >/dev/null 2>&1 </dev/null
"$SPABENCH" show --db q.db --all | tr -s ' \n' ' ' | grep -o -- '--note.*--db'
echo '# very long'
long=$(head -c 20000 /dev/zero | tr '\0' x)
try "$long"
try run --video "$long"
try run --arms "$long"
try run "--$long"
try compare "$long"
try compare --db "$long"
try compare "/$long" --db "$esc.db"
