/**
 * Keeps mute and Leave in reach while a panel of the kit is open. On phones its panels cover the bar with them; in
 * windows of middle size it draws each panel twice, once beside the pictures and once over everything (seen in
 * realtimekit-ui 2.0.2). Adds rules to the kit's own sheet of its outermost element.
 */

const RULES = `
  rtk-sidebar[view='full-screen'] { height: auto; bottom: 56px; }
  @media (min-width: 768px) { rtk-sidebar[view='full-screen'] { display: none; } }
`;

export function keepBarInReach(kit: HTMLElement): void {
  const root = kit.shadowRoot;
  if (!root) return;
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(RULES);
  root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheet];
}
