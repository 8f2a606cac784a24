/** The little of cli-progress that scripts/ uses; the package has no types of its own. */
declare module 'cli-progress' {
  export interface Options {
    readonly format: string;
    readonly stream: NodeJS.WritableStream;
    readonly hideCursor: boolean;
    /** Draw again when nothing has changed, as is needed when other lines are written between two drawings. */
    readonly forceRedraw: boolean;
  }

  export class SingleBar {
    setTotal(total: number): void;
    constructor(options: Options);
    start(total: number, startValue: number, payload: Readonly<Record<string, string>>): void;
    update(current: number, payload: Readonly<Record<string, string>>): void;
    stop(): void;
  }
}
