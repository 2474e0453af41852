// Recordings as they stand with the server, and the processes that make them.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

import { eventually } from './eventually.mjs';

/** Waits until a recording stands so; what is known of it then. */
export async function recordingIs(api, id, status, { within }) {
  let found;
  await eventually(`the recording is ${status}`, async () => {
    found = await api.recording(id);
    assert.equal(found.status, status, JSON.stringify(found));
  }, { within });
  return found;
}

/** The processes that work in a folder whose path has this in it: `{ pid, words }`, the words that each was started with. */
export function workingIn(where) {
  const found = [];
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      if (readlinkSync(`/proc/${pid}/cwd`).includes(where)) found.push({ pid: Number(pid), words });
    } catch {
      // It is gone, or another's.
    }
  }
  return found;
}

/** The recorders among them, without what decodes for them. */
export function recorders(where) {
  const records = ({ words }) => words.includes('recorder') && !words.includes('--decode');
  return workingIn(where).filter(records).map(({ pid }) => pid);
}
