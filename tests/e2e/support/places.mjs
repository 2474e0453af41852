// Where things are.

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const E2E = fileURLToPath(new URL('..', import.meta.url));
export const REPOSITORY = join(E2E, '../..');

/** Logs and pictures of the last run. */
export const OUT = join(E2E, 'out');
