/** Members that are served turn and turn about: the one that was served is looked at last. */
export class Turns<T> {
  readonly #members: T[] = [];
  /** Of the one that is looked at first. */
  #at = 0;

  add(member: T): void {
    if (!this.#members.includes(member)) this.#members.push(member);
  }

  remove(member: T): void {
    const at = this.#members.indexOf(member);
    if (at < 0) return;
    this.#members.splice(at, 1);
    if (at < this.#at) this.#at--;
  }

  /** The next one of which this is true, which is not served by that; `undefined` without one. */
  find(isDue: (member: T) => boolean): T | undefined {
    const { length } = this.#members;
    for (let i = 0; i < length; i++) {
      const member = this.#members[(this.#at + i) % length];
      if (member !== undefined && isDue(member)) return member;
    }
    return undefined;
  }

  served(member: T): void {
    const at = this.#members.indexOf(member);
    if (at >= 0) this.#at = (at + 1) % this.#members.length;
  }
}
