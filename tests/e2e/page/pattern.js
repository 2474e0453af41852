// What a fake camera shows: a colour, and a row of cells with a frame number. Shared by those who draw and who look.

/** Background colours, far enough from each other that no codec confuses them. */
export const COLOURS = {
  red: [200, 40, 40],
  green: [40, 170, 60],
  blue: [50, 70, 200],
  yellow: [210, 200, 50],
  magenta: [190, 60, 190],
};

/** Frame numbers go round: 0 to FRAMES - 1. */
export const FRAMES = 32;
const BITS = 5;

/** Whether each cell is white: five bits and their parity, which is odd so that an all-black row is no number. */
export function cellsOf(frame) {
  const bits = Array.from({ length: BITS }, (_, bit) => ((frame >> bit) & 1) === 1);
  const ones = bits.filter(Boolean).length;
  return [...bits, ones % 2 === 0];
}

/** The number in these cells; `null` if their parity is wrong. */
export function frameOf(cells) {
  const bits = cells.slice(0, BITS);
  const ones = bits.filter(Boolean).length;
  if (cells[BITS] !== (ones % 2 === 0)) return null;
  return bits.reduce((frame, white, bit) => frame + (white ? 1 << bit : 0), 0);
}

/** Where the cells are: the middle of the picture, sides free. */
export const CELLS = {
  count: BITS + 1,
  area(index, width, height) {
    const even = (n) => Math.round(n / 2) * 2;
    return {
      left: even(width * (0.14 + index * 0.12)),
      right: even(width * (0.14 + (index + 1) * 0.12)),
      top: even(height * 0.35),
      bottom: even(height * 0.65),
    };
  },
};
