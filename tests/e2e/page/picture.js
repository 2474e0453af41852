// Looks at a video as a person would: is this somebody's picture, and does it move?
// Invariant: every frame shown is judged, so that a single garbled one is not missed.

import { CELLS, COLOURS, frameOf } from './pattern.js';

/** The size at which a picture is looked at: small, because every frame is. */
const WIDTH = 100;
const HEIGHT = 75;

/** Where only the background is: corners and edges. */
const BACKGROUND = [
  [0.06, 0.1],
  [0.94, 0.1],
  [0.06, 0.9],
  [0.94, 0.9],
  [0.5, 0.18],
  [0.5, 0.82],
];

/** The distance in RGB up to which a colour is recognised; codecs and colour spaces shift it by about 30. */
const CLOSE = 75;

/** Frames that are described in full; one is too many. */
const GARBAGE_KEPT = 5;

export class Picture {
  #video;
  #canvas = new OffscreenCanvas(WIDTH, HEIGHT).getContext('2d', { willReadFrequently: true });
  #stopped = false;
  #seen = { shown: 0, moved: 0, colour: null, frame: null, width: 0, height: 0, garbage: [] };

  constructor(video) {
    this.#video = video;
    const look = () => {
      if (this.#stopped) return;
      this.#look();
      video.requestVideoFrameCallback(look);
    };
    video.requestVideoFrameCallback(look);
  }

  stop() {
    this.#stopped = true;
  }

  /** All that was seen so far: how many frames, what the last one was, and those that were no clean picture. */
  seen() {
    return { ...this.#seen };
  }

  #look() {
    const { videoWidth: width, videoHeight: height } = this.#video;
    if (!width) return;
    this.#canvas.drawImage(this.#video, 0, 0, WIDTH, HEIGHT);
    const pixels = this.#canvas.getImageData(0, 0, WIDTH, HEIGHT).data;
    const colour = backgroundOf(pixels);
    const frame = numberIn(pixels);
    const seen = this.#seen;
    // Browsers show black until the camera has warmed up; that is what it sends, not garbage.
    const clean = (colour !== null && frame !== null) || isBlack(pixels);
    if (!clean && seen.garbage.length < GARBAGE_KEPT) seen.garbage.push({ after: seen.shown, ...describe(pixels) });
    if (frame !== null && frame !== seen.frame) seen.moved += 1;
    Object.assign(seen, { shown: seen.shown + 1, colour, frame, width, height });
  }
}

function at(pixels, x, y) {
  const start = (Math.floor(y * HEIGHT) * WIDTH + Math.floor(x * WIDTH)) * 4;
  return [pixels[start], pixels[start + 1], pixels[start + 2]];
}

/** The name of the one colour that all of the background has. */
function backgroundOf(pixels) {
  const names = BACKGROUND.map(([x, y]) => nearest(at(pixels, x, y)));
  return names.every((name) => name === names[0]) ? names[0] : null;
}

function isBlack(pixels) {
  return pixels.every((value, index) => index % 4 === 3 || value < 16);
}

function nearest(rgb) {
  const distance = (other) => Math.hypot(...rgb.map((value, index) => value - other[index]));
  const [name, best] = Object.entries(COLOURS).sort(([, a], [, b]) => distance(a) - distance(b))[0];
  return distance(best) < CLOSE ? name : null;
}

function numberIn(pixels) {
  const cells = [];
  for (let index = 0; index < CELLS.count; index++) {
    const { left, right, top, bottom } = CELLS.area(index, 1000, 1000);
    const rgb = at(pixels, (left + right) / 2000, (top + bottom) / 2000);
    const light = (rgb[0] + rgb[1] + rgb[2]) / 3;
    if (light > 85 && light < 170) return null;
    cells.push(light >= 170);
  }
  return frameOf(cells);
}

/** What was there instead of a picture, for the message of a failed test. */
function describe(pixels) {
  const cells = Array.from({ length: CELLS.count }, (_, index) => {
    const { left, right, top, bottom } = CELLS.area(index, 1000, 1000);
    return at(pixels, (left + right) / 2000, (top + bottom) / 2000).join(',');
  });
  return { background: BACKGROUND.map(([x, y]) => at(pixels, x, y).join(',')), cells };
}
