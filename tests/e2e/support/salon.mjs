// A Salon of its own for a test file: the real binary, on free ports, with its data in a folder that goes away with it.
// Owns the process: it dies with the test, however that ends.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { OUT, REPOSITORY } from './places.mjs';

const BINARY = process.env.SALON_TEST_BIN ?? join(REPOSITORY, 'target/debug/salon');
const READY_WITHIN_MS = 20_000;

/** Without settings of whoever runs the tests. */
function plainEnvironment() {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('SALON_')));
}

export class Salon {
  #settings;
  #isWorker = false;
  #environment = {};
  #data = mkdtempSync(join(tmpdir(), 'salon-e2e-'));
  #log;
  #process;
  #lines;
  /** Where it serves, such as `http://127.0.0.1:40123`; the same after a restart. */
  origin;

  constructor(name, settings) {
    this.#settings = settings;
    mkdirSync(OUT, { recursive: true });
    this.#log = createWriteStream(join(OUT, `${name}.salon.log`));
    process.once('exit', () => this.#process?.kill('SIGKILL'));
  }

  /** Where it has its data. */
  get data() {
    return this.#data;
  }

  /** A worker, which records for the servers that share its database. */
  static async startWorker(name, settings) {
    const salon = new Salon(name, settings);
    salon.#isWorker = true;
    await salon.#run('127.0.0.1:0');
    return salon;
  }

  /** Starts a server with `settings` such as `{ 'session.grace_secs': 5 }`; its log goes to `out/<name>.salon.log`. */
  static async start(name, settings = {}, environment = {}) {
    const salon = new Salon(name, settings);
    salon.#environment = environment;
    await salon.#run('127.0.0.1:0');
    return salon;
  }

  get port() {
    return Number(new URL(this.origin).port);
  }

  /** Memory in use, in bytes. */
  get memory() {
    const status = readFileSync(`/proc/${this.#process.pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)[1]) * 1024;
  }

  /** As the power going: nothing is said, nothing is saved. */
  async kill() {
    await this.#end('SIGKILL');
  }

  /** As an administrator does it. */
  async stop() {
    await this.#end('SIGTERM');
  }

  /** Sends a signal such as `SIGSTOP`, and waits for nothing. */
  signal(name) {
    this.#process.kill(name);
  }

  /** Becomes the program that lies where it was started from; answers with how long it took in milliseconds. */
  async upgrade() {
    const from = performance.now();
    const ready = this.#ready();
    this.#process.kill('SIGUSR2');
    if ((await ready) !== this.origin) throw new Error(`salon was not upgraded; see ${this.#log.path}`);
    return Math.round(performance.now() - from);
  }

  /** Starts again where it was, with what it had. */
  async startAgain() {
    await this.#run(new URL(this.origin).host);
  }

  async close() {
    await this.kill();
    rmSync(this.#data, { recursive: true, force: true });
  }

  async #run(listen) {
    const { 'media.port': mediaPort = 0, ...settings } = this.#settings;
    const given = { listen, data: this.#data, 'media.port': mediaPort, 'media.ip': '127.0.0.1' };
    const asWorker = ['recorder', '--worker', ...Object.entries(given).flatMap(([key, value]) => ['--set', `${key}=${value}`])];
    const asServer = ['dev', '--listen', listen, '--data', this.#data, '--media-port', mediaPort];
    const args = [...(this.#isWorker ? asWorker : asServer), '--set', 'log.level=info,salon_doors=debug,salon_live=debug,salon_media=debug,salon_server=debug'];
    for (const [key, value] of Object.entries(settings)) args.push('--set', `${key}=${value}`);
    this.#process = spawn(BINARY, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...plainEnvironment(), ...this.#environment } });
    this.#process.stderr.pipe(this.#log, { end: false });
    this.#lines = createInterface({ input: this.#process.stdout });
    const origin = await this.#ready();
    if (!origin) throw new Error(`salon did not start; see ${this.#log.path}`);
    this.origin = origin;
  }

  async #ready() {
    const lines = this.#lines;
    const ready = new Promise((resolve) => {
      const hear = (line) => {
        const found = /^salon ready (http:\/\/\S+)$/.exec(line);
        if (!found) return;
        lines.off('line', hear);
        resolve(found[1]);
      };
      lines.on('line', hear);
    });
    const failed = once(this.#process, 'error').then(([error]) => Promise.reject(error));
    let timer;
    const late = new Promise((resolve) => {
      timer = setTimeout(resolve, READY_WITHIN_MS);
    });
    return Promise.race([ready, failed, late]).finally(() => clearTimeout(timer));
  }

  async #end(signal) {
    const { exitCode, signalCode } = this.#process;
    if (exitCode !== null || signalCode !== null) return;
    const ended = once(this.#process, 'exit');
    this.#process.kill(signal);
    await ended;
  }
}
