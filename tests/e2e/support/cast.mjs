/** Who there is, and how to tell them apart by eye and ear. */
export const CAST = {
  Ada: { colour: 'red', tone: 440 },
  Bob: { colour: 'green', tone: 700 },
  Cleo: { colour: 'blue', tone: 1_000 },
};
