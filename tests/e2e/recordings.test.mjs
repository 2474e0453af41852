// Recordings: what people say is in files afterwards, whoever dies meanwhile, and everybody sees when they are recorded.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';

import { CELLS, COLOURS, frameOf } from './page/pattern.js';
import { eventually, eventuallyEqual } from './support/eventually.mjs';
import { recorders, recordingIs } from './support/recordings.mjs';
import { ffmpegs, longestSilence, probed, soundOf, strength } from './support/sound.mjs';
import { CAST, Stage } from './support/stage.mjs';

const LIMIT = { timeout: 120_000 };
/** Recorders give way to calls: on a busy machine the pictures of some seconds take a minute. */
const OF_PICTURES = { timeout: 300_000 };
const PATIENT = { within: 120_000 };

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

const until = (id, status, patience = { within: 30_000 }) => recordingIs(stage.api, id, status, patience);

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

/** What is in a file with sound: its codec, seconds, and its sound. */
function opened(path) {
  const { streams } = probed(path);
  assert.equal(streams.length, 1);
  return { codec: streams[0].codec_name, ...soundOf(path) };
}

/** Whose tone a file holds. */
function speaker({ samples }) {
  const strengths = Object.entries(CAST).map(([name, { tone }]) => [strength(samples, tone), name]);
  strengths.sort(([one], [other]) => other - one);
  assert.ok(strengths[0][0] > 4 * strengths[1][0] && strengths[0][0] > 100, JSON.stringify(strengths));
  return strengths[0][1];
}

const state = (person) => person.asks(({ recording }) => recording.recordingState);
const speaks = async (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1_000));

/** The process that works in a recording's folder. */
function recorder(id) {
  const [pid] = recorders(id);
  assert.ok(pid, `nobody records ${id}`);
  return pid;
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
  // The pause began and ended between two of these each.
  const pause = [performance.now()];
  await ada.does(({ recording }) => recording.pause());
  await eventuallyEqual('Bob is told of the pause', () => state(bob), 'PAUSED');
  await until(id, 'PAUSED');
  pause.push(performance.now());
  await speaks(3);
  pause.push(performance.now());
  await ada.does(({ recording }) => recording.resume());
  await eventuallyEqual('Bob is told that it goes on', () => state(bob), 'RECORDING');
  pause.push(performance.now());
  await speaks(2);
  await ada.does(({ recording }) => recording.stop());
  await eventuallyEqual('Bob is told of the end', () => state(bob), 'IDLE');
  const done = await until(id, 'UPLOADED');
  assert.equal(done.stop_reason.caller.type, 'USER');
  const files = await fetched(done);
  assert.equal(files.length, 3, JSON.stringify(files));
  for (const { name } of files) assert.match(name, /^talk_[0-9a-f-]{36}_[0-9a-f-]{36}_peer_audio_\d{13}\.webm$/);
  const ran = (Date.parse(done.stopped_time) - Date.parse(done.started_time)) / 1_000;
  assert.ok(ran - done.recording_duration > 2, 'the pause does not count');
  const least = (pause[2] - pause[1]) / 1_000;
  const most = (pause[3] - pause[0]) / 1_000;
  for (const person of [ada, bob]) {
    const { path } = files.find(({ name }) => name.includes(person.id));
    const file = opened(path);
    assert.equal(file.codec, 'opus');
    assert.equal(speaker(file), person.name);
    // What was said during the pause is silence, so that all files stay in step.
    assert.ok(Math.abs(file.seconds - ran) < 1, `${person.name}: ${file.seconds} s of ${ran}`);
    const silence = longestSilence(file);
    assert.ok(silence > least - 0.3 && silence < most + 0.3, `${person.name} is silent for ${silence} s, paused for ${least} to ${most} s`);
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

test('a host records the meeting with the client, in pictures and sound', OF_PICTURES, async () => {
  const meeting = await stage.api.createMeeting();
  const [ada, bob] = await stage.gathers(meeting, 'Ada', 'Bob');
  await ada.eventuallySeesAndHears(bob);
  await ada.does(({ recording }) => recording.start());
  for (const person of [ada, bob]) await eventuallyEqual(`${person.name} is told`, () => state(person), 'RECORDING', PATIENT);
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
  for (const person of [ada, bob]) await eventuallyEqual(`${person.name} is told of the end`, () => state(person), 'IDLE', PATIENT);
  const done = await until(id, 'UPLOADED', PATIENT);
  assert.match(done.output_file_name, new RegExp(`^${meeting}_\\d{13}\\.mp4$`));
  const response = await fetch(done.download_url);
  assert.equal(response.headers.get('content-type'), 'video/mp4');
  const path = join(folder, done.output_file_name);
  writeFileSync(path, Buffer.from(await response.arrayBuffer()));
  const { streams, format } = probed(path);
  const [video, audio] = ['video', 'audio'].map((kind) => streams.find((stream) => stream.codec_type === kind));
  const seconds = Number(format.duration);
  assert.deepEqual([video.codec_name, video.width, video.height, audio.codec_name], ['h264', 1280, 720, 'aac']);
  const ran = (Date.parse(done.stopped_time) - Date.parse(done.started_time)) / 1_000;
  // A recorder on a machine that is too slow for pictures stops late, and says so in its log.
  assert.ok(seconds > 5 && seconds < ran + 1.5, `${seconds} s of ${ran}`);
  const { samples } = soundOf(path);
  for (const name of ['Ada', 'Bob']) assert.ok(strength(samples, CAST[name].tone) > 4 * strength(samples, CAST.Cleo.tone), `${name} is heard`);
});

/** The number that somebody's camera shows in a picture, found by its colour; none if it is not there, or is no clean picture. */
function numberOf({ pixels, width, height }, name) {
  const colour = COLOURS[CAST[name].colour];
  const is = (x, y) => colour.every((value, channel) => Math.abs(pixels[(y * width + x) * 3 + channel] - value) < 25);
  let [left, top, right, bottom, count] = [width, height, 0, 0, 0];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (!is(x, y)) continue;
      [left, top, right, bottom] = [Math.min(left, x), Math.min(top, y), Math.max(right, x), Math.max(bottom, y)];
      count += 1;
    }
  }
  if (count < (right - left) * (bottom - top) * 0.3 || count < 2_000) return null;
  const cells = Array.from({ length: CELLS.count }, (_, index) => {
    const area = CELLS.area(index, right - left, bottom - top);
    const [x, y] = [left + Math.round((area.left + area.right) / 2), top + Math.round((bottom - top) / 2)];
    return pixels[(y * width + x) * 3 + 1] > 128;
  });
  return frameOf(cells);
}

/** Some pictures of a file, in a quarter of their size. */
function picturesOf(path) {
  const [width, height] = [640, 360];
  const bytes = ffmpegs('ffmpeg', '-i', path, '-vf', `fps=5,scale=${width}:${height}:flags=neighbor`, '-pix_fmt', 'rgb24', '-f', 'rawvideo', '-');
  const size = width * height * 3;
  return Array.from({ length: bytes.length / size }, (_, n) => ({ pixels: bytes.subarray(n * size, (n + 1) * size), width, height }));
}

/** A recording of twelve seconds that somebody starts, as a file. */
async function filmed(starter, meeting) {
  await starter.does(({ recording }) => recording.start());
  await eventuallyEqual(`${starter.name} is told`, () => state(starter), 'RECORDING', PATIENT);
  const { id } = await stage.api.activeRecording(meeting);
  await speaks(12);
  await stage.api.actOnRecording(id, 'stop');
  const done = await until(id, 'UPLOADED', PATIENT);
  assert.ok(!done.err_message, done.err_message);
  const path = join(folder, done.output_file_name);
  writeFileSync(path, Buffer.from(await (await fetch(done.download_url)).arrayBuffer()));
  return path;
}

/** Those whose colours these are move in most pictures of a file. */
function allMove(path, names) {
  const pictures = picturesOf(path);
  for (const name of names) {
    const all = pictures.map((picture) => numberOf(picture, name));
    const numbers = all.filter((number) => number !== null);
    const different = new Set(numbers).size;
    console.log(`${name}: ${all.map((number) => number ?? '-').join(' ')}`);
    assert.ok(numbers.length > pictures.length * 0.6, `${name} is seen in ${numbers.length} of ${pictures.length} pictures`);
    assert.ok(different > 10, `${name} moves: ${numbers}`);
  }
}

for (const [what, camera, codecs] of [
  ['whatever codec they come in', { width: 640, height: 360, rate: 10 }, [['video/H264'], ['video/VP9'], ['video/AV1']]],
  // Smaller ones have fewer layers.
  ['with all layers in one stream', { width: 960, height: 540, rate: 8 }, [['video/VP9', 'L3T3_KEY'], ['video/VP9', 'L3T3'], ['video/AV1', 'L3T3_KEY']]],
]) {
  test(`cameras are in the picture ${what}`, OF_PICTURES, async () => {
    const meeting = await stage.api.createMeeting();
    const preset = await stage.api.presetLike('group_call_host', `of ${codecs[0][0]} ${what}`, ({ config }) => {
      config.media.video = { quality: 'hd', frame_rate: 15, simulcast: codecs[0].length > 1 };
    });
    const people = [];
    for (const [n, name] of ['Ada', 'Bob', 'Cleo'].entries()) {
      const person = await stage.invites(name, meeting, { camera, preset });
      const [codec, scalabilityMode] = codecs[n];
      await person.does((_, how) => window.person.publishes(how), { codec, scalabilityMode });
      await person.joins();
      people.push(person);
    }
    const [ada, bob, cleo] = people;
    for (const person of [bob, cleo]) await ada.eventuallySees(person);
    await bob.eventuallySees(ada);
    allMove(await filmed(ada, meeting), ['Ada', 'Bob', 'Cleo']);
  });
}

for (const codec of ['video/VP9', 'video/AV1']) {
  test(`a screen in ${codec} is in the picture`, OF_PICTURES, async () => {
    const meeting = await stage.api.createMeeting();
    const ada = await stage.invites('Ada', meeting);
    await ada.does((_, how) => window.person.publishes(how), { codec });
    await ada.joins();
    await ada.does((_, how) => window.person.fakeScreen(how), { colour: CAST.Cleo.colour, tone: CAST.Cleo.tone });
    await ada.does(({ self }) => self.enableScreenShare());
    allMove(await filmed(ada, meeting), ['Cleo']);
  });
}
