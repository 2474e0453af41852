// Machines whose clocks are wrong.

import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { E2E, OUT } from './places.mjs';

/** What a process needs in its environment so that its machine's clock is so much ahead. */
export function clockAhead(secs) {
  const library = join(OUT, 'ahead.so');
  mkdirSync(OUT, { recursive: true });
  const { status, stderr, error } = spawnSync('cc', ['-shared', '-fPIC', '-o', library, join(E2E, 'support/ahead.c'), '-ldl']);
  if (status !== 0) throw new Error(`cc, which Rust needs as well, makes no library: ${error ?? stderr}`);
  return { LD_PRELOAD: library, CLOCK_AHEAD_SECS: String(secs) };
}
