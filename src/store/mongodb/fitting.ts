/** How many documents of a page fit into the bytes of an answer; each has the size of its text. */

interface Sized {
  readonly size: number;
}

/** The first documents, as many as fit into `bytes`, but at least `least`. */
export const fitting = <T extends Sized>(documents: readonly T[], bytes: number | undefined, least: 0 | 1): T[] => {
  let room = bytes ?? Number.POSITIVE_INFINITY;
  const end = documents.findIndex(({ size }, at) => {
    room -= size;
    return room < 0 && at >= least;
  });
  return end < 0 ? [...documents] : documents.slice(0, end);
};

/** Whether a page of these ends before its last. */
export const isOverBytes = (documents: readonly Sized[], bytes: number | undefined): boolean =>
  fitting(documents, bytes, 1).length < documents.length;

/** Told of one document after the other: whether that is the first that does not fit, so that no more need be read. */
export const isFirstOver = (bytes: number | undefined): ((document: Sized) => boolean) => {
  let room = bytes ?? Number.POSITIVE_INFINITY;
  let isFirst = true;
  return ({ size }) => {
    room -= size;
    const isOver = room < 0 && !isFirst;
    isFirst = false;
    return isOver;
  };
};

/** The bytes that are left beside the documents. */
export const bytesBeside = (documents: readonly Sized[], bytes: number | undefined): number | undefined =>
  bytes === undefined ? undefined : documents.reduce((room, { size }) => room - size, bytes);
