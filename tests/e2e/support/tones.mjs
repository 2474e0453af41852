// An engine that really hears: reads a WAV on its standard input and names the tones of the cast in it, as lines of JSON.
// Run by the server under test, as `transcription.command`.

import { readFileSync } from 'node:fs';

import { CAST } from './cast.mjs';
import { strength } from './sound.mjs';

const RATE = 16_000;
const FRAME = RATE / 50;
const TONES = Object.values(CAST).map(({ tone }) => tone);

const wav = readFileSync(0);
if (wav.toString('latin1', 0, 4) !== 'RIFF' || wav.readUInt32LE(24) !== RATE) throw new Error('it is no WAV of 16 kHz');
if (wav.readUInt32LE(40) !== wav.length - 44) throw new Error('it is not whole');

const samples = new Int16Array(wav.buffer.slice(wav.byteOffset + 44, wav.byteOffset + wav.length));

const heard = [];
for (let frame = 0; (frame + 1) * FRAME <= samples.length; frame++) {
  const said = samples.subarray(frame * FRAME, (frame + 1) * FRAME);
  const [[loudest, hz]] = TONES.map((tone) => [strength(said, tone, RATE), tone]).sort(([one], [other]) => other - one);
  if (loudest < 300) continue;
  const last = heard.at(-1);
  // Beeps with short pauses between them are one thing said.
  if (last?.hz === hz && frame - last.end < 15) last.end = frame + 1;
  else heard.push({ hz, begin: frame, end: frame + 1 });
}
for (const { hz, begin, end } of heard.filter(({ begin, end }) => end - begin >= 10)) {
  console.log(JSON.stringify({ text: `${hz} hertz`, partial: true }));
  console.log(JSON.stringify({ text: `I hum "${hz}" hertz,\nand so on`, start_ms: begin * 20, end_ms: end * 20 }));
}
