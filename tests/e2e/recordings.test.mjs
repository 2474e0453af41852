// Recordings: what people say is in files afterwards, whoever dies meanwhile, and everybody sees when they are recorded.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';

import { eventually, eventuallyEqual } from './support/eventually.mjs';
import { CAST, Stage } from './support/stage.mjs';

const LIMIT = { timeout: 90_000 };
const RATE = 8_000;

let stage;
let folder;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'salon-e2e-recordings-'));
  stage = await Stage.open(import.meta.url);
});
afterEach(() => stage.clear());
after(async () => {
  await stage?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Waits until a recording stands so. */
async function until(id, status) {
  let found;
  await eventually(`the recording is ${status}`, async () => {
    found = await stage.api.recording(id);
    assert.equal(found.status, status, JSON.stringify(found));
  }, { within: 30_000 });
  return found;
}

/** The files of a recording: `{ name, path }`, fetched by their links. */
async function fetched(recording) {
  const [layer] = recording.download_url;
  assert.equal(layer.layer_name, 'default');
  const files = [];
  for (const [name, { download_url }] of Object.entries(layer.download_urls)) {
    const response = await fetch(download_url);
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('content-type'), 'audio/webm');
    const path = join(folder, name);
    writeFileSync(path, Buffer.from(await response.arrayBuffer()));
    files.push({ name, path });
  }
  return files;
}

/** What a program of ffmpeg's says; nothing of its complaints may be there. */
const run = (program, ...args) => execFileSync(program, ['-v', 'error', ...args], { maxBuffer: 1 << 28 });

/** What is in a file: its codec, seconds, and its sound. */
function opened(path) {
  const probed = JSON.parse(run('ffprobe', '-show_streams', '-of', 'json', path));
  assert.equal(probed.streams.length, 1);
  const pcm = run('ffmpeg', '-i', path, '-f', 's16le', '-ac', '1', '-ar', String(RATE), '-');
  const samples = new Int16Array(pcm.buffer.slice(pcm.byteOffset, pcm.byteOffset + pcm.length));
  return { codec: probed.streams[0].codec_name, seconds: samples.length / RATE, samples };
}

/** How strong a tone is in a stretch of sound. */
function strength(samples, hz) {
  let [re, im] = [0, 0];
  for (let at = 0; at < samples.length; at++) {
    const turn = (2 * Math.PI * hz * at) / RATE;
    re += samples[at] * Math.cos(turn);
    im += samples[at] * Math.sin(turn);
  }
  return Math.hypot(re, im) / samples.length;
}

/** Whose tone a file holds. */
function speaker({ samples }) {
  const strengths = Object.entries(CAST).map(([name, { tone }]) => [strength(samples, tone), name]);
  strengths.sort(([one], [other]) => other - one);
  assert.ok(strengths[0][0] > 4 * strengths[1][0] && strengths[0][0] > 100, JSON.stringify(strengths));
  return strengths[0][1];
}

/** The longest time without a sound, in seconds. */
function longestSilence({ samples }) {
  let [longest, since] = [0, 0];
  for (let at = 0; at < samples.length; at++) {
    if (Math.abs(samples[at]) > 200) since = at;
    longest = Math.max(longest, at - since);
  }
  return longest / RATE;
}

const state = (person) => person.asks(({ recording }) => recording.recordingState);
const speaks = async (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1_000));

/** The process that works in a recording's folder. */
function recorder(id) {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      if (words.includes('recorder') && readlinkSync(`/proc/${pid}/cwd`).includes(id)) return Number(pid);
    } catch {
      // It is gone, or another's.
    }
  }
  throw new Error(`nobody records ${id}`);
}

test('each voice is in a file of its own, and everybody sees that they are recorded', LIMIT, async () => {
  const meeting = await stage.api.createMeeting();
  const [ada, bob] = await stage.gathers(meeting, 'Ada', 'Bob');
  await ada.eventuallySeesAndHears(bob);
  const { id } = await stage.api.startTracks(meeting, { layers: { default: { file_name_prefix: 'talk' } } });
  await until(id, 'RECORDING');
  for (const person of [ada, bob]) await eventuallyEqual(`${person.name} is told`, () => state(person), 'RECORDING');
  // Nobody is there who was not before.
  assert.equal((await stage.api.activeSession(meeting)).live_participants, 2);
  assert.equal(await ada.asks(({ participants }) => participants.joined.size), 1);
  const cleo = await stage.invites('Cleo', meeting);
  await cleo.joins();
  assert.equal(await state(cleo), 'RECORDING', 'whoever comes later finds it');
  await cleo.goesAway();
  await speaks(4);
  await ada.does(({ recording }) => recording.pause());
  await eventuallyEqual('Bob is told of the pause', () => state(bob), 'PAUSED');
  await until(id, 'PAUSED');
  await speaks(3);
  await ada.does(({ recording }) => recording.resume());
  await eventuallyEqual('Bob is told that it goes on', () => state(bob), 'RECORDING');
  await speaks(2);
  await ada.does(({ recording }) => recording.stop());
  await eventuallyEqual('Bob is told of the end', () => state(bob), 'IDLE');
  const done = await until(id, 'UPLOADED');
  assert.equal(done.stop_reason.caller.type, 'USER');
  const files = await fetched(done);
  assert.equal(files.length, 3, JSON.stringify(files));
  const heard = new Map();
  for (const { name, path } of files) {
    assert.match(name, /^talk_[0-9a-f-]{36}_[0-9a-f-]{36}_peer_audio_\d{13}\.webm$/);
    const file = opened(path);
    assert.equal(file.codec, 'opus');
    if (file.seconds > 3) heard.set(speaker(file), file);
  }
  assert.deepEqual([...heard.keys()].filter((name) => name !== 'Cleo').sort(), ['Ada', 'Bob']);
  const ran = (Date.parse(done.stopped_time) - Date.parse(done.started_time)) / 1_000;
  assert.ok(ran - done.recording_duration > 2, 'the pause does not count');
  for (const name of ['Ada', 'Bob']) {
    const file = heard.get(name);
    // What was said during the pause is silence, so that all files stay in step.
    assert.ok(Math.abs(file.seconds - ran) < 1, `${name}: ${file.seconds} s of ${ran}`);
    const silence = longestSilence(file);
    assert.ok(silence > 2 && silence < 5, `${name} is silent for ${silence} s`);
  }
});

test('only those who are named are recorded', LIMIT, async () => {
  const meeting = await stage.api.createMeeting();
  const [ada, bob] = await stage.gathers(meeting, 'Ada', 'Bob');
  await ada.eventuallySeesAndHears(bob);
  const { id } = await stage.api.startTracks(meeting, { user_ids: ['custom-bob'] });
  await until(id, 'RECORDING');
  await speaks(3);
  await stage.api.actOnRecording(id, 'stop');
  const files = await fetched(await until(id, 'UPLOADED'));
  assert.equal(files.length, 1);
  assert.equal(speaker(opened(files[0].path)), 'Bob');
});

test('a recorder that is killed is missed for a moment only', LIMIT, async () => {
  const meeting = await stage.api.createMeeting();
  const [ada, bob] = await stage.gathers(meeting, 'Ada', 'Bob');
  await ada.eventuallySeesAndHears(bob);
  const { id } = await stage.api.startTracks(meeting);
  await until(id, 'RECORDING');
  await speaks(3);
  const first = recorder(id);
  process.kill(first, 'SIGKILL');
  await eventually('another goes on', () => assert.notEqual(recorder(id), first));
  assert.equal(await state(ada), 'RECORDING', 'nobody notices');
  await speaks(4);
  await stage.api.actOnRecording(id, 'stop');
  const files = await fetched(await until(id, 'UPLOADED'));
  assert.equal(files.length, 4, JSON.stringify(files));
  const seconds = { Ada: 0, Bob: 0 };
  for (const { path } of files) {
    const file = opened(path);
    seconds[speaker(file)] += file.seconds;
  }
  for (const name of ['Ada', 'Bob']) assert.ok(seconds[name] > 5, JSON.stringify(seconds));
});

test('a recording outlives the server, and the next one stops it', LIMIT, async () => {
  const meeting = await stage.api.createMeeting();
  const [ada, bob] = await stage.gathers(meeting, 'Ada', 'Bob');
  await ada.eventuallySeesAndHears(bob);
  const { id } = await stage.api.startTracks(meeting);
  await until(id, 'RECORDING');
  await speaks(3);
  const first = recorder(id);
  await stage.salon.kill();
  await stage.salon.startAgain();
  await ada.eventuallySeesAndHears(bob);
  assert.equal(recorder(id), first, 'it is the same process');
  await until(id, 'RECORDING');
  await speaks(4);
  await stage.api.actOnRecording(id, 'stop');
  const files = await fetched(await until(id, 'UPLOADED'));
  const seconds = { Ada: 0, Bob: 0 };
  for (const { path } of files) {
    const file = opened(path);
    if (file.seconds > 0.5) seconds[speaker(file)] += file.seconds;
  }
  for (const name of ['Ada', 'Bob']) assert.ok(seconds[name] > 5, JSON.stringify(seconds));
});

test('it ends with its session', LIMIT, async () => {
  const meeting = await stage.api.createMeeting();
  const [ada, bob] = await stage.gathers(meeting, 'Ada', 'Bob');
  await ada.eventuallySeesAndHears(bob);
  const { id } = await stage.api.startTracks(meeting);
  await until(id, 'RECORDING');
  await speaks(2);
  await stage.api.kickAll(meeting);
  const done = await until(id, 'UPLOADED');
  assert.equal(done.stop_reason.reason, 'ALL_PEERS_LEFT');
  assert.equal((await fetched(done)).length, 2);
  await eventually('its process is gone', () => assert.throws(() => recorder(id)));
});

/** What is in a file with pictures. */
function probed(path) {
  const { streams, format } = JSON.parse(run('ffprobe', '-show_streams', '-show_format', '-of', 'json', path));
  const of = (kind) => streams.find((stream) => stream.codec_type === kind);
  return { video: of('video'), audio: of('audio'), seconds: Number(format.duration) };
}

test('a host records the meeting with the client, in pictures and sound', LIMIT, async () => {
  const meeting = await stage.api.createMeeting();
  const [ada, bob] = await stage.gathers(meeting, 'Ada', 'Bob');
  await ada.eventuallySeesAndHears(bob);
  await ada.does(({ recording }) => recording.start());
  for (const person of [ada, bob]) await eventuallyEqual(`${person.name} is told`, () => state(person), 'RECORDING', { within: 30_000 });
  const { id } = await stage.api.activeRecording(meeting);
  const again = await bob.asks(async ({ recording }) => {
    try {
      await recording.start();
      return null;
    } catch (error) {
      return error.code;
    }
  });
  assert.equal(again, '1005', 'one at a time');
  await speaks(6);
  await bob.does(({ recording }) => recording.stop());
  for (const person of [ada, bob]) await eventuallyEqual(`${person.name} is told of the end`, () => state(person), 'IDLE', { within: 40_000 });
  const done = await until(id, 'UPLOADED');
  assert.match(done.output_file_name, new RegExp(`^${meeting}_\\d{13}\\.mp4$`));
  const response = await fetch(done.download_url);
  assert.equal(response.headers.get('content-type'), 'video/mp4');
  const path = join(folder, done.output_file_name);
  writeFileSync(path, Buffer.from(await response.arrayBuffer()));
  const { video, audio, seconds } = probed(path);
  assert.deepEqual([video.codec_name, video.width, video.height, audio.codec_name], ['h264', 1280, 720, 'aac']);
  const ran = (Date.parse(done.stopped_time) - Date.parse(done.started_time)) / 1_000;
  // A recorder on a machine that is too slow for pictures stops late, and says so in its log.
  assert.ok(seconds > 5 && seconds < ran + 1.5, `${seconds} s of ${ran}`);
  const pcm = run('ffmpeg', '-i', path, '-f', 's16le', '-ac', '1', '-ar', String(RATE), '-');
  const samples = new Int16Array(pcm.buffer.slice(pcm.byteOffset, pcm.byteOffset + pcm.length));
  for (const name of ['Ada', 'Bob']) assert.ok(strength(samples, CAST[name].tone) > 4 * strength(samples, CAST.Cleo.tone), `${name} is heard`);
});
