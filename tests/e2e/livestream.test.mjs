// Livestreams: whoever has the address sees and hears what happens in the meeting, in any player, and nobody's client is ever
// left waiting. Times are printed, not judged.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, afterEach, before, test } from 'node:test';

import { eventually, eventuallyEqual } from './support/eventually.mjs';
import { workingIn } from './support/recordings.mjs';
import { ffmpegs, probed, soundOf, strength } from './support/sound.mjs';
import { CAST, Stage } from './support/stage.mjs';
import { Visitor } from './support/visitor.mjs';

const LIMIT = { timeout: 300_000 };
const PATIENT = { within: 90_000 };
/** Clients of other views know of no livestream (seen in web SDK 2.0.2). */
const HOST = { preset: 'livestream_host' };

let stage;
before(async () => {
  stage = await Stage.open(import.meta.url);
});
afterEach(() => stage.clear());
after(() => stage?.close());

const state = (person) => person.asks(({ livestream }) => livestream.state);
const address = (person) => person.asks(({ livestream }) => livestream.playbackUrl);

/** Everybody's client says so. */
async function all(people, wanted) {
  for (const person of people) await eventuallyEqual(`${person.name}'s client`, () => state(person), wanted, PATIENT);
}

/** Two people whose meeting is live, started by the first of them. */
async function streamed() {
  const meeting = await stage.api.createMeeting();
  const [ada, bob] = await Promise.all(['Ada', 'Bob'].map((name) => stage.invites(name, meeting, HOST)));
  for (const person of [ada, bob]) await person.joins();
  await ada.eventuallySeesAndHears(bob);
  const began = Date.now();
  await ada.does(({ livestream }) => livestream.start());
  await all([ada, bob], 'LIVESTREAMING');
  console.log(`live after ${Date.now() - began} ms`);
  return { meeting, ada, bob, url: await address(bob) };
}

/** A playlist of a player of one's own, as text. */
async function playlist(url) {
  const index = await fetch(url);
  assert.equal(index.status, 200, url);
  assert.equal(index.headers.get('access-control-allow-origin'), '*');
  const lines = (await index.text()).split('\n');
  const own = lines.find((line) => line && !line.startsWith('#'));
  const response = await fetch(new URL(own, url));
  assert.equal(response.headers.get('content-type'), 'application/vnd.apple.mpegurl');
  assert.equal(response.headers.get('cache-control'), 'no-cache');
  return response.text();
}

const segments = (text) => text.split('\n').filter((line) => line.endsWith('.m4s'));

/** What a player hears and sees in four seconds of it: the tones, and how much of the last picture is of whose colour. */
function watched(url) {
  const { samples } = soundOf(url, '-t', '4');
  const pixels = ffmpegs('ffmpeg', '-i', url, '-t', '4', '-vf', 'scale=64:36', '-pix_fmt', 'rgb24', '-f', 'rawvideo', '-').subarray(-64 * 36 * 3);
  const share = { red: 0, green: 0, blue: 0 };
  for (let at = 0; at < pixels.length; at += 3) {
    const [red, green, blue] = pixels.subarray(at, at + 3);
    if (red > 1.5 * green && red > 1.5 * blue && red > 60) share.red += 1;
    if (green > 1.5 * red && green > 1.5 * blue && green > 60) share.green += 1;
    if (blue > 1.5 * red && blue > 1.5 * green && blue > 60) share.blue += 1;
  }
  for (const colour of Object.keys(share)) share[colour] /= pixels.length / 3;
  return { share, tone: (name) => strength(samples, CAST[name].tone) };
}

/** The process that streams a meeting, and the one that encodes for it. */
function processes() {
  const found = {};
  for (const { pid, words } of workingIn(stage.salon.data)) {
    if (words.includes('recorder')) found.recorder = pid;
    else if (words[0].endsWith('ffmpeg')) found.encoder = pid;
  }
  return found;
}

test('a host streams the meeting with the client, and it is seen, heard and counted in the kit', LIMIT, async () => {
  const { meeting, ada, bob, url } = await streamed();
  assert.match(url, /\/live\/[0-9a-f]{32}\/index\.m3u8$/);
  assert.equal(await address(ada), url, 'the client that asks for it finds the same');
  assert.equal((await stage.api.activeSession(meeting)).live_participants, 2, 'nobody is there who was not before');
  const again = await bob.asks(({ livestream }) => livestream.start().then(() => null, (error) => error.code));
  assert.equal(again, '1900', 'one at a time');
  await all([bob], 'IDLE');

  // On a busy machine it begins before the first picture of everybody is there.
  await eventually('both are seen and heard', () => {
    const { share, tone } = watched(url);
    console.log('seen', JSON.stringify(share), 'heard', Object.keys(CAST).map((name) => `${name} ${tone(name).toFixed(0)}`).join(', '));
    for (const name of ['Ada', 'Bob']) {
      assert.ok(share[CAST[name].colour] > 0.05, `${name} is seen: ${JSON.stringify(share)}`);
      assert.ok(tone(name) > 4 * tone('Cleo'), `${name} is heard`);
    }
  }, { within: 40_000 });
  const text = await playlist(url);
  assert.match(text, /#EXT-X-PROGRAM-DATE-TIME:/);
  const inside = await fetch(new URL(segments(text)[0], url));
  assert.equal(inside.headers.get('cache-control'), 'public, max-age=31536000, immutable');

  // A viewer on Salon's page, with the kit's own player.
  const { token } = await stage.api.addParticipant(meeting, { name: 'Cleo', preset: 'livestream_viewer' });
  const cleo = new Visitor('Cleo', await (await stage.context('Cleo', {})).newPage());
  await cleo.page.goto(`${stage.salon.origin}/#token=${token}`);
  await cleo.enters();
  const video = cleo.locator('rtk-livestream-player video').first();
  await video.waitFor({ state: 'attached', timeout: 60_000 });
  const plays = () => video.evaluate((it) => ({
    width: it.videoWidth,
    frames: it.getVideoPlaybackQuality().totalVideoFrames,
    at: it.currentTime,
    sound: it.webkitAudioDecodedByteCount,
  }));
  await eventually('the player shows something', async () => {
    const now = await plays();
    assert.ok(now.width > 0 && now.frames > 10 && now.sound > 0, JSON.stringify(now));
  }, PATIENT);
  const first = await plays();
  await eventually('the picture moves', async () => {
    const now = await plays();
    assert.ok(now.frames > first.frames + 60 && now.at > first.at + 2, JSON.stringify([first, now]));
  }, PATIENT);
  await eventually('viewers are counted', async () => assert.ok(await ada.asks(({ livestream }) => livestream.viewerCount > 0)), PATIENT);

  const dora = await stage.invites('Cleo', meeting, { ...HOST, as: 'Dora' });
  await dora.joins();
  await all([dora], 'LIVESTREAMING');
  await dora.does(({ livestream }) => livestream.stop());
  await all([ada, bob, dora], 'IDLE');
  await eventually('the playlist ends', async () => assert.match(await playlist(url), /#EXT-X-ENDLIST/), PATIENT);
  const [done] = await stage.api.livestreams(meeting);
  assert.equal(done.status, 'IDLE');
  const { session } = await stage.api.livestream(done.id);
  // The last piece, and one that a busy machine cut at a later key frame, are not as long as the others.
  const pieces = (await playlist(url)).matchAll(/#EXTINF:([\d.]+)/g);
  const length = [...pieces].reduce((sum, [, seconds]) => sum + Number(seconds), 0);
  console.log(`streamed ${session.ingest_seconds} s, watched ${session.viewer_seconds} s`);
  assert.ok(Math.abs(session.ingest_seconds - Math.floor(length)) <= 1, JSON.stringify([session, length]));
  assert.ok(session.viewer_seconds >= 8, 'ffmpeg and the player did');
  // All of it can be watched still, and is sound.
  const { streams } = probed(url);
  assert.deepEqual(streams.map((stream) => stream.codec_name).sort(), ['aac', 'h264']);
  ffmpegs('ffmpeg', '-xerror', '-i', url, '-f', 'null', '-');
});

test('it goes on when what makes it dies, and people notice nothing', LIMIT, async () => {
  const { ada, bob, url } = await streamed();
  const goesOn = async (what) => {
    const before = segments(await playlist(url)).length;
    await eventually(`it goes on after ${what}`, async () => {
      const text = await playlist(url);
      assert.ok(segments(text).length > before + 2, text);
    }, PATIENT);
    assert.deepEqual([await state(ada), await state(bob)], ['LIVESTREAMING', 'LIVESTREAMING'], what);
  };
  process.kill(processes().encoder, 'SIGKILL');
  await goesOn('the encoder died');
  const { recorder } = processes();
  process.kill(recorder, 'SIGKILL');
  await eventually('another goes on', () => assert.notEqual(processes().recorder ?? recorder, recorder), PATIENT);
  await goesOn('the recorder died');
  const second = processes().recorder;
  await stage.salon.kill();
  await stage.salon.startAgain();
  await ada.eventuallySeesAndHears(bob);
  assert.equal(processes().recorder, second, 'it is the same process');
  await goesOn('the server died');
  assert.ok((await playlist(url)).split('#EXT-X-DISCONTINUITY\n').length >= 3, 'players are told to begin anew');
  ffmpegs('ffmpeg', '-i', url, '-t', '8', '-f', 'null', '-');
  await ada.does(({ livestream }) => livestream.stop());
  await all([ada, bob], 'IDLE');
  await eventually('nothing is left of it', () => assert.deepEqual(processes(), {}), PATIENT);
});

test('who is away when it ends is not left with it', LIMIT, async () => {
  const { meeting, ada, bob, url } = await streamed();
  await stage.api.stopLivestream(meeting);
  await all([ada, bob], 'IDLE');
  await stage.api.stopLivestream(meeting);
  await eventually('its players are told that it is over', async () => assert.match(await playlist(url), /#EXT-X-ENDLIST/), PATIENT);
  // It can be had again, under another address.
  await bob.does(({ livestream }) => livestream.start());
  await all([ada, bob], 'LIVESTREAMING');
  assert.notEqual(await address(ada), url);
  await stage.api.kickAll(meeting);
  await eventually('it ends with its session', async () => {
    const [last] = await stage.api.livestreams(meeting);
    assert.equal(last.status, 'IDLE');
  }, PATIENT);
});

/** What an encoder such as OBS does: a moving picture and a tone, with a key frame a second. */
function encoder({ ingestionServer, streamKey }) {
  const what = '-v error -re -f lavfi -i testsrc=s=320x180:r=25 -f lavfi -i sine=f=1000:r=48000 -c:v libx264 -preset ultrafast -g 25 -pix_fmt yuv420p -c:a aac -f flv';
  return spawn('ffmpeg', [...what.split(' '), `${ingestionServer}/${streamKey}`], { stdio: 'ignore' });
}

test('a meeting waits for an encoder, shows what it streams, and waits again', LIMIT, async () => {
  const meeting = await stage.api.createMeeting();
  const [ada, bob] = await Promise.all(['Ada', 'Bob'].map((name) => stage.invites(name, meeting, HOST)));
  for (const person of [ada, bob]) await person.joins();
  await ada.does(({ livestream }) => livestream.start({ manualIngestion: true }));
  await all([ada, bob], 'WAITING_ON_MANUAL_INGESTION');
  const credentials = (person) => person.asks(({ livestream }) => livestream.ingestionCredentials);
  const told = await credentials(ada);
  assert.match(told.ingestionServer, /^rtmp:\/\/127\.0\.0\.1:\d+\/live$/);
  await eventually('Bob, who may stream as well, is told the same', async () => assert.deepEqual(await credentials(bob), told));
  const first = encoder(told);
  try {
    await all([ada, bob], 'LIVESTREAMING');
    const url = await address(bob);
    const { samples } = soundOf(url, '-t', '2');
    assert.ok(strength(samples, 1000) > 4 * strength(samples, 1700), 'it is the encoder that is heard');
    const cleo = await stage.invites('Cleo', meeting, HOST);
    await cleo.joins();
    await all([cleo], 'LIVESTREAMING');
    const { token } = await stage.api.addParticipant(meeting, { name: 'Dora', preset: 'livestream_viewer' });
    const dora = new Visitor('Dora', await (await stage.context('Cleo', {})).newPage());
    await dora.page.goto(`${stage.salon.origin}/#token=${token}`);
    await dora.enters();
    const video = dora.locator('rtk-livestream-player video').first();
    await video.waitFor({ state: 'attached', timeout: 60_000 });
    await eventually('the kit plays it', async () => {
      const now = await video.evaluate((it) => [it.videoWidth, it.getVideoPlaybackQuality().totalVideoFrames, it.webkitAudioDecodedByteCount]);
      assert.ok(now[0] === 320 && now[1] > 60 && now[2] > 0, JSON.stringify(now));
    }, PATIENT);
    first.kill('SIGTERM');
    await all([ada, bob, cleo], 'WAITING_ON_MANUAL_INGESTION');
    const second = encoder(told);
    try {
      await all([ada, bob, cleo], 'LIVESTREAMING');
      assert.equal(await address(ada), url, 'the address stays');
      await bob.does(({ livestream }) => livestream.stop());
      await all([ada, bob, cleo], 'IDLE');
      await eventually('the encoder is sent away', () => assert.notEqual(second.exitCode, null), PATIENT);
    } finally {
      second.kill('SIGKILL');
    }
  } finally {
    first.kill('SIGKILL');
  }
  await ada.does(({ livestream }) => livestream.start({ manualIngestion: true }));
  await all([ada, bob], 'WAITING_ON_MANUAL_INGESTION');
  await ada.does(({ livestream }) => livestream.stop());
  await all([ada, bob], 'IDLE');
});
