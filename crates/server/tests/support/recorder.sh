# A recorder that joins nothing: it says and leaves what a real one would, and misbehaves as its argument says.
# Started in the folder of its job, without our environment.
way=$1
read -r job
printf '%s\n' "$job" > job.json
say() { printf '%s\n' "$1" >> said.jsonl; }
now() { date +%s%3N; }
part=${PWD##*/}
file=default_u_p${part}_peer_audio_1760000000000.webm kind=track
if [[ $job == *'"kind":"composite"'* ]]; then file=film.mp4 kind=video; fi
case $way in
    never) trap '' TERM; while [[ -e job.json ]]; do sleep 0.2; done ;;
    fails) say '{"said":"failed","why":"no such meeting"}'; exit 1 ;;
esac
printf 'sound of part %s' "$part" > "$file"
segments=0
segment() {
    segments=$((segments + 1))
    printf 'segment %s of part %s' "$segments" "$part" > "$segments.m4s"
    say "{\"said\":\"segment\",\"name\":\"$segments.m4s\",\"head\":\"1.mp4\",\"codecs\":\"avc1.64001f,mp4a.40.2\",\"at_ms\":$(now),\"ms\":2000}"
}
say "{\"said\":\"began\",\"at_ms\":$(now)}"
if [[ $way == dies && $part == 1 || $way == dies-always ]]; then sleep 0.2; kill -9 $$; fi
if [[ $way == streams* ]]; then
    printf 'head of part %s' "$part" > 1.mp4
    for _ in 1 2 3; do segment; done
    if [[ $way == streams-dies && $part == 1 ]]; then sleep 0.2; kill -9 $$; fi
fi
streamed() { say "{\"said\":\"streamed\",\"why\":\"the receiver cannot be reached\"}"; }
if [[ $way == *refused && $job != *'"rtmp":null'* ]]; then streamed; fi
heard=0
# Until the test is over, and its folder gone.
while [[ -e job.json ]]; do
    # One that was given up on goes by what is appended.
    if ! read -r -t 0.05 order; then
        order=
        mapfile -t all < <(cat orders.jsonl 2> /dev/null)
        if (( ${#all[@]} > heard )); then order=${all[heard]}; heard=$((heard + 1)); else sleep 0.05; fi
    fi
    case $order in
        *pause*)
            # In its own time.
            if [[ $way == late ]]; then until [[ -e go ]]; do sleep 0.02; done; fi
            say "{\"said\":\"paused\",\"at_ms\":$(now)}"
            ;;
        *resume*) say "{\"said\":\"resumed\",\"at_ms\":$(now)}" ;;
        *stop*) [[ $way == hangs || $way == talks ]] || break ;;
    esac
    [[ $way != talks ]] || say '{"said":"progress","bytes":1,"ms":1}'
done
[[ -e job.json ]] || exit
if [[ $way == slow ]]; then
    for _ in {1..10}; do sleep 0.3; printf '.' >> "$file"; done
fi
if [[ $way == streams* ]]; then
    segment
    say "{\"said\":\"finished\",\"at_ms\":$(now),\"duration_ms\":1,\"files\":[]}"
    exit
fi
if [[ $job == *'"file":false'*'"audio":null'* ]]; then
    say "{\"said\":\"finished\",\"at_ms\":$(now),\"duration_ms\":1,\"files\":[]}"
    exit
fi
bytes=$(stat -c %s "$file")
say "{\"said\":\"finished\",\"at_ms\":$(now),\"duration_ms\":1,\"files\":[{\"name\":\"$file\",\"bytes\":$bytes,\"kind\":\"$kind\",\"user_id\":\"u\",\"peer_id\":\"p\",\"duration_ms\":1}]}"
