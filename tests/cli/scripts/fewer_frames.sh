# Without --frames, a device with little memory gets as many frames as fit, and whoever asks is told.
small='--preset small --size 112x84 --grid 2 --support 2 --iterations 1 --threads 2 --blocks 1 --trace-blocks 0'
small="$small --arms before,after --seed 1 --quiet --vram-limit 560M"
"$SPABENCH" run $small --db less.db >../out 2>../err </dev/null
echo "[exit $?]"
told=$(sed -n 's/^spabench: frames: \([0-9]*\) instead of 8: the most .*/\1/p' ../err)
sed -n '/^spabench: frames/p' ../err | sed 's/frames: [3-7] instead/frames: N instead/' | visible '2> '
"$SPABENCH" compare --db less.db >../out
grep -q ", T=$told," ../out && echo 'the table has as many frames'
sed -n '/^  frames/,/^  points/p' ../out | sed '$d; s/[3-7] instead/N instead/'
"$SPABENCH" show --db less.db --format json | tr -d ' \n' | grep -q "\"frames\":$told,\"stride\"" && echo 'the plan, too'
"$SPABENCH" compare --db less.db --format markdown | grep -c 'instead of 8'
echo '# asked for'
"$SPABENCH" run $small --db asked.db --frames 8 >../out 2>../err </dev/null
grep -c 'frames:' ../err
"$SPABENCH" compare --db asked.db | grep -o 'T=8'
echo '# not even the least'
"$SPABENCH" run $small --db none.db --vram-limit 300M >../out 2>../err </dev/null
echo "[exit $?]"
sed -n '/^spabench: frames/p' ../err | visible '2> '
