// Runs test files in a few processes side by side, so that the files of one process share their browsers and what they
// import. Each file is a suite with its own hooks, its own server and its own pages.
// `npm test -- [FILE]... [OPTION]...`: options go to `node --test`.

import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';

import { E2E, OUT } from './support/places.mjs';

/** As many as a machine with two cores bears: more make pictures freeze. */
const LANES = Number(process.env.SALON_TEST_LANES ?? 2);

/** Seconds that the long ones take; only the balance depends on it. Others count as `ORDINARY`. */
const SECONDS = {
  'bad-lines.test.mjs': 150,
  'between.test.mjs': 150,
  'breakout.test.mjs': 80,
  'broken-lines.test.mjs': 90,
  'codecs.test.mjs': 150,
  'crash-resumes.test.mjs': 95,
  'cut.test.mjs': 50,
  'doors.test.mjs': 90,
  'livestream.test.mjs': 200,
  'outage.test.mjs': 135,
  'panels.test.mjs': 80,
  'permissions.test.mjs': 70,
  'pictures.test.mjs': 80,
  'quality.test.mjs': 130,
  'recordings.test.mjs': 85,
  'server-restarts.test.mjs': 70,
  'sizes.test.mjs': 60,
  'spread.test.mjs': 70,
  'threads.test.mjs': 120,
  'transcripts.test.mjs': 60,
  'upgrade.test.mjs': 90,
};
const ORDINARY = 35;

/** These make large pictures, or judge how well they come: two beside each other are more than two cores have time for. */
const HEAVY = ['livestream', 'panels', 'pictures', 'quality', 'recordings', 'sizes'].map((name) => `${name}.test.mjs`);

const options = process.argv.slice(2);
const asked = options.filter((option) => option.endsWith('.test.mjs')).map((path) => basename(path));
const files = asked.length > 0 ? asked : readdirSync(E2E).filter((file) => file.endsWith('.test.mjs'));

/** Those that are heavy one after the other; of the rest the longest first, each into the lane that would be done first. */
function shareOut(names) {
  const seconds = (name) => SECONDS[name] ?? ORDINARY;
  const lanes = Array.from({ length: Math.min(LANES, names.length) }, () => ({ names: [], seconds: 0 }));
  const order = (name) => (HEAVY.includes(name) ? Infinity : seconds(name));
  for (const name of [...names].sort((one, other) => order(other) - order(one) || 0)) {
    const lane = HEAVY.includes(name) ? lanes[0] : lanes.reduce((least, next) => (next.seconds < least.seconds ? next : least));
    lane.names.push(name);
    lane.seconds += seconds(name);
  }
  return lanes.map((lane) => lane.names);
}

/** A test file that is several. */
function written(names, index) {
  const path = join(OUT, `lane-${index + 1}.mjs`);
  writeFileSync(path, `
import { after, describe } from 'node:test';
import { closeKept, keepBrowsers } from '../support/browsers.mjs';
keepBrowsers();
after(closeKept);
for (const file of ${JSON.stringify(names)}) describe(file, async () => { await import('../' + file); });
`);
  return path;
}

mkdirSync(OUT, { recursive: true });
const lanes = shareOut(files).map(written);
const reporters = ['spec', join(E2E, 'support/tally.mjs')].flatMap((name) => [`--test-reporter=${name}`, '--test-reporter-destination=stdout']);
const rest = options.filter((option) => !option.endsWith('.test.mjs'));
const run = spawn(process.execPath, ['--test', `--test-concurrency=${lanes.length}`, ...reporters, ...rest, ...lanes], { stdio: 'inherit', cwd: E2E });
run.once('exit', (code, signal) => process.exit(signal ? 1 : code));
