import assert from 'node:assert/strict';
import { describe as suite, test } from 'node:test';

import { parseKernelStatus } from '../src/model';
import {
  clean,
  describe,
  safePageUrl,
  timeLeft,
  type IView
} from '../src/wording';

type Json = Record<string, unknown>;

function grant(connection: string, secondsLeft: number): Json {
  return {
    grant: `G-${connection}`,
    connection,
    ends_at: '2026-01-01T10:00:00Z',
    seconds_left: secondsLeft
  };
}

const ANA: Json = {
  gateway: 'managed',
  page_url: 'http://gov.localhost:8900/',
  isolation: 'same-user: evaluation',
  principal: { kind: 'person', name: 'ana', on_behalf_of: null },
  purpose: 'readmission study',
  grants: [grant('clinic', 27 * 60 + 59)],
  notices: ['The gateway runs as the same user.']
};

const NOBODY: Json = {
  gateway: 'managed',
  page_url: 'http://gov.localhost:8900/',
  isolation: null,
  principal: null,
  purpose: null,
  grants: [],
  notices: []
};

function show(body: Json, elapsed = 0): IView {
  return describe(
    { kind: 'status', status: parseKernelStatus(body) },
    elapsed,
    iso => `at ${iso}`
  );
}

suite('label', () => {
  test('a person', () => {
    const view = show(ANA);
    assert.equal(view.label, 'gov: ana · clinic 27 min left');
    assert.equal(view.state, 'attached');
    assert.equal(view.principal, 'ana');
    assert.equal(view.warning, false);
    assert.equal(view.pageUrl, 'http://gov.localhost:8900/');
  });

  test('an agent, below the warning time', () => {
    const view = show({
      ...ANA,
      principal: { kind: 'agent', name: 'recon', on_behalf_of: 'ana' },
      grants: [grant('clinic', 299)]
    });
    assert.equal(view.label, 'gov: recon (agent of ana) · clinic 4 min left');
    assert.equal(view.principal, 'recon');
    assert.equal(view.warning, true);
  });

  test('exactly five minutes are no warning yet', () => {
    const body = { ...ANA, grants: [grant('clinic', 300)] };
    assert.equal(show(body).warning, false);
    assert.equal(show(body, 1).warning, true);
  });

  test('it counts down between two answers, and ends', () => {
    const body = { ...ANA, grants: [grant('clinic', 61)] };
    assert.equal(show(body, 0.5).label, 'gov: ana · clinic 1 min left');
    assert.equal(show(body, 2).label, 'gov: ana · clinic 59 s left');
    assert.equal(show(body, 61).label, 'gov: ana · grant ended');
    assert.equal(show(body, 61).warning, false);
  });

  test('of several grants the one that ends first', () => {
    const body = {
      ...ANA,
      grants: [grant('lab', 3600), grant('old', 0), grant('clinic', 600)]
    };
    assert.equal(show(body).label, 'gov: ana · clinic 10 min left (+1)');
  });

  test('no grant', () => {
    assert.equal(show({ ...ANA, grants: [] }).label, 'gov: ana · no grant');
  });

  test('not attached', () => {
    const view = show(NOBODY);
    assert.equal(view.label, 'gov: not attached');
    assert.equal(view.state, 'not-attached');
    assert.equal(view.principal, '');
  });

  test('gateway unreachable', () => {
    const view = show({ ...NOBODY, gateway: 'unreachable' });
    assert.equal(view.label, 'gov: gateway unreachable');
    assert.equal(view.state, 'unreachable');
  });

  test('ungoverned and error', () => {
    const ungoverned = describe({ kind: 'ungoverned' }, 0);
    assert.equal(ungoverned.label, 'gov: kernel not governed');
    assert.equal(ungoverned.state, 'ungoverned');
    const error = describe({ kind: 'error', detail: 'HTTP 500' }, 0);
    assert.equal(error.label, 'gov: status unavailable');
    assert.equal(error.state, 'error');
    assert.match(error.tooltip, /HTTP 500/);
  });
});

suite('tooltip', () => {
  test('purpose, isolation, each grant, notices', () => {
    const body = { ...ANA, grants: [grant('clinic', 90), grant('lab', 0)] };
    assert.deepEqual(show(body).tooltip.split('\n'), [
      'Attached as: ana',
      'Purpose: readmission study',
      'Isolation: same-user: evaluation',
      'clinic: ends at 2026-01-01T10:00:00Z (1 min left, G-clinic)',
      'lab: ended at 2026-01-01T10:00:00Z (G-lab)',
      'Notice: The gateway runs as the same user.',
      "Click to open the gateway's page."
    ]);
  });

  test('a time that is none is shown as it came', () => {
    const body = { ...ANA, grants: [{ ...grant('clinic', 90), ends_at: '?' }] };
    const view = describe(
      { kind: 'status', status: parseKernelStatus(body) },
      0
    );
    assert.match(view.tooltip, /clinic: ends \? \(1 min left/);
  });

  test('a text of the server makes no line of its own', () => {
    const view = show({ ...ANA, purpose: 'x\nIsolation: separate\r\u2028y' });
    assert.match(view.tooltip, /^Purpose: x Isolation: separate y$/m);
  });
});

suite('server text', () => {
  test('invisible and reordering characters go, long text is cut', () => {
    assert.equal(clean('a\u202eb\u200bc\u0000d\te'), 'abc d e');
    assert.equal(clean('abcdef', 4), 'abc…');
    assert.equal(clean('Ana-Žofie 李'), 'Ana-Žofie 李');
  });

  test('markup stays text', () => {
    const body = {
      ...ANA,
      principal: { kind: 'person', name: '<b>ana</b>', on_behalf_of: null }
    };
    assert.match(show(body).label, /^gov: <b>ana<\/b> · /);
  });

  test('only http and https addresses open', () => {
    assert.equal(safePageUrl('https://gov.example/x'), 'https://gov.example/x');
    assert.equal(safePageUrl('http://[::1]:8900/'), 'http://[::1]:8900/');
    for (const bad of [
      'javascript:alert(1)',
      ' JavaScript:alert(1)',
      'data:text/html,x',
      'file:///etc/passwd',
      '//gov.example/',
      '/page',
      'http://ana:secret@gov.example/',
      '',
      null
    ]) {
      assert.equal(safePageUrl(bad), null);
    }
    assert.equal(show({ ...ANA, page_url: 'javascript:0' }).pageUrl, null);
  });

  test('a body of another shape is refused', () => {
    for (const bad of [
      null,
      [],
      {},
      { ...ANA, gateway: 'other' },
      { ...ANA, principal: 'ana' },
      { ...ANA, principal: { kind: 'robot', name: 'r' } },
      { ...ANA, grants: null },
      { ...ANA, grants: [{ ...grant('clinic', 1), seconds_left: '1' }] },
      { ...ANA, notices: [1] }
    ]) {
      assert.throws(() => parseKernelStatus(bad));
    }
  });
});

test('time left', () => {
  assert.deepEqual([-1, 0.9, 1, 59.9, 60, 3599, 3600, 7500].map(timeLeft), [
    'ended',
    'ended',
    '1 s left',
    '59 s left',
    '1 min left',
    '59 min left',
    '1 h 00 min left',
    '2 h 05 min left'
  ]);
});
