/** A promise that others end: for whoever waits until something changes. */
export class Wait {
  readonly promise: Promise<void>;
  // Set before the constructor returns: promises run their function at once.
  resolve: () => void = ignore;
  reject: (cause: unknown) => void = ignore;

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }
}

function ignore(): void {}
