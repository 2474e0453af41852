/**
 * Keeps looking at a meeting's active session while somebody watches.
 * One request at a time: the next look is planned when the last one is over. Trouble makes the looks rarer, and a
 * hidden page takes none.
 */

import { signal, type ReadonlySignal } from '@preact/signals';
import { ApiError, lookAtMeeting, type Keys, type Look } from '../api';

const EVERY_MS = 1_000;
/** The longest pause after repeated trouble; higher keeps a recovered server unseen for longer. */
const MOST_PATIENT_MS = 15_000;

export interface Watched {
  look: Look | null;
  /** Why the last look failed; the `look` beside it is then an old one. */
  trouble: string | null;
}

export interface Watch {
  now: ReadonlySignal<Watched>;
  stop(): void;
}

export function watchMeeting(keys: Keys, meetingId: string): Watch {
  const now = signal<Watched>({ look: null, trouble: null });
  let failures = 0;
  let stopped = false;
  let looking = false;
  let timer: ReturnType<typeof setTimeout> | undefined;

  async function lookOnce(): Promise<void> {
    const started = performance.now();
    looking = true;
    try {
      const look = await lookAtMeeting(keys, meetingId);
      failures = 0;
      if (!stopped) now.value = { look, trouble: null };
    } catch (error) {
      failures += 1;
      const trouble = error instanceof ApiError ? error.message : 'The answer could not be read.';
      if (!stopped) now.value = { look: now.value.look, trouble };
    }
    looking = false;
    plan(pause(failures) - (performance.now() - started));
  }

  function plan(afterMs: number): void {
    if (stopped || document.hidden) return;
    timer = setTimeout(lookOnce, Math.max(0, afterMs));
  }

  /** A look under way plans the next one itself, so only an idle watch is woken. */
  function wake(): void {
    if (looking) return;
    clearTimeout(timer);
    plan(0);
  }

  document.addEventListener('visibilitychange', wake);
  plan(0);

  return {
    now,
    stop() {
      stopped = true;
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', wake);
    },
  };
}

/** One second when all is well; doubling after each failure. */
export function pause(failures: number): number {
  return Math.min(EVERY_MS * 2 ** failures, MOST_PATIENT_MS);
}
