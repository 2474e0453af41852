// A meeting that is spread over two media threads: nobody notices. Once with a port for each thread, once with one for both.

import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';

import { DARES, eventually } from './support/eventually.mjs';
import { Stage, THREE_SIZES } from './support/stage.mjs';

const ROUNDS = 5;

for (const [ports, settings] of [
  ['a-port-each', {}],
  ['one-port', { 'media.single_port': true }],
]) {
  describe(`two media threads, ${ports}`, () => {
    let stage;
    before(async () => {
      const name = new URL(`./threads-${ports}.test.mjs`, import.meta.url);
      // Each connection of a meeting goes to another thread than the one before.
      stage = await Stage.open(name, { 'media.threads': 2, 'media.room_per_thread': 1, ...settings });
    });
    afterEach(() => stage.clear());
    after(() => stage?.close());

    /** What the server has counted. */
    const counted = async (name) => {
      const text = await (await fetch(`${stage.salon.origin}/metrics`)).text();
      return Number(new RegExp(`^\\w*${name} (\\S+)$`, 'm').exec(text)[1]);
    };

    test('three people see and hear each other, whoever comes and whatever they switch', { timeout: 150_000 }, async () => {
      const meeting = await stage.api.createMeeting();
      const [ada, bob, cleo] = await stage.gathers(meeting, 'Ada', 'Bob', 'Cleo');
      const everyone = [ada, bob, cleo];
      const allSeeAndHear = async () => {
        for (const person of everyone) {
          for (const other of everyone) if (other !== person) await person.eventuallySeesAndHears(other);
        }
      };
      await allSeeAndHear();
      for (let round = 0; round < ROUNDS; round++) {
        await ada.does(({ self }) => self.disableVideo());
        await bob.does(({ self }) => self.disableAudio());
        for (const other of [bob, cleo]) {
          await other.eventuallyShows(ada, { camera: false, microphone: true });
          await other.eventuallySeesNoPictureOf(ada);
        }
        for (const other of [ada, cleo]) await other.eventuallyShows(bob, { camera: true, microphone: false });
        // The browser makes sound of its own for a moment when packets stop in the middle of a tone.
        await eventually('Bob has gone silent for Cleo', () => cleo.eventuallyHearsNothingOf(bob));
        await ada.does(({ self }) => self.enableVideo());
        await bob.does(({ self }) => self.enableAudio());
      }
      await allSeeAndHear();
      assert.ok((await counted('media_packets_crossed_total')) > 0, 'the meeting was on both threads');
      assert.equal(await counted('media_drops_total{reason="crossing_full"}'), 0);
      for (const person of everyone) await person.leaves();
      await eventually('nothing is left', async () => {
        for (const gauge of ['media_rooms', 'media_transports', 'media_producers', 'media_consumers']) assert.equal(await counted(gauge), 0, gauge);
      });
    });

    test('a picture drawn small comes small, and large again when it is drawn large', { timeout: 240_000 }, async () => {
      const preset = await stage.api.presetLike('group_call_host', 'simulcast_host', ({ config }) => {
        config.media.video = { quality: 'hd', frame_rate: 15, simulcast: true };
      });
      // Who only looks sends nothing: what crosses is Ada's.
      const looks = await stage.api.presetLike('group_call_participant', 'looks', ({ permissions }) => {
        for (const kind of ['audio', 'video']) permissions.media[kind].can_produce = 'NOT_ALLOWED';
      });
      const meeting = await stage.api.createMeeting();
      const ada = await stage.invites('Ada', meeting, { preset, camera: THREE_SIZES });
      await ada.joins();
      const crossing = async () => {
        const before = await counted('media_packets_crossed_total');
        await eventually('something crosses', async () => assert.ok((await counted('media_packets_crossed_total')) > before), { within: 3_000 });
      };
      // Whoever looks may be on Ada's own thread: the two connections of a client come in any order, and with one port the
      // other thread may have to hand over all that comes from her, so that it gets nobody.
      let bob;
      let crosses = false;
      for (const name of ['Bob', 'Cleo', 'Bob', 'Cleo']) {
        bob = await stage.invites(name, meeting, { preset: looks });
        await bob.joins();
        await bob.eventuallySeesAndHears(ada);
        crosses = await crossing().then(() => true, () => false);
        if (crosses) break;
      }
      assert.ok(crosses || settings['media.single_port'], 'from one thread to the other');
      const draws = (width, height) => bob.does((_, given) => window.person.resizes(...given), [ada.id, width, height]);
      const eventuallyIs = (wanted, is) =>
        eventually(`the picture is ${wanted}`, async () => {
          const picture = await bob.looksAt(ada);
          assert.ok(picture && is(picture.width), JSON.stringify(picture));
        }, DARES);
      await draws(1280, 720);
      await eventuallyIs('large', (width) => width >= 640);
      await draws(80, 45);
      await eventuallyIs('small', (width) => width <= 320);
      await draws(1280, 720);
      await eventuallyIs('large again', (width) => width >= 640);
      await bob.eventuallySeesAndHears(ada);
      assert.deepEqual((await bob.looksAt(ada)).garbage, []);
      if (crosses) await crossing();
    });
  });
}
