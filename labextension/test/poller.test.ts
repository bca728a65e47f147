import assert from 'node:assert/strict';
import { beforeEach, describe as suite, test } from 'node:test';

import { INTERVAL, Poller, TIMEOUT } from '../src/poller';
import type { Answer } from '../src/wording';

const UNGOVERNED: Answer = { kind: 'ungoverned' };

interface IAsked {
  kernelId: string;
  signal: AbortSignal;
  answer: (answer: Answer) => Promise<void>;
}

suite('poller', () => {
  let now = 0;
  let hidden = false;
  let asked: IAsked[] = [];
  let poller: Poller;

  beforeEach(() => {
    now = 1000;
    hidden = false;
    asked = [];
    poller = new Poller({
      ask: (kernelId, signal) =>
        new Promise(resolve => {
          asked.push({
            kernelId,
            signal,
            answer: async answer => {
              resolve(answer);
              await new Promise(done => setImmediate(done));
            }
          });
        }),
      changed: () => undefined,
      hidden: () => hidden,
      now: () => now
    });
  });

  test('asks at once, then every interval', async () => {
    poller.watch('k1');
    assert.equal(asked.length, 1);
    now += 2;
    await asked[0]?.answer(UNGOVERNED);
    assert.deepEqual(poller.answer, UNGOVERNED);
    assert.equal(poller.elapsed, 2);
    poller.tick();
    assert.equal(asked.length, 1);
    now += INTERVAL;
    poller.tick();
    assert.equal(asked.length, 2);
  });

  test('a wish is kept until the request before it is over', async () => {
    poller.watch('k1');
    poller.refresh();
    assert.equal(asked.length, 1);
    await asked[0]?.answer(UNGOVERNED);
    poller.tick();
    assert.equal(asked.length, 1);
    now += 1;
    poller.tick();
    assert.equal(asked.length, 2);
  });

  test('asks nothing while hidden or without a kernel', () => {
    hidden = true;
    poller.watch('k1');
    now += 60;
    poller.tick();
    assert.equal(asked.length, 0);
    hidden = false;
    poller.refresh();
    assert.equal(asked.length, 1);
    poller.watch(null);
    now += 60;
    poller.tick();
    assert.equal(asked.length, 1);
  });

  test('a late answer about another kernel is dropped', async () => {
    poller.watch('k1');
    poller.watch('k2');
    const [first, second] = asked;
    assert.equal(first?.signal.aborted, true);
    await first.answer({ kind: 'error', detail: 'k1' });
    assert.equal(poller.answer, null);
    await second?.answer(UNGOVERNED);
    assert.deepEqual(poller.answer, UNGOVERNED);
  });

  test('a request without an answer becomes an error', () => {
    poller.watch('k1');
    now += TIMEOUT;
    poller.tick();
    assert.equal(asked[0]?.signal.aborted, true);
    assert.equal(poller.answer?.kind, 'error');
  });
});
