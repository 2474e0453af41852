// Cameras and microphones that can be told apart: each person has a colour and a tone.
// The picture is the person's colour with a row of black and white cells: a frame number and its parity. A receiver
// that reads a number it trusts has decoded the picture and not made it up. `page/picture.js` reads them.

import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { CELLS, COLOURS, FRAMES, cellsOf } from '../page/pattern.js';

/** Unless a test asks for something else. */
const FRAMES_PER_SECOND = 15;
const SAMPLE_RATE = 48_000;
/** Sound comes in beeps: noise suppression takes a steady tone away. */
const BEEP_SECS = 0.3;
const PAUSE_SECS = 0.1;

let folder;

/** The files for Chromium's fake devices. */
export function fakeDevices({ colour, tone, width = 320, height = 240, rate = FRAMES_PER_SECOND }) {
  if (!folder) {
    folder = mkdtempSync(join(tmpdir(), 'salon-e2e-devices-'));
    process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  }
  const camera = join(folder, `${colour}-${width}x${height}-${rate}.y4m`);
  const microphone = join(folder, `${tone}.wav`);
  if (!existsSync(camera)) writeFileSync(camera, y4m(COLOURS[colour], width, height, rate));
  if (!existsSync(microphone)) writeFileSync(microphone, wav(tone));
  return { camera, microphone };
}

function y4m(rgb, width, height, rate) {
  const parts = [Buffer.from(`YUV4MPEG2 W${width} H${height} F${rate}:1 Ip A1:1 C420jpeg\n`)];
  const [y, cb, cr] = yuv(rgb);
  for (let frame = 0; frame < FRAMES; frame++) {
    const luma = Buffer.alloc(width * height, y);
    const blue = Buffer.alloc((width * height) / 4, cb);
    const red = Buffer.alloc((width * height) / 4, cr);
    cellsOf(frame).forEach((white, index) => {
      const { left, top, right, bottom } = CELLS.area(index, width, height);
      for (let row = top; row < bottom; row++) luma.fill(white ? 235 : 16, row * width + left, row * width + right);
      for (let row = top >> 1; row < bottom >> 1; row++) {
        blue.fill(128, (row * width) / 2 + (left >> 1), (row * width) / 2 + (right >> 1));
        red.fill(128, (row * width) / 2 + (left >> 1), (row * width) / 2 + (right >> 1));
      }
    });
    parts.push(Buffer.from('FRAME\n'), luma, blue, red);
  }
  return Buffer.concat(parts);
}

/** BT.601, limited range. */
function yuv([r, g, b]) {
  return [
    16 + 0.257 * r + 0.504 * g + 0.098 * b,
    128 - 0.148 * r - 0.291 * g + 0.439 * b,
    128 + 0.439 * r - 0.368 * g - 0.071 * b,
  ].map(Math.round);
}

function wav(tone) {
  // Whole periods in a beep and a whole number of beeps in the file, so that its loop has no clicks.
  const beep = Math.round(BEEP_SECS * SAMPLE_RATE);
  const pause = Math.round(PAUSE_SECS * SAMPLE_RATE);
  const samples = Buffer.alloc((beep + pause) * 10 * 2);
  for (let index = 0; index < samples.length / 2; index++) {
    const at = index % (beep + pause);
    if (at >= beep) continue;
    const edge = Math.min(1, at / 480, (beep - at) / 480);
    samples.writeInt16LE(Math.round(12_000 * edge * Math.sin((2 * Math.PI * tone * at) / SAMPLE_RATE)), index * 2);
  }
  const header = Buffer.alloc(44);
  header.write('RIFF', 0);
  header.writeUInt32LE(36 + samples.length, 4);
  header.write('WAVEfmt ', 8);
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(SAMPLE_RATE, 24);
  header.writeUInt32LE(SAMPLE_RATE * 2, 28);
  header.writeUInt16LE(2, 32);
  header.writeUInt16LE(16, 34);
  header.write('data', 36);
  header.writeUInt32LE(samples.length, 40);
  return Buffer.concat([header, samples]);
}
