/** The store cannot be opened; the message is one line for the operator. */
export class StoreUnusable extends Error {
  override readonly name = 'StoreUnusable';
}
