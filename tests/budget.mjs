// What a person notices before the first call: how fast it starts, how much it takes. Prints each figure and its bound.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const binary = process.env.SALON_TEST_BIN ?? 'target/release/salon';
const data = mkdtempSync(path.join(tmpdir(), 'salon-budget-'));

/** Starts a server; resolves with it and the milliseconds until it was ready. */
function start() {
  const began = performance.now();
  const child = spawn(binary, ['dev', '--listen', '127.0.0.1:0', '--media-port', '0', '--data', data], { stdio: ['ignore', 'pipe', 'inherit'] });
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}`)));
    child.stdout.on('data', (text) => {
      if (String(text).includes('salon ready')) resolve({ child, ms: performance.now() - began });
    });
  });
}

const stop = (child) => new Promise((resolve) => { child.removeAllListeners('exit'); child.once('exit', resolve); child.kill('SIGTERM'); });

let failed = 0;
function check(what, value, bound, unit) {
  const good = value <= bound;
  if (!good) failed += 1;
  console.log(`${good ? 'ok  ' : 'FAIL'} ${what}: ${value.toFixed(1)} ${unit} (bound ${bound} ${unit})`);
}

const starts = [];
await stop((await start()).child); // the first start makes the database
for (let i = 0; i < 4; i += 1) {
  const { child, ms } = await start();
  starts.push(ms);
  if (i === 3) {
    const rss = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))[1]);
    check('memory, idle', rss / 1024, 40, 'MiB');
  }
  await stop(child);
}
// The best of four: a shared machine adds to a start, it never takes away.
check('ready after', Math.min(...starts), 300, 'ms');
check('binary', statSync(binary).size / 1024 / 1024, 40, 'MiB');
rmSync(data, { recursive: true, force: true });
console.log(`${3 - failed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
