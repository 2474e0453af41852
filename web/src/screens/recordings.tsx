/** Where the files of a recording are, once it is over. */

import type { Recording } from '../api';
import { dismiss, recorded } from '../recorded';

/** Whole files, or the sound of each person; more are in the list that the API gives. */
const SHOWN = 12;

export function Recordings() {
  return (
    <div role="status" aria-label="Recordings">
      {recorded.value.map((recording) => (
        <div class="notice" key={recording.id}>
          <p>{words(recording)}</p>
          {recording.files.slice(0, SHOWN).map(({ name, url }) => (
            <a class="button tiny primary" key={name} href={url} download={name}>
              {recording.files.length === 1 ? 'Download' : name}
            </a>
          ))}
          <button type="button" class="button tiny" onClick={() => dismiss(recording.id)}>
            OK
          </button>
        </div>
      ))}
    </div>
  );
}

function words({ state, files, seconds, bytes, why }: Recording): string {
  switch (state) {
    case 'running':
      return 'This meeting is recorded.';
    case 'storing':
      return 'The recording is being stored …';
    case 'failed':
      return `There is no recording: ${why || 'it failed'}.`;
    case 'ready':
      return files.length === 0
        ? 'The recording is where your application keeps them.'
        : `The recording is ready: ${length(seconds)}, ${size(bytes)}.`;
  }
}

function length(seconds: number): string {
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, Math.floor(seconds) % 60];
  const two = (n: number): string => String(n).padStart(2, '0');
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)} min`;
}

function size(bytes: number): string {
  const unit = bytes < 1e6 ? 'kilobyte' : bytes < 1e9 ? 'megabyte' : 'gigabyte';
  const value = bytes / { kilobyte: 1e3, megabyte: 1e6, gigabyte: 1e9 }[unit];
  return value.toLocaleString('en', { style: 'unit', unit, maximumFractionDigits: value < 10 ? 1 : 0 });
}
