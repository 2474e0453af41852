/**
 * Makes the kit fit its window. On phones its panels cover the bar with mute and Leave, and the words of the waiting room
 * touch the edges; in windows of middle size it draws each panel twice, once beside the pictures and once over everything
 * (seen in realtimekit-ui 2.0.2). Adds rules to the kit's own sheet of its outermost element.
 */

const RULES = `
  rtk-sidebar[view='full-screen'] { height: auto; bottom: 56px; }
  @media (min-width: 768px) { rtk-sidebar[view='full-screen'] { display: none; } }
  rtk-waiting-screen { box-sizing: border-box; padding-inline: 16px; }
`;

export function makeFit(kit: HTMLElement): void {
  const root = kit.shadowRoot;
  if (!root) return;
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(RULES);
  root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheet];
}
