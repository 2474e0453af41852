/**
 * The chat list of the kit (realtimekit-ui 2.0.2) listens before it asks for what was said so far: what is said in
 * between reaches it both ways, and people read it twice, above all on slow machines. Here a list first has its page,
 * and then takes of the news only what the page does not hold.
 * Replaces the page's `customElements.define`, never a byte of the kit.
 */

const LIST = 'rtk-paginated-list';

interface Message {
  id: string;
}

type Ask = (...which: unknown[]) => Promise<Message[]>;

/** What of the kit's element is used here. */
interface List extends HTMLElement {
  fetchData: Ask;
  onNewNode(message: Message): Promise<void>;
  componentOnReady(): Promise<unknown>;
}

/** Call once, before the kit defines its elements. */
export function drawEachMessageOnce(): void {
  const define = customElements.define.bind(customElements);
  customElements.define = (name, element, options) =>
    define(name, name === LIST ? withEachMessageOnce(element) : element, options);
}

function withEachMessageOnce(element: CustomElementConstructor): CustomElementConstructor {
  const kit = element.prototype as List;
  /** The ids of the page that each list asked for last, once it has come. */
  const pages = new WeakMap<List, Promise<Set<string>>>();

  class Once extends element {}
  Object.defineProperties(Once.prototype, {
    fetchData: {
      get(this: List) {
        return Reflect.get(kit, 'fetchData', this);
      },
      set(this: List, ask: Ask) {
        const noted: Ask = (...which) => {
          const page = ask(...which);
          pages.set(this, page.then(idsOf, () => new Set<string>()));
          return page;
        };
        Reflect.set(kit, 'fetchData', noted, this);
      },
    },
    onNewNode: {
      async value(this: List, message: Message): Promise<void> {
        // From then on its first page is on its way.
        await this.componentOnReady();
        const page = await pages.get(this);
        if (!page?.has(message.id)) await kit.onNewNode.call(this, message);
      },
    },
  });
  return Once;
}

function idsOf(messages: Message[]): Set<string> {
  return new Set(messages.map(({ id }) => id));
}
