// A Postgres of a test file's own, for servers that share one. It goes away with the test, however that ends.

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';

import { eventually } from './eventually.mjs';

/** Debian keeps its programs off the path, a folder for each version. */
const VERSIONS = '/usr/lib/postgresql';

/** Ends with whoever holds its standard input. Waiting for the server keeps its folder until it has let go of it. */
const GUARD = 'dir=$1; shift; "$@" & server=$!; trap "" INT TERM; cat; kill -INT $server; wait $server; rm -rf "$dir"';

/** Where the programs of the newest Postgres are, or `null`. */
export function postgres() {
  const versions = existsSync(VERSIONS) ? readdirSync(VERSIONS).sort().reverse() : [];
  const places = [...(process.env.PATH ?? '').split(delimiter), ...versions.map((version) => join(VERSIONS, version, 'bin'))];
  return places.find((bin) => ['initdb', 'postgres'].every((name) => existsSync(join(bin, name)))) ?? null;
}

export class Postgres {
  #guard;
  #data;
  /** Of its one database. */
  url;

  static async open() {
    const opened = new Postgres();
    const bin = postgres();
    const folder = mkdtempSync(join(tmpdir(), 'salon-e2e-postgres-'));
    const data = join(folder, 'data');
    opened.#data = data;
    const user = unprivileged(folder);
    const made = run([...user, join(bin, 'initdb'), '--no-sync', '--auth=trust', '--username=postgres', '--encoding=UTF8', '--locale=C', '--pgdata', data], folder);
    if (made.status !== 0) throw new Error(`initdb failed: ${made.stderr}`);
    const server = [...user, join(bin, 'postgres'), '-D', data, '-k', folder, '-c', 'listen_addresses=', '-c', 'fsync=off'];
    opened.#guard = spawn('sh', ['-c', GUARD, 'sh', folder, ...server], { stdio: ['pipe', 'ignore', 'ignore'], cwd: folder });
    await eventually('Postgres is ready', async () => {
      // As `pg_ctl` finds out.
      const said = readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')[7];
      if (said?.trim() !== 'ready') throw new Error(`it is ${said}`);
    });
    opened.url = `postgres://postgres@localhost/postgres?host=${folder}`;
    return opened;
  }

  /** All of it stands still, as on a machine that does not get to it; connections stay. */
  async standsStillFor(ms) {
    const stopped = this.#processes();
    for (const pid of stopped) signal(pid, 'SIGSTOP');
    await after(ms);
    // A process that was started meanwhile was not stopped.
    for (const pid of stopped) signal(pid, 'SIGCONT');
  }

  /** The server and what it has started. */
  #processes() {
    const server = Number(readFileSync(join(this.#data, 'postmaster.pid'), 'utf8').split('\n')[0]);
    const of = (pid) => Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ')[1]);
    const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number);
    return [server, ...all.filter((pid) => unlessGone(() => of(pid)) === server)];
  }

  close() {
    this.#guard.stdin.end();
  }
}

const signal = (pid, name) => unlessGone(() => process.kill(pid, name));

/** Processes end while one looks. */
function unlessGone(look) {
  try {
    return look();
  } catch {
    return null;
  }
}

/** The words before a command that must not run as root, which Postgres refuses to. Hands `folder` to that user. */
function unprivileged(folder) {
  if (process.getuid() !== 0) return [];
  const given = run(['chown', 'postgres', folder], folder);
  if (given.status !== 0) throw new Error('Postgres does not run as root, and there is no user postgres');
  return ['setpriv', '--reuid=postgres', '--regid=postgres', '--clear-groups'];
}

function run([command, ...args], cwd) {
  return spawnSync(command, args, { cwd, encoding: 'utf8' });
}
