// Somebody in a call: a page with the official SDK, and what that person does, sees and hears.
// The verbs that begin with `eventually` wait; the others answer at once.

import assert from 'node:assert/strict';
import { appendFileSync } from 'node:fs';

import { always, eventually } from './eventually.mjs';

/** Frames of a picture that must be seen moving before it counts as live. */
const MOVING = 5;

/** Below this there is nothing to hear, above it there is. In between is neither. */
const SILENT_DB = -85;
const AUDIBLE_DB = -65;

export class Person {
  #log;
  /** The peer id: this connection of this participant. */
  id;

  constructor({ page, name, colour, tone, participant, origin, log }) {
    Object.assign(this, { page, name, colour, tone, participant, origin });
    this.#log = log;
    page.on('console', (message) => this.#note(message.type(), message.text()));
    page.on('pageerror', (error) => this.#note('page error', error.message));
  }

  /** Stands in front of the setup screen: ready, but not in the meeting. */
  async prepares(options = {}) {
    this.id = await this.asks((_, given) => window.person.prepare(given), {
      origin: this.origin,
      token: this.participant.token,
      ...options,
    });
    return this;
  }

  async joins() {
    await this.does((meeting) => meeting.join());
    return this;
  }

  async leaves() {
    await this.does((meeting) => meeting.leave());
  }

  /** Waits until the client has gone to a connected meeting of this title. The id is another there. */
  async eventuallyGoesTo(title) {
    await eventually(`${this.name} is in ${title}`, async () => {
      assert.equal(await this.asks((meeting) => meeting.meta.meetingTitle), title);
      assert.equal(await this.roomState(), 'joined');
    });
    this.id = await this.asks((meeting) => meeting.self.id);
  }

  /** Runs `act(meeting, given)` in the page, with the SDK's meeting object. */
  async asks(act, given) {
    return this.page.evaluate(
      ([source, argument]) => (0, eval)(`(${source})`)(window.meeting, argument),
      [act.toString(), given],
    );
  }

  /** As `asks`, where what comes back (often an object that cannot leave the page) is of no interest. */
  async does(act, given) {
    await this.page.evaluate(
      async ([source, argument]) => {
        await (0, eval)(`(${source})`)(window.meeting, argument);
      },
      [act.toString(), given],
    );
  }

  /** `init`, `joined`, `waitlisted`, `left`, `kicked`, `ended`, `rejected`, `disconnected` ... */
  roomState() {
    return this.asks((meeting) => meeting.self.roomState);
  }

  async eventuallyIs(state, options) {
    await eventually(
      `${this.name} is ${state}`,
      async () => assert.equal(await this.roomState(), state),
      options,
    );
  }

  /** The others, as this client shows them, by name. */
  async others() {
    const others = await this.asks(() => window.person.others());
    return Object.fromEntries(others.map((other) => [other.name, other]));
  }

  /** Waits until exactly these people are shown. */
  async eventuallyMeets(...people) {
    const names = people.map(({ name }) => name).sort();
    await eventually(`${this.name} is shown ${names.join(' and ') || 'nobody'}`, async () => {
      assert.deepEqual(Object.keys(await this.others()).sort(), names);
    });
  }

  /** What this client shows of one other: `{ microphone, camera, screen }`. */
  async eventuallyShows(other, wanted) {
    await eventually(`${this.name}'s client shows ${other.name} with ${JSON.stringify(wanted)}`, async () => {
      const shown = (await this.others())[other.name] ?? {};
      assert.deepEqual(Object.fromEntries(Object.keys(wanted).map((key) => [key, shown[key]])), wanted);
    });
  }

  looksAt(other, source) {
    return this.asks((_, [id, from]) => window.person.looks(id, from), [other.id, source]);
  }

  listensTo(other, source) {
    return this.asks((_, [id, from]) => window.person.listens(id, from), [other.id, source]);
  }

  receivesFrom(other) {
    return this.asks((_, id) => window.person.receives(id), other.id);
  }

  /** Waits until the other's moving picture is on the page, in their colour. */
  async eventuallySees(other, { source = 'camera', colour = other.colour, ...options } = {}) {
    let before = null;
    await eventually(`${this.name} sees ${other.name}'s ${source}`, async () => {
      const seen = await this.looksAt(other, source);
      assert.ok(seen, 'there is no picture');
      if (!before || before.moved > seen.moved) before = seen;
      const about = JSON.stringify(seen);
      assert.equal(seen.colour, colour, about);
      assert.ok(seen.moved - before.moved >= MOVING, `the picture does not move: ${about}`);
    }, options);
  }

  /** Waits until the other's tone is the loudest in what comes from them. */
  async eventuallyHears(other, { source = 'microphone', tone = other.tone, ...options } = {}) {
    await eventually(`${this.name} hears ${other.name}'s ${source}`, async () => {
      const heard = await this.listensTo(other, source);
      assert.ok(heard, 'there is nothing to listen to');
      const about = JSON.stringify(heard);
      assert.ok(heard.decibels > AUDIBLE_DB, `too quiet: ${about}`);
      assert.ok(Math.abs(heard.hz - tone) < 15, `not ${tone} Hz: ${about}`);
    }, options);
  }

  /** Where the page cannot analyse sound, the browser's own measure of it must do. */
  async eventuallyHearsSomethingOf(other) {
    const before = (await this.receivesFrom(other)).soundEnergy;
    await eventually(`${this.name} hears something of ${other.name}`, async () => {
      const { soundEnergy } = await this.receivesFrom(other);
      assert.ok(soundEnergy > before + 0.001, `sound energy went from ${before} to ${soundEnergy}`);
    });
  }

  async eventuallySeesAndHears(...others) {
    await Promise.all(others.flatMap((other) => [this.eventuallySees(other), this.eventuallyHears(other)]));
  }

  /** From now on this client's pictures and sound of the others are timed. */
  async times(...others) {
    for (const { id } of others) await this.asks((_, of) => window.person.times(of), id);
  }

  /** For how long nothing new was seen and heard of another since then at most, in ms: `{ picture, sound, of: all the time }`. */
  longestGaps(other) {
    return this.asks((_, of) => window.person.longestGaps(of), other.id);
  }

  /** Waits until nothing comes from the other, and checks that it stays so for a moment. */
  async eventuallyHearsNothingOf(other, source = 'microphone') {
    const silent = async () => {
      const heard = await this.listensTo(other, source);
      assert.ok(!heard || heard.decibels < SILENT_DB, JSON.stringify(heard));
    };
    await eventually(`${this.name} hears nothing of ${other.name}`, silent);
    await always(`${other.name} is silent for ${this.name}`, 1_000, silent);
  }

  async eventuallySeesNoPictureOf(other, source = 'camera') {
    await eventually(`${this.name} has no ${source} picture of ${other.name}`, async () => {
      assert.equal(await this.looksAt(other, source), null);
    });
  }

  /** What happened to this person so far: `[milliseconds, what, ...details]`. */
  events() {
    return this.asks(() => window.person.events);
  }

  async eventuallyNotes(...wanted) {
    await eventually(`${this.name} notes ${JSON.stringify(wanted)}`, async () => {
      const notes = (await this.events()).map(([, ...note]) => JSON.stringify(note));
      assert.ok(notes.includes(JSON.stringify(wanted)), notes.join('\n'));
    });
  }

  /** Closes the page, as closing a tab does. */
  async goesAway() {
    try {
      for (const event of await this.events()) this.#note('event', event.join(' '));
    } catch {
      // The page is gone already; what it noted went with it.
    }
    await this.page.close({ runBeforeUnload: false });
  }

  #note(kind, text) {
    appendFileSync(this.#log, `${new Date().toISOString()} ${this.name} ${kind}: ${text}\n`);
  }
}
