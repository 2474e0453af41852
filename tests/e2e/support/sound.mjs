// What is in files with sound and pictures, by ffmpeg, and whose tone it is.

import { execFileSync } from 'node:child_process';

/** Samples in a second of what `samplesOf` reads. */
const RATE = 8_000;

/** What a program of ffmpeg's says of something: the bytes; it fails where the program does. */
export const ffmpegs = (program, ...args) => execFileSync(program, ['-v', 'error', ...args], { maxBuffer: 1 << 28 });

/** The streams and the container of a file or an address. */
export const probed = (input) => JSON.parse(ffmpegs('ffprobe', '-show_streams', '-show_format', '-of', 'json', input));

/** The sound of a file or an address: `{ samples, seconds }`. Options choose a part of it. */
export function soundOf(input, ...options) {
  const bytes = ffmpegs('ffmpeg', '-i', input, ...options, '-f', 's16le', '-ac', '1', '-ar', String(RATE), '-');
  const samples = new Int16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
  return { samples, seconds: samples.length / RATE };
}

/** How strong a tone is in a stretch of sound: one bin of a discrete Fourier transform. */
export function strength(samples, hz, rate = RATE) {
  let [re, im] = [0, 0];
  for (let at = 0; at < samples.length; at++) {
    const turn = (2 * Math.PI * hz * at) / rate;
    re += samples[at] * Math.cos(turn);
    im += samples[at] * Math.sin(turn);
  }
  return Math.hypot(re, im) / samples.length;
}

/** The longest time without a sound, in seconds. */
export function longestSilence({ samples }) {
  let [longest, since] = [0, 0];
  for (let at = 0; at < samples.length; at++) {
    if (Math.abs(samples[at]) > 200) since = at;
    longest = Math.max(longest, at - since);
  }
  return longest / RATE;
}
