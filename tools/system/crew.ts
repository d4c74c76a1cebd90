import { waitFor } from '@pgstream/test-kit';
import type { RunningService, ServiceName } from '../product/product.ts';
import type { System } from './system.ts';

/** Processes under a supervisor that starts what was killed again at once, and takes note of what ended by itself. */
export class Crew {
  /** What ended without having been killed: its name and exit code. */
  readonly deserters: string[] = [];
  /** The same, for programs. */
  readonly exits: Array<{ readonly name: string; readonly exitCode: number | NodeJS.Signals }> = [];
  readonly #system: System;
  readonly #members = new Map<string, RunningService>();

  constructor(system: System) {
    this.#system = system;
  }

  get members(): readonly RunningService[] {
    return [...this.#members.values()];
  }

  get names(): readonly string[] {
    return [...this.#members.keys()];
  }

  async start(
    service: ServiceName | 'cli',
    name: string,
    ...args: readonly string[]
  ): Promise<RunningService> {
    const member = await this.#system.product.start(service, name, ...args);
    this.#join(name, member);
    return member;
  }

  /** SIGKILL, wherever it is, and a new one at once. */
  async replace(service: ServiceName | 'cli', name: string, ...args: readonly string[]): Promise<void> {
    const old = this.#members.get(name);
    this.#members.delete(name);
    old?.child.kill('SIGKILL');
    await old?.exited;
    this.#join(name, await this.#system.product.launch(service, name, ...args));
  }

  /** Started and not waited for; `member` gets the process at once. */
  async launch(
    service: ServiceName | 'cli',
    name: string,
    ...args: readonly string[]
  ): Promise<RunningService> {
    const member = await this.#system.product.launch(service, name, ...args);
    this.#join(name, member);
    return member;
  }

  /** A process that was started elsewhere joins. */
  adopt(name: string, member: RunningService): void {
    this.#join(name, member);
  }

  /** Waits for an end that is wanted, and forgets it. */
  async absorbExit(name: string, timeoutMs = 60_000): Promise<void> {
    const here = () => this.exits.findIndex((exit) => exit.name === name);
    await waitFor(`${name} to end`, () => here() >= 0, timeoutMs);
    this.deserters.splice(here(), 1);
    this.exits.splice(here(), 1);
  }

  member(name: string): RunningService {
    const member = this.#members.get(name);
    if (member === undefined) throw new Error(`no process is called ${name}`);
    return member;
  }

  /** An end that was asked for: its exit code. */
  async stop(name: string, signal: NodeJS.Signals = 'SIGTERM'): Promise<number | NodeJS.Signals> {
    const member = this.member(name);
    this.#members.delete(name);
    member.child.kill(signal);
    return member.exited;
  }

  #join(name: string, member: RunningService): void {
    this.#members.set(name, member);
    void this.#watch(name, member);
  }

  async #watch(name: string, member: RunningService): Promise<void> {
    const code = await member.exited;
    if (this.#members.get(name) !== member) return;
    this.#members.delete(name);
    this.exits.push({ name, exitCode: code });
    this.deserters.push(`${name} ended with ${code}\n${this.#system.logOf(name)}`);
  }
}
