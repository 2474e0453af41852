// Waiting for what people see, never for an amount of time.
// Invariant: every wait has a limit, and says what it last saw when the limit is reached.

import assert from 'node:assert/strict';
import { setTimeout as after } from 'node:timers/promises';

/** How long anything that should happen at once may take on a busy machine. */
export const SOON_MS = 15_000;

/** Until a browser sends its largest pictures, again or for the first time: on a busy machine it takes its line for slow, and goes
 * on from there by a twelfth a second. */
export const DARES = { within: 60_000 };

const POLL_MS = 100;

/** Asks again and again until `check` throws no more; answers with what it returned. */
export async function eventually(what, check, { within = SOON_MS } = {}) {
  const end = performance.now() + within;
  for (;;) {
    try {
      return await inTime(check(), Math.max(end - performance.now(), POLL_MS) + 2_000);
    } catch (error) {
      if (performance.now() > end) {
        throw new Error(`waited ${within / 1000} s, but not: ${what}\n${error.message}`, { cause: error });
      }
    }
    await after(POLL_MS);
  }
}

/** Looks again and again for `ms`: `check` must not throw once. */
export async function always(what, ms, check) {
  const end = performance.now() + ms;
  while (performance.now() < end) {
    try {
      await check();
    } catch (error) {
      throw new Error(`not always: ${what}\n${error.message}`, { cause: error });
    }
    await after(POLL_MS);
  }
}

/** Waits until asking gives exactly `wanted`. */
export function eventuallyEqual(what, ask, wanted, options) {
  return eventually(what, async () => assert.deepEqual(await ask(), wanted), options);
}

function inTime(promise, ms) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error('asking takes too long')), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
