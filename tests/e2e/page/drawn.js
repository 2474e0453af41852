// Devices drawn by the page, for what browsers cannot fake from files: a screen to share, and Firefox's camera.

import { CELLS, COLOURS, FRAMES, cellsOf } from './pattern.js';
import { beeping } from './sound.js';

const FRAMES_PER_SECOND = 15;

/** Gives whoever asks for the screen this picture and, if they ask for it, this sound. */
export function fakeScreen({ colour, tone, width = 640, height = 480 }) {
  navigator.mediaDevices.getDisplayMedia = async (wanted) => {
    const tracks = [drawn({ colour, width, height })];
    if (wanted?.audio) tracks.push(beeping(tone));
    return new MediaStream(tracks);
  };
}

/** Gives whoever asks for the camera this picture. The microphone stays the browser's own. */
export function fakeCamera({ colour, width = 320, height = 240 }) {
  const devices = navigator.mediaDevices;
  const ordinary = devices.getUserMedia.bind(devices);
  devices.getUserMedia = async (wanted) => {
    const tracks = wanted?.video ? [drawn({ colour, width, height })] : [];
    if (wanted?.audio) tracks.push(...(await ordinary({ audio: wanted.audio })).getTracks());
    return new MediaStream(tracks);
  };
}

function drawn({ colour, width, height }) {
  const canvas = Object.assign(document.createElement('canvas'), { width, height });
  const pen = canvas.getContext('2d');
  let frame = 0;
  const draw = () => {
    pen.fillStyle = `rgb(${COLOURS[colour].join(' ')})`;
    pen.fillRect(0, 0, width, height);
    cellsOf(frame).forEach((white, index) => {
      const { left, top, right, bottom } = CELLS.area(index, width, height);
      pen.fillStyle = white ? 'white' : 'black';
      pen.fillRect(left, top, right - left, bottom - top);
    });
    frame = (frame + 1) % FRAMES;
  };
  draw();
  const [track] = canvas.captureStream(FRAMES_PER_SECOND).getVideoTracks();
  const timer = setInterval(() => {
    draw();
    if (track.readyState === 'ended') clearInterval(timer);
  }, 1000 / FRAMES_PER_SECOND);
  return track;
}
