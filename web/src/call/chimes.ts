/** The three sounds of a call, made here as small WAV files, so that nothing has to be fetched or shipped. */

export type Chime = 'join' | 'message' | 'speaker-test';

/** Plenty for soft tones below 1 kHz. */
const SAMPLE_RATE = 16_000;
const HEADER_BYTES = 44;

interface Note {
  hertz: number;
  at: number;
  seconds: number;
}

const NOTES: Record<Chime, Note[]> = {
  join: [
    { hertz: 523, at: 0, seconds: 0.35 },
    { hertz: 784, at: 0.11, seconds: 0.45 },
  ],
  message: [{ hertz: 880, at: 0, seconds: 0.3 }],
  'speaker-test': [523, 659, 784, 1047].map((hertz, step) => ({ hertz, at: step * 0.28, seconds: 0.6 })),
};

const made = new Map<Chime, string>();

/** An address an audio element can play. Made once per sound and kept for the life of the page. */
export function chime(which: Chime): string {
  let address = made.get(which);
  if (!address) {
    address = URL.createObjectURL(new Blob([wav(NOTES[which])], { type: 'audio/wav' }));
    made.set(which, address);
  }
  return address;
}

function wav(notes: Note[]): ArrayBuffer {
  const seconds = Math.max(...notes.map((note) => note.at + note.seconds));
  const samples = Math.ceil(seconds * SAMPLE_RATE);
  const view = new DataView(new ArrayBuffer(HEADER_BYTES + samples * 2));
  writeHeader(view, samples * 2);
  for (let i = 0; i < samples; i++) {
    const loudness = notes.reduce((sum, note) => sum + strength(note, i / SAMPLE_RATE), 0);
    view.setInt16(HEADER_BYTES + i * 2, loudness * 0x3fff, true);
  }
  return view.buffer as ArrayBuffer;
}

/** A struck bell: a quick attack that avoids a click, then a fall to silence. */
function strength(note: Note, now: number): number {
  const since = now - note.at;
  if (since < 0 || since > note.seconds) return 0;
  const attack = Math.min(1, since / 0.008);
  const fall = Math.exp(-6 * (since / note.seconds)) * (1 - since / note.seconds);
  return 0.6 * attack * fall * Math.sin(2 * Math.PI * note.hertz * since);
}

/** RIFF header for 16-bit mono PCM. */
function writeHeader(view: DataView, dataBytes: number): void {
  const text = (at: number, letters: string): void => {
    for (let i = 0; i < letters.length; i++) view.setUint8(at + i, letters.charCodeAt(i));
  };
  text(0, 'RIFF');
  view.setUint32(4, HEADER_BYTES - 8 + dataBytes, true);
  text(8, 'WAVEfmt ');
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, SAMPLE_RATE, true);
  view.setUint32(28, SAMPLE_RATE * 2, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  text(36, 'data');
  view.setUint32(40, dataBytes, true);
}
