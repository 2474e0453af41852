// Watches active-session while things happen: every answer is kept, with when it came.
// Invariant it checks on each answer: within a session minutes and the highest count never fall, and minutes never
// grow faster than the people could talk. Minutes lag while something is being saved, and never lead.

import assert from 'node:assert/strict';
import { setTimeout as after } from 'node:timers/promises';

import { eventually } from './eventually.mjs';

const POLL_MS = 150;

/** How long minutes may stand still while something is being saved. */
const SAVES_WITHIN_MS = 2_000;

/** What clocks read at different moments may differ by. */
const SLACK_MS = 50;

export class Watch {
  #api;
  #meeting;
  #stopped = false;
  #running;
  #answers = [];
  /** The most participant-milliseconds that there can have been when the last answer was asked for, by session. */
  #most = new Map();
  #wrong = null;
  #isOneOfMany;

  /** `isOneOfMany`: of a server that shares its meetings with others, and may say that it cannot vouch for them at this moment. */
  constructor(api, meeting, { isOneOfMany = false } = {}) {
    this.#api = api;
    this.#meeting = meeting;
    this.#isOneOfMany = isOneOfMany;
    this.#running = this.#run();
  }

  /** The answer now: `null` when no session is live. */
  async now() {
    return this.#api.activeSession(this.#meeting);
  }

  /** Waits until so many people are in, and answers with the session. */
  async eventuallyCounts(live, options) {
    return eventually(`active-session counts ${live}`, async () => {
      const session = await this.now();
      assert.ok(session, 'no session is live');
      assert.equal(session.status, 'LIVE');
      assert.equal(session.live_participants, live);
      return session;
    }, options);
  }

  async eventuallyEnds(options) {
    await eventually('no session is live', async () => assert.equal(await this.now(), null), options);
  }

  /** Measures for a while that minutes grow by the clock, with `live` people in. */
  async growsFor(people, { seconds = 2 } = {}) {
    const first = await this.#timed(people);
    await after(seconds * 1_000);
    const last = await this.#timed(people);
    const grown = (last.minutes_consumed - first.minutes_consumed) * 60;
    const clock = (last.asked - first.asked) / 1_000;
    // Each answer was true at some moment between asking and hearing it.
    const slack = (people * (first.took + last.took)) / 1_000 + 0.02;
    assert.ok(
      Math.abs(grown - people * clock) <= slack,
      `${people} people consumed ${grown.toFixed(3)} s in ${clock.toFixed(3)} s`,
    );
  }

  /** Counts that were answered, each once for as long as it lasted; `null` where no session was live. One that lasts
   * for less than a second may be missed. */
  counts() {
    const counts = this.#answers.map(({ answer }) => answer?.live_participants ?? null);
    return counts.filter((count, index) => index === 0 || count !== counts[index - 1]);
  }

  /** Waits until it has been answered this as well, `null` where no session is live. */
  async eventuallyHas(live) {
    await eventually(`the watch was answered ${live}`, async () => assert.equal(this.counts().at(-1), live));
  }

  /** Stops watching, and fails if anything was wrong meanwhile. */
  async stop() {
    this.#stopped = true;
    await this.#running;
    if (this.#wrong) throw this.#wrong;
  }

  /** Of a few answers the one that lags least, with so many people in. */
  async #timed(people) {
    const answers = [];
    for (let ask = 0; ask < 5; ask++) {
      if (ask > 0) await after(30);
      const asked = performance.now();
      const session = await this.now();
      answers.push({ ...session, asked, took: performance.now() - asked });
    }
    const lead = ({ minutes_consumed, asked }) => minutes_consumed * 60_000 - people * asked;
    return answers.reduce((best, next) => (lead(next) > lead(best) ? next : best));
  }

  async #run() {
    while (!this.#stopped) {
      const asked = performance.now();
      try {
        const answer = await this.now();
        this.#check({ at: performance.now(), asked, answer });
      } catch (error) {
        // A server that is down answers nothing; one that is up must not fail.
        const fails = error.status >= 500 && !(error.status === 503 && this.#isOneOfMany);
        if (error instanceof assert.AssertionError || fails) this.#wrong ??= error;
      }
      await after(POLL_MS);
    }
  }

  #check(next) {
    const last = this.#answers.findLast(({ answer }) => answer && answer.id === next.answer?.id);
    this.#answers.push(next);
    const now = next.answer;
    if (!now) return;
    // Those who are away are counted here: what they were away for is added when they come back in time.
    // An answer is true of a moment between asking and hearing it: until it was asked for, nobody was in whom it leaves out.
    const since = last ? last.of : next.at - (Date.now() - Date.parse(now.started_at));
    const until = (moment) => (this.#most.get(now.id) ?? 0) + (moment - since) * now.max_concurrent_participants;
    const most = until(next.at);
    const told = now.minutes_consumed * 60_000;
    // While somebody's coming is saved it is of the moment before that, and tells as much less.
    const lag = Math.max(until(next.asked) - told, 0) / Math.max(now.max_concurrent_participants, 1);
    next.of = next.asked - Math.min(lag, SAVES_WITHIN_MS);
    this.#most.set(now.id, until(next.of));
    const seen = () => JSON.stringify({ when: new Date().toISOString(), before: last?.answer, now });
    assert.ok(told <= most + SLACK_MS, `${told} ms were told where ${most} ms are the most: ${seen()}`);
    if (!last) return;
    const before = last.answer;
    assert.ok(now.minutes_consumed >= before.minutes_consumed, `minutes fell from ${before.minutes_consumed} to ${now.minutes_consumed}`);
    assert.ok(now.max_concurrent_participants >= before.max_concurrent_participants, 'the highest count fell');
    assert.ok(now.live_participants <= now.max_concurrent_participants, 'more live than ever');
    assert.ok(now.started_at === before.started_at, 'the session started at another time');
    const grown = told - before.minutes_consumed * 60_000;
    const could = (next.at - last.asked + SAVES_WITHIN_MS) * now.max_concurrent_participants + SLACK_MS;
    const back = now.live_participants > before.live_participants;
    assert.ok(back || grown <= could, `minutes grew by ${grown} ms in ${next.at - last.asked} ms: ${seen()}`);
  }
}
