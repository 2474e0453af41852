// A server that records nothing itself, and workers that do, as on machines of their own: nobody in the meeting notices, and
// what happens to a worker costs what it had not stored.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { eventually, eventuallyEqual } from './support/eventually.mjs';
import { Postgres, postgres } from './support/postgres.mjs';
import { recorders, recordingIs } from './support/recordings.mjs';
import { Salon } from './support/salon.mjs';
import { probed, soundOf, strength } from './support/sound.mjs';
import { CAST, Stage } from './support/stage.mjs';

const LIMIT = { timeout: 300_000 };
const PATIENT = { within: 90_000 };

let database;
let settings;
let files;
let folder;
let stage;
let workers = [];

const worker = async (name) => {
  const started = await Salon.startWorker(`workers-${name}`, { ...settings, 'node.name': name });
  workers.push(started);
  return started;
};

const until = (id, status) => recordingIs(stage.api, id, status, PATIENT);

const state = (person) => person.asks(({ recording }) => recording.recordingState);

/** Ends a worker and all that it has started, as when its machine loses power. */
async function losesPower(of) {
  const all = recorders(of.data);
  await of.kill();
  for (const pid of all) process.kill(pid, 'SIGKILL');
  workers = workers.filter((one) => one !== of);
}

async function fetched(recording) {
  const path = join(folder, recording.output_file_name);
  writeFileSync(path, Buffer.from(await (await fetch(recording.download_url)).arrayBuffer()));
  return path;
}

describe('workers', { skip: !postgres() && 'Postgres is not installed' }, () => {
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'salon-e2e-workers-'));
    files = join(folder, 'files');
    database = await Postgres.open();
    settings = { 'database.url': database.url, 'cluster.listen': '127.0.0.1:0', 'files.folder': files };
    const own = { 'node.name': 'calls', 'recording.workers_only': true, 'recording.ffmpeg': '/no/such/program' };
    stage = await Stage.open(import.meta.url, { ...settings, ...own });
  });
  afterEach(async () => {
    await stage.clear();
    for (const one of workers.splice(0)) await losesPower(one).then(() => one.close());
  });
  after(async () => {
    await stage?.close();
    database?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test('without one nothing is recorded, and with one pictures and sound are', LIMIT, async () => {
    const meeting = await stage.api.createMeeting();
    const [ada, bob] = await stage.gathers(meeting, 'Ada', 'Bob');
    await ada.eventuallySeesAndHears(bob);
    const refused = await stage.api.startTracks(meeting).then(() => null, (error) => error);
    assert.equal(refused?.status, 422, String(refused));
    assert.match(refused.message, /no worker/);
    await worker('w1');
    await sleep(1_500);
    await ada.does(({ recording }) => recording.start());
    for (const person of [ada, bob]) await eventuallyEqual(`${person.name} is told`, () => state(person), 'RECORDING', PATIENT);
    const { id } = await stage.api.activeRecording(meeting);
    assert.deepEqual(recorders(stage.salon.data), [], 'the server records nothing');
    await sleep(4_000);
    await stage.api.actOnRecording(id, 'pause');
    await eventuallyEqual('Bob is told of the pause', () => state(bob), 'PAUSED', PATIENT);
    await sleep(3_000);
    await stage.api.actOnRecording(id, 'resume');
    await eventuallyEqual('Bob is told that it goes on', () => state(bob), 'RECORDING', PATIENT);
    await sleep(3_000);
    await bob.does(({ recording }) => recording.stop());
    for (const person of [ada, bob]) await eventuallyEqual(`${person.name} is told of the end`, () => state(person), 'IDLE', PATIENT);
    const done = await until(id, 'UPLOADED');
    const path = await fetched(done);
    const { streams, format } = probed(path);
    assert.deepEqual(streams.map((stream) => stream.codec_name).sort(), ['aac', 'h264']);
    const ran = (Date.parse(done.stopped_time) - Date.parse(done.started_time)) / 1_000;
    assert.ok(ran - done.recording_duration > 2, 'the pause does not count');
    assert.ok(Math.abs(Number(format.duration) - done.recording_duration) < 1.5, `${format.duration} s of ${done.recording_duration}`);
    const { samples } = soundOf(path);
    for (const name of ['Ada', 'Bob']) assert.ok(strength(samples, CAST[name].tone) > 4 * strength(samples, CAST.Cleo.tone), `${name} is heard`);
  });

  test('a worker that is killed and started anew goes on, and so does a server', LIMIT, async () => {
    const w2 = await worker('w2');
    await sleep(1_500);
    const meeting = await stage.api.createMeeting();
    const [ada, bob] = await stage.gathers(meeting, 'Ada', 'Bob');
    await ada.eventuallySeesAndHears(bob);
    const { id } = await stage.api.startTracks(meeting);
    await until(id, 'RECORDING');
    await eventuallyEqual('Ada is told', () => state(ada), 'RECORDING', PATIENT);
    const before = recorders(w2.data);
    assert.equal(before.length, 1);
    await w2.kill();
    await w2.startAgain();
    await stage.salon.kill();
    await stage.salon.startAgain();
    await ada.eventuallySeesAndHears(bob);
    assert.deepEqual(recorders(w2.data), before, 'it is the same recorder');
    await sleep(3_000);
    // Told to stop it waits for what it has.
    const stopped = w2.stop();
    await sleep(2_000);
    assert.equal((await stage.api.recording(id)).status, 'RECORDING');
    await stage.api.actOnRecording(id, 'stop');
    const done = await until(id, 'UPLOADED');
    assert.ok(!done.err_message, done.err_message);
    await eventuallyEqual('Ada is told of the end', () => state(ada), 'IDLE', PATIENT);
    assert.ok(Object.keys(done.download_url[0].download_urls).length >= 2);
    await stopped;
    assert.deepEqual(recorders(w2.data), []);
  });

  test('when the machine of one is gone another goes on, and what a machine has comes when it is back', LIMIT, async () => {
    const w3 = await worker('w3');
    await sleep(1_500);
    const meeting = await stage.api.createMeeting();
    const [ada, bob] = await stage.gathers(meeting, 'Ada', 'Bob');
    await ada.eventuallySeesAndHears(bob);
    await ada.does(({ recording }) => recording.start());
    await eventuallyEqual('Bob is told', () => state(bob), 'RECORDING', PATIENT);
    const { id } = await stage.api.activeRecording(meeting);
    await losesPower(w3);
    const w4 = await worker('w4');
    await eventually('another records it', () => assert.equal(recorders(w4.data).length > 0, true), PATIENT);
    assert.equal(await state(bob), 'RECORDING');
    await sleep(6_000);
    // That one is gone as well, and it is stopped before it is back: what it has comes then.
    await losesPower(w4);
    await stage.api.actOnRecording(id, 'stop');
    await until(id, 'UPLOADING');
    await eventuallyEqual('Bob is told of the end', () => state(bob), 'IDLE', PATIENT);
    await w4.startAgain();
    workers.push(w4);
    const done = await until(id, 'UPLOADED');
    assert.match(done.err_message, /a part is missing/);
    const length = Number(probed(await fetched(done)).format.duration);
    assert.ok(length > 2 && Math.abs(length - done.recording_duration) < 3, `${length} s, told ${done.recording_duration}`);
    await w3.close();
  });

  test('a livestream that a worker makes is watched through the server', LIMIT, async () => {
    const w5 = await worker('w5');
    await sleep(1_500);
    const meeting = await stage.api.createMeeting();
    const [ada, bob] = await Promise.all(['Ada', 'Bob'].map((name) => stage.invites(name, meeting, { preset: 'livestream_host' })));
    for (const person of [ada, bob]) await person.joins();
    await ada.eventuallySeesAndHears(bob);
    await ada.does(({ livestream }) => livestream.start());
    const live = (person) => person.asks(({ livestream }) => livestream.state);
    for (const person of [ada, bob]) await eventuallyEqual(`${person.name} is told`, () => live(person), 'LIVESTREAMING', PATIENT);
    const url = await bob.asks(({ livestream }) => livestream.playbackUrl);
    assert.ok(url.startsWith(stage.salon.origin), url);
    const { samples } = soundOf(url, '-t', '4');
    assert.ok(strength(samples, CAST.Ada.tone) > 4 * strength(samples, CAST.Cleo.tone), 'Ada is heard');
    // Its machine stands still for some seconds: players are told to come back, and never that there is nothing.
    w5.signal('SIGSTOP');
    const told = [];
    for (const until = Date.now() + 10_000; Date.now() < until; await sleep(200)) told.push((await fetch(url)).status);
    w5.signal('SIGCONT');
    assert.deepEqual([...new Set(told)].filter((status) => status !== 200), [503], `${told}`);
    await eventually('it is there again', async () => assert.equal((await fetch(url)).status, 200));
    assert.ok(soundOf(url, '-t', '4').samples.length > 0, 'it goes on');
    await ada.does(({ livestream }) => livestream.stop());
    for (const person of [ada, bob]) await eventuallyEqual(`${person.name} is told of the end`, () => live(person), 'IDLE', PATIENT);
  });
});
