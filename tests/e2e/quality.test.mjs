// How good calls are, as the server tells it: compared with what the browsers themselves count, and kept after the call.
// And what a preset allows, against a page that takes no notice of it.

import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { setTimeout as passes } from 'node:timers/promises';

import { Air } from './support/air.mjs';
import { DARES, eventually } from './support/eventually.mjs';
import { Stage } from './support/stage.mjs';

let air;
let stage;

before(async () => {
  air = await Air.open();
  stage = await Stage.open(import.meta.url, air.settings);
});
afterEach(() => {
  Object.assign(air, { rate: Infinity, delay: 0, loss: 0 });
  return stage.clear();
});
after(async () => {
  await stage?.close();
  air?.close();
});

/** Ada sends her camera, Bob watches her large. */
async function call({ quality = 'hd', camera = { width: 1280, height: 720 }, prepares } = {}) {
  const preset = await stage.api.presetLike('group_call_host', `quality ${Math.random()}`, ({ config }) => {
    config.media.video = { quality, frame_rate: 15, simulcast: true };
  });
  const meeting = await stage.api.createMeeting();
  const ada = await stage.invites('Ada', meeting, { preset, camera });
  if (prepares) await prepares(ada);
  await ada.joins();
  const [bob] = await stage.gathers(meeting, 'Bob');
  await bob.eventuallySeesAndHears(ada);
  await bob.does((_, id) => window.person.resizes(id, 1280, 720), ada.id);
  return { meeting, ada, bob };
}

const person = (quality, { id }) => quality.participants.flatMap(({ peers }) => peers).find((peer) => peer.id === id);
const received = (quality, by, of, kind) =>
  person(quality, by).receiving.find((track) => track.from_peer_id === of.id && track.kind === kind && !track.screen_share);
const published = (quality, by, kind) => person(quality, by).publishing.find((track) => track.kind === kind);

/** What a browser counts of what it receives of somebody, from its own statistics. */
const counted = (by, of) => by.asks((_, id) => window.person.counts(id), of.id);

test('what the server tells of a good call is what the browser counts', { timeout: 120_000 }, async (t) => {
  const { meeting, ada, bob } = await call();
  const told = await eventually('server and browser count the same', async () => {
    const [quality, browser] = await Promise.all([stage.api.quality(meeting), counted(bob, ada)]);
    const video = received(quality, bob, ada, 'video');
    const about = JSON.stringify({ video, browser });
    // A client whose picture was small at first asks for the half-size layer from then on (read in web SDK 2.0.2).
    assert.match(video.reason, /^the (full-size layer: f|half-size layer: h) was asked for$/, about);
    assert.deepEqual([video.width, video.height], [browser.camera.width, browser.camera.height], about);
    assert.ok(Math.abs(video.frames_per_second - browser.camera.framesPerSecond) <= 5, about);
    assert.ok(video.packet_loss < 0.02 && video.score > 4, about);
    const audio = received(quality, bob, ada, 'audio');
    assert.ok(audio.score > 4 && audio.packet_loss < 0.02, JSON.stringify(audio));
    const rtt = person(quality, bob).rtt_ms;
    assert.ok(rtt >= 0 && rtt < 100, `${rtt} ms`);
    const layers = published(quality, ada, 'video').layers.filter(({ active }) => active);
    // Sizes that nobody wants are not sent for long.
    const sizes = [['f', 1280], ['h', 640], ['q', 320]].slice(video.rid === 'h' && layers.length < 3 ? 1 : 0);
    assert.deepEqual(layers.map(({ rid, width }) => [rid, width]).sort(), sizes);
    return { about, rid: video.rid };
  }, DARES);
  t.diagnostic(told.about);
  // The same in sums, for those who look after all calls.
  const metrics = await (await fetch(`${stage.salon.origin}/metrics`)).text();
  assert.match(metrics, new RegExp(`^salon_media_pictures_out\\{layer="${told.rid}"\\} [12]$`, 'm'));
  assert.match(metrics, /^salon_media_track_score_bucket\{kind="audio",le="\+Inf"\} [1-9]/m);
  assert.match(metrics, /^salon_media_line_rtt_seconds_bucket\{le="0.1"\} [1-9]/m);
});

test('a lossy and far line shows as such, near what the browser counts, and is in the report after the call', { timeout: 180_000 }, async (t) => {
  const began = performance.now();
  const { meeting, ada, bob } = await call();
  const good = performance.now() - began;
  Object.assign(air, { delay: 60, loss: 0.08 });
  await passes(5_000);
  const first = await counted(bob, ada);
  // As long as the line was good: the report tells shares of the whole call, and on a busy machine it begins slowly.
  await passes(Math.max(15_000, good));
  const last = await counted(bob, ada);
  const lost = last.microphone.lost - first.microphone.lost;
  const share = lost / (lost + last.microphone.packets - first.microphone.packets);
  // The server knows what Bob reported last, and reports are seconds apart and get lost like all else: soon it has counted
  // what he has by now, and it never counts more than he does.
  const quality = await eventually('the server counts the lost ones that the browser counts', async () => {
    const quality = await stage.api.quality(meeting);
    const audio = received(quality, bob, ada, 'audio');
    const now = await counted(bob, ada);
    const about = JSON.stringify({ audio, share, last, now, line: { ...person(quality, bob), publishing: 0, receiving: 0 } });
    assert.ok(audio.packets_lost >= last.microphone.lost, about);
    assert.ok(audio.packets_lost <= now.microphone.lost + 5, about);
    assert.ok(Math.abs(audio.packet_loss - share) < 0.06, about);
    t.diagnostic(about);
    return quality;
  }, { within: 40_000 });
  await eventually('the line shows as far and lossy', async () => {
    const { rtt_ms: rtt, packet_loss: loss } = person(await stage.api.quality(meeting), bob);
    assert.ok(rtt >= 55 && rtt < 150, `${rtt} ms`);
    assert.ok(loss > 0.03 && loss < 0.16, `${loss}`);
  });
  const { score } = received(quality, bob, ada, 'audio');
  const video = received(quality, bob, ada, 'video');
  // Of a picture that is watched nearly everything that was lost is sent again, however few pictures a busy machine makes.
  // (What the browser counts as received is no measure: packets that find out what the line carries are among it.)
  const { packets, packets_lost: missed, packets_resent: resent } = video;
  assert.ok(missed > 0.03 * packets && resent > 0.5 * missed, JSON.stringify(video));
  t.diagnostic(`${packets} packets of the picture, ${missed} lost, ${resent} sent again`);
  assert.ok(score < 4.1, `${score}`);

  await bob.leaves();
  await ada.leaves();
  await stage.api.kickAll(meeting).catch(() => {});
  const report = await eventually('the report has it', async () => {
    const { peer_report } = await stage.api.peerReport(bob.id);
    assert.ok(peer_report.quality?.audio_consumer_cumulative?.packet_loss.avg > 1, JSON.stringify(peer_report.quality ?? null).slice(0, 300));
    return peer_report;
  });
  const { quality_mos: mos, packet_loss: worst } = report.quality.audio_consumer_cumulative;
  assert.ok(mos.avg > 1 && mos.avg <= 5 && mos.p50 <= mos.p90, JSON.stringify(mos));
  assert.ok(worst['5_or_greater_event_fraction'] > 0.2, JSON.stringify({ worst, good, whole: performance.now() - began }));
  const [sample] = report.quality.video_consumer.slice(-1);
  assert.equal(sample.peer_id, ada.id);
  const adas = (await stage.api.peerReport(ada.id)).peer_report.quality;
  assert.ok(adas.video_producer_cumulative.frame_width.p90 >= 640, JSON.stringify(adas.video_producer_cumulative));
  assert.ok(adas.audio_producer.length > 1, JSON.stringify(adas.audio_producer));
});

test('a page that sends more than its preset allows is seen in the next smaller size', { timeout: 120_000 }, async () => {
  const { meeting, ada, bob } = await call({
    quality: 'vga',
    camera: { width: 960, height: 540, rate: 8 },
    // Whatever the client asks the camera for, it gets a large picture.
    prepares: (ada) => ada.does(async ({ self }) => {
      const large = { width: { exact: 960 }, height: { exact: 540 } };
      const devices = navigator.mediaDevices;
      const ordinary = devices.getUserMedia.bind(devices);
      devices.getUserMedia = (wanted) => ordinary(wanted.video ? { ...wanted, video: { ...wanted.video, ...large } } : wanted);
      MediaStreamTrack.prototype.applyConstraints = async () => {};
      await self.disableVideo();
      await self.enableVideo();
    }),
  });
  await eventually('the large layer is refused and the smaller one is sent', async () => {
    const quality = await stage.api.quality(meeting);
    const layers = Object.fromEntries(published(quality, ada, 'video').layers.map((layer) => [layer.rid, layer]));
    assert.deepEqual([layers.f?.width, layers.f?.height], [960, 540], JSON.stringify(layers));
    assert.equal(layers.f.refused, '960x540 is more than the preset allows (640x480)');
    const track = received(quality, bob, ada, 'video');
    assert.equal(track.rid, 'h', track.reason);
    assert.match(track.reason, /more than the preset allows/);
  }, DARES);
  await eventually('it is what is drawn', async () => assert.equal((await counted(bob, ada)).camera.width, 480));
  for (let look = 0; look < 10; look++) {
    const { camera } = await counted(bob, ada);
    assert.equal(camera.width, 480);
    await passes(300);
  }
  await bob.eventuallySees(ada);
});

test('a browser stops sending the sizes that nobody wants, and sends them again when somebody does', { timeout: 240_000 }, async (t) => {
  const { meeting, ada, bob } = await call();
  /** The layers that Ada's browser sends bytes of in a second. */
  const sends = async () => {
    const before = await ada.asks(() => window.person.sends());
    await passes(1_000);
    const later = await ada.asks(() => window.person.sends());
    const sent = ({ rid, width, bytes }) => bytes > (before.find((b) => b.rid === rid && b.width === width)?.bytes ?? 0);
    return later.filter(sent).map(({ rid }) => rid).sort().join(' ');
  };
  await eventually('all sizes are sent', async () => assert.equal(await sends(), 'f h q'), DARES);
  await bob.does((_, id) => window.person.resizes(id, 160, 90), ada.id);
  await eventually('the client asks for a smaller one', async () => {
    const track = received(await stage.api.quality(meeting), bob, ada, 'video');
    assert.notEqual(track.wanted_rid, 'f', track.reason);
  }, { within: 30_000 });
  await eventually('the large one is not sent any more', async () => assert.doesNotMatch(await sends(), /f/), { within: 60_000 });
  const track = published(await stage.api.quality(meeting), ada, 'video');
  assert.ok(track.told_to_send_at_most > 200_000, JSON.stringify(track));
  t.diagnostic(`told ${track.told_to_send_at_most}, sends ${await sends()}`);
  await bob.eventuallySeesAndHears(ada);
  // Who looks at her larger again is asked for the half-size layer by the client, which asks for the full one only when it
  // begins to look (read in web SDK 2.0.2).
  const began = performance.now();
  const shows = async (who, width) => {
    assert.equal((await counted(who, ada)).camera.width, width, received(await stage.api.quality(meeting), who, ada, 'video').reason);
    t.diagnostic(`${width} pixels for ${who.name} after ${((performance.now() - began) / 1000).toFixed(1)} s`);
  };
  await shows(bob, 320);
  await bob.does((_, id) => window.person.resizes(id, 1280, 720), ada.id);
  await eventually('Bob sees 640 pixels', () => shows(bob, 640), DARES);
  await bob.eventuallySeesAndHears(ada);
  await eventually('who begins to look sees 1280 pixels', async () => {
    const [cleo] = await stage.gathers(meeting, 'Cleo');
    try {
      await cleo.eventuallySees(ada);
      await eventually('Cleo sees 1280 pixels', () => shows(cleo, 1280));
    } catch (error) {
      // What she got first was small: her client wants no more from then on.
      await cleo.leaves();
      throw error;
    }
  }, DARES);
  assert.equal(published(await stage.api.quality(meeting), ada, 'video').told_to_send_at_most, undefined);
  await bob.eventuallySeesAndHears(ada);
});
