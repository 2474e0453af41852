// Everything one test file needs: a Salon, its REST API, the application, and people with browsers of their own.
// Browsers stay open between the tests of a file, pages do not.

import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { Api } from './api.mjs';
import { openApplication } from './application.mjs';
import { keptChromium, openChromium, openFirefox } from './browsers.mjs';
import { CAST } from './cast.mjs';
import { Watch } from './minutes.mjs';
import { OUT } from './places.mjs';
import { Person } from './person.mjs';
import { Salon } from './salon.mjs';

export { CAST };

/** A camera of which Chromium makes three sizes. Slow, because a busy machine without an encoder of its own makes pictures
 * smaller by itself. Not for tests of lines: so slow a picture is too small for one that is measured by what it carries. */
export const THREE_SIZES = { width: 1280, height: 720, rate: 8 };

export class Stage {
  #name;
  #application;
  #browsers = new Map();
  #people = [];
  #pages = [];
  #watches = [];

  /** Opens the stage of a test file: `Stage.open(import.meta.url, { 'session.grace_secs': 5 })`. */
  static async open(file, settings = {}) {
    const stage = new Stage();
    stage.#name = basename(fileURLToPath(file), '.test.mjs');
    mkdirSync(OUT, { recursive: true });
    writeFileSync(stage.#log, '');
    stage.salon = await Salon.start(stage.#name, settings);
    stage.api = new Api(stage.salon.origin);
    stage.#application = await openApplication();
    return stage;
  }

  /** Watches what active-session says of a meeting from now on; of another server, if its API is given, and as `Watch` can. */
  watches(meeting, { api = this.api, ...options } = {}) {
    const watch = new Watch(api, meeting, options);
    this.#watches.push(watch);
    return watch;
  }

  get #log() {
    return join(OUT, `${this.#name}.people.log`);
  }

  /**
   * Somebody of the cast, added to the meeting through the API, in front of the setup screen.
   * `through` is the origin by which their client reaches the server; `camera` the size and rate of their picture; `withoutUdp`
   * whether their network lets none out; `client` an older SDK; `as` another name, for whom only states matter.
   */
  async invites(
    name,
    meeting,
    { preset = 'group_call_host', through = this.salon.origin, camera, withoutUdp, prepare, client = '', as = name } = {},
  ) {
    const [participant, page] = await Promise.all([
      this.api.addParticipant(meeting, { name: as, preset }),
      this.#page(name, { ...camera, withoutUdp }, client),
    ]);
    const person = this.#person(name, page, { participant, origin: through, name: as });
    return person.prepares(prepare);
  }

  /** Several people, one after the other in the meeting. */
  async gathers(meeting, ...names) {
    const people = await Promise.all(names.map((name) => this.invites(name, meeting)));
    for (const person of people) await person.joins();
    return people;
  }

  /** A host and a member who see and hear each other in a meeting of their own. */
  async hostAndMember() {
    const meeting = await this.api.createMeeting();
    const [ada, bob] = await Promise.all([
      this.invites('Ada', meeting, { preset: 'group_call_host' }),
      this.invites('Bob', meeting, { preset: 'group_call_participant' }),
    ]);
    await ada.joins();
    await bob.joins();
    await ada.eventuallySeesAndHears(bob);
    await bob.eventuallyMeets(ada);
    return { meeting, ada, bob };
  }

  /** The same participant on a new page: a reload, or another tab. */
  async opensAgain(person) {
    const page = await this.#page(person.name);
    return this.#person(person.name, page, { participant: person.participant, origin: person.origin }).prepares();
  }

  /** Somebody of the cast in Firefox. */
  async invitesWithFirefox(name, meeting, { preset = 'group_call_host' } = {}) {
    const participant = await this.api.addParticipant(meeting, { name, preset });
    const browser = await this.#browser(`${name} firefox`, () => openFirefox(CAST[name]));
    const page = await browser.newPage();
    this.#pages.push(page);
    await page.goto(this.#application.origin);
    const person = this.#person(name, page, { participant, origin: this.salon.origin });
    await person.does((_, look) => window.person.fakeCamera(look), CAST[name]);
    return person.prepares();
  }

  /** A page of its own for somebody of the cast, with nothing on it. */
  async context(name, options = {}) {
    const browser = await this.#browser(name, () => openChromium(CAST[name]));
    const context = await browser.newContext({ permissions: ['camera', 'microphone'], ...options });
    this.#pages.push(context);
    return context;
  }

  async #page(name, wanted = {}, client = '') {
    const key = [name, wanted.width, wanted.rate, wanted.withoutUdp && 'without UDP'].filter(Boolean).join(' ');
    const browser = await this.#browser(key, () => openChromium({ ...CAST[name], ...wanted }));
    const context = await browser.newContext({ permissions: ['camera', 'microphone'] });
    this.#pages.push(context);
    const page = await context.newPage();
    await page.goto(`${this.#application.origin}/${client}`);
    return page;
  }

  #person(name, page, given) {
    const person = new Person({ page, name, ...CAST[name], ...given, log: this.#log });
    this.#people.push(person);
    return person;
  }

  /** The key of a person's ordinary browser is their name. */
  async #browser(key, open) {
    const kept = CAST[key] && (await keptChromium(key, CAST[key]));
    if (kept) return kept;
    if (!this.#browsers.has(key)) this.#browsers.set(key, open());
    return this.#browsers.get(key);
  }

  /** Everybody goes, as after each test. */
  async clear() {
    // Its test has judged it, or has failed before it could.
    await Promise.allSettled(this.#watches.splice(0).map((watch) => watch.stop()));
    await Promise.allSettled(this.#people.splice(0).map((person) => person.goesAway()));
    await Promise.allSettled(this.#pages.splice(0).map((page) => page.close()));
  }

  async close() {
    await this.clear();
    const browsers = await Promise.allSettled(this.#browsers.values());
    await Promise.allSettled(browsers.map(({ value }) => value?.close()));
    this.#application.close();
    await this.salon.close();
  }
}
