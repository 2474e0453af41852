/**
 * Recordings of the calls this page was in, from their end until their files are there. Only for those who may record:
 * to others the server does not say where a file is.
 */

import { signal } from '@preact/signals';
import * as api from './api';

/** Those that ended, oldest first, until somebody has read of them. */
export const recorded = signal<api.Recording[]>([]);

/** A file is stored within seconds, or minutes if it is hours long. Lower tells sooner and asks more often. */
const ASKS_EVERY_MS = 2_000;
const GIVES_UP_AFTER_MS = 30 * 60_000;

const followed = new Set<string>();

/** Tells of a recording that has ended, or may have, as soon as there is something to tell. */
export async function follow(id: string, token: string): Promise<void> {
  if (followed.has(id)) return;
  followed.add(id);
  const until = performance.now() + GIVES_UP_AFTER_MS;
  while (followed.has(id) && performance.now() < until) {
    const found = await api.findRecording(token, id).catch((error: api.ApiError) => error);
    if (!(found instanceof Error)) {
      if (found.state !== 'running') tell(found);
      if (found.state === 'ready' || found.state === 'failed') break;
    } else if (found.trouble !== 'unreachable' && found.trouble !== 'server') {
      break;
    }
    await new Promise((resolve) => setTimeout(resolve, ASKS_EVERY_MS));
  }
  followed.delete(id);
}

/** Somebody has read of it. */
export function dismiss(id: string): void {
  followed.delete(id);
  recorded.value = recorded.value.filter((one) => one.id !== id);
}

function tell(found: api.Recording): void {
  const known = recorded.value.some(({ id }) => id === found.id);
  recorded.value = known ? recorded.value.map((one) => (one.id === found.id ? found : one)) : [...recorded.value, found];
}
