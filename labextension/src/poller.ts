/** Asks about one kernel at a time, again and again, and keeps the last answer. */

import type { Answer } from './wording';

/** What the poller needs of its surroundings, so that a test can stand in. */
export interface IPollerOptions {
  /** Ask about a kernel; rejects only when the signal is aborted. */
  readonly ask: (kernelId: string, signal: AbortSignal) => Promise<Answer>;
  /** Called when the answer changed, and each second while there is one. */
  readonly changed: () => void;
  /** Whether nobody can see the page now. */
  readonly hidden: () => boolean;
  /** Seconds on a clock that never jumps. */
  readonly now: () => number;
}

/** Seconds between two requests. */
export const INTERVAL = 10;
/** Seconds that at least lie between two requests about the same kernel. */
export const MIN_GAP = 1;
/** Seconds after which a request is given up. */
export const TIMEOUT = 8;

export class Poller {
  constructor(private readonly options: IPollerOptions) {}

  /** The last answer about the current kernel. */
  get answer(): Answer | null {
    return this._answer;
  }

  /** How many seconds ago that answer came. */
  get elapsed(): number {
    return this.options.now() - this._answeredAt;
  }

  get kernelId(): string | null {
    return this._kernelId;
  }

  /** Watch another kernel, or none. */
  watch(kernelId: string | null): void {
    if (kernelId === this._kernelId) {
      return;
    }
    this._cancel();
    this._kernelId = kernelId;
    this._answer = null;
    this._askedAt = -Infinity;
    this.options.changed();
    this.refresh();
  }

  /** Ask soon, if somebody looks. */
  refresh(): void {
    this._wanted = true;
    this.tick();
  }

  /** To be called about once a second. */
  tick(): void {
    if (this._kernelId === null || this.options.hidden()) {
      return;
    }
    const age = this.options.now() - this._askedAt;
    if (this._request !== null) {
      if (age >= TIMEOUT) {
        this._cancel();
        this._settle({ kind: 'error', detail: 'no answer in time' });
      }
    } else if (age >= INTERVAL || (this._wanted && age >= MIN_GAP)) {
      void this._send(this._kernelId);
    }
    if (this._answer !== null) {
      this.options.changed();
    }
  }

  dispose(): void {
    this._cancel();
    this._kernelId = null;
    this._answer = null;
  }

  private async _send(kernelId: string): Promise<void> {
    const request = new AbortController();
    this._request = request;
    this._wanted = false;
    this._askedAt = this.options.now();
    try {
      const answer = await this.options.ask(kernelId, request.signal);
      // An answer that comes after a change of kernel is about another one.
      if (this._request === request) {
        this._request = null;
        this._settle(answer);
      }
    } catch {
      if (this._request === request) {
        this._request = null;
      }
    }
  }

  private _settle(answer: Answer): void {
    this._answer = answer;
    // Counted from the question, so that the time left is never too long.
    this._answeredAt = this._askedAt;
    this.options.changed();
  }

  private _cancel(): void {
    const request = this._request;
    this._request = null;
    request?.abort();
  }

  private _kernelId: string | null = null;
  private _answer: Answer | null = null;
  private _answeredAt = 0;
  private _askedAt = -Infinity;
  private _request: AbortController | null = null;
  private _wanted = false;
}
