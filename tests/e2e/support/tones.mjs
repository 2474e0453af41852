// An engine that really hears: reads a WAV on its standard input and names the tones of the cast in it, as lines of JSON.
// Run by the server under test, as `transcription.command`.

import { readFileSync } from 'node:fs';

import { CAST } from './cast.mjs';

const RATE = 16_000;
const FRAME = RATE / 50;
const TONES = Object.values(CAST).map(({ tone }) => tone);

const wav = readFileSync(0);
if (wav.toString('latin1', 0, 4) !== 'RIFF' || wav.readUInt32LE(24) !== RATE) throw new Error('it is no WAV of 16 kHz');
if (wav.readUInt32LE(40) !== wav.length - 44) throw new Error('it is not whole');

/** How strong a tone is in a frame: one bin of a discrete Fourier transform. */
function strength(frame, hz) {
  let [re, im] = [0, 0];
  for (let at = 0; at < FRAME; at++) {
    const sample = wav.readInt16LE(44 + 2 * (frame * FRAME + at));
    const turn = (2 * Math.PI * hz * at) / RATE;
    re += sample * Math.cos(turn);
    im += sample * Math.sin(turn);
  }
  return Math.hypot(re, im) / FRAME;
}

const heard = [];
for (let frame = 0; (frame + 1) * FRAME * 2 <= wav.length - 44; frame++) {
  const [[loudest, hz]] = TONES.map((tone) => [strength(frame, tone), tone]).sort(([one], [other]) => other - one);
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
