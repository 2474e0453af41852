// A reporter for `node --test` beside the one that people read: how long each file took, and which tests skipped
// themselves. Writes the latter to the file in SALON_TEST_SKIPPED as well, for `scripts/test`.

import { appendFileSync } from 'node:fs';
import { basename } from 'node:path';

export default async function* tally(events) {
  const seconds = new Map();
  const skipped = [];
  for await (const { type, data } of events) {
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    const file = basename(data.file ?? data.name);
    // The time of a suite, or of a file that is told as a test, is in that of its tests.
    const whole = data.details.type === 'suite' || data.name === data.file;
    if (!whole) seconds.set(file, (seconds.get(file) ?? 0) + data.details.duration_ms / 1_000);
    for (const how of ['skip', 'todo']) {
      // Whoever gives a pattern knows that it leaves the others out.
      if (data[how] === 'test name does not match pattern') continue;
      if (data[how] !== undefined) skipped.push(`e2e ${file}: ${data.name} (${data[how] === true ? how : data[how]})`);
    }
  }
  if (process.env.SALON_TEST_SKIPPED) appendFileSync(process.env.SALON_TEST_SKIPPED, skipped.map((line) => `${line}\n`).join(''));
  const slowest = [...seconds].sort(([, a], [, b]) => b - a);
  yield `\n${slowest.map(([file, sum]) => `${sum.toFixed(0).padStart(5)} s  ${file}`).join('\n')}\n`;
  if (skipped.length > 0) yield `skipped:\n${skipped.join('\n')}\n`;
}
