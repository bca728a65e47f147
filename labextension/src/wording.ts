/** Turns an answer of the server into words. Pure: no DOM, no clock. */

import type { IGrant, IKernelStatus, IPrincipal } from './model';

export type Answer =
  | { readonly kind: 'status'; readonly status: IKernelStatus }
  | { readonly kind: 'ungoverned' }
  | { readonly kind: 'error'; readonly detail: string };

export type State =
  | 'none'
  | 'loading'
  | 'attached'
  | 'not-attached'
  | 'unreachable'
  | 'ungoverned'
  | 'error';

/** All that the status item shows. */
export interface IView {
  readonly state: State;
  readonly label: string;
  readonly tooltip: string;
  readonly principal: string;
  readonly warning: boolean;
  readonly pageUrl: string | null;
}

/** Below this many seconds a running grant is shown as a warning. */
export const WARN_SECONDS = 5 * 60;

const NAME_LENGTH = 40;
const LINE_LENGTH = 300;

/** No notebook or console has the focus: the item is hidden. */
export const NO_KERNEL: IView = view('none', '', []);

/** The first answer about a kernel is still to come. */
export const LOADING: IView = view('loading', 'gov: …', [
  'Asking the gateway about this kernel.'
]);

/**
 * Make a server's text fit for one line of the page: no control characters
 * and no invisible ones that reorder or hide what stands around them.
 */
export function clean(text: string, length: number = LINE_LENGTH): string {
  const line = text
    .replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')
    .replace(/[\p{Cf}\p{Co}\p{Cs}]/gu, '')
    .replace(/ {2,}/g, ' ')
    .trim();
  const points = Array.from(line);
  return points.length > length
    ? `${points.slice(0, length - 1).join('')}…`
    : line;
}

/** The gateway's page as an http(s) address without credentials, or null. */
export function safePageUrl(text: string | null): string | null {
  if (text === null) {
    return null;
  }
  try {
    const url = new URL(text);
    const web = url.protocol === 'http:' || url.protocol === 'https:';
    return web && url.username === '' && url.password === '' ? url.href : null;
  } catch {
    return null;
  }
}

/** `42 s left`, `27 min left`, `2 h 05 min left`; never more than is left. */
export function timeLeft(seconds: number): string {
  const whole = Math.floor(seconds);
  if (whole <= 0) {
    return 'ended';
  }
  if (whole < 60) {
    return `${whole} s left`;
  }
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) {
    return `${minutes} min left`;
  }
  const rest = String(minutes % 60).padStart(2, '0');
  return `${Math.floor(minutes / 60)} h ${rest} min left`;
}

/** `ana`, or `recon (agent of ana)`. */
export function principalText(principal: IPrincipal): string {
  const name = clean(principal.name, NAME_LENGTH);
  if (principal.kind !== 'agent') {
    return name;
  }
  return principal.onBehalfOf === null
    ? `${name} (agent)`
    : `${name} (agent of ${clean(principal.onBehalfOf, NAME_LENGTH)})`;
}

/**
 * The words for an answer that is `elapsed` seconds old. `localTime` writes an
 * ISO time for the reader; it returns null for one that it cannot read.
 */
export function describe(
  answer: Answer,
  elapsed: number,
  localTime: (iso: string) => string | null = isoTime
): IView {
  switch (answer.kind) {
    case 'ungoverned':
      return view('ungoverned', 'gov: kernel not governed', [
        'The gateway does not know this kernel: it has no governed data access.'
      ]);
    case 'error':
      return view('error', 'gov: status unavailable', [
        `The server gave no status for this kernel: ${clean(answer.detail)}`
      ]);
    case 'status':
      return describeStatus(answer.status, elapsed, localTime);
  }
}

function describeStatus(
  status: IKernelStatus,
  elapsed: number,
  localTime: (iso: string) => string | null
): IView {
  const pageUrl = safePageUrl(status.pageUrl);
  const about: string[] = [];
  if (status.principal !== null) {
    about.push(`Attached as: ${principalText(status.principal)}`);
  }
  if (status.purpose !== null) {
    about.push(`Purpose: ${clean(status.purpose)}`);
  }
  if (status.isolation !== null) {
    about.push(`Isolation: ${clean(status.isolation)}`);
  }
  for (const grant of status.grants) {
    about.push(grantLine(grant, elapsed, localTime));
  }
  for (const notice of status.notices) {
    about.push(`Notice: ${clean(notice)}`);
  }
  if (pageUrl !== null) {
    about.push("Click to open the gateway's page.");
  }

  if (status.gateway === 'unreachable') {
    return view('unreachable', 'gov: gateway unreachable', about, { pageUrl });
  }
  if (status.principal === null) {
    return view('not-attached', 'gov: not attached', about, { pageUrl });
  }
  const principal = principalText(status.principal);
  const next = nextToEnd(status.grants, elapsed);
  return view(
    'attached',
    `gov: ${principal} · ${grantsText(status.grants, next, elapsed)}`,
    about,
    {
      pageUrl,
      principal: clean(status.principal.name, NAME_LENGTH),
      warning: next !== null && next.secondsLeft - elapsed < WARN_SECONDS
    }
  );
}

/** The running grant that ends first. */
function nextToEnd(grants: readonly IGrant[], elapsed: number): IGrant | null {
  return grants
    .filter(grant => Math.floor(grant.secondsLeft - elapsed) > 0)
    .reduce<IGrant | null>(
      (first, grant) =>
        first === null || grant.secondsLeft < first.secondsLeft ? grant : first,
      null
    );
}

function grantsText(
  grants: readonly IGrant[],
  next: IGrant | null,
  elapsed: number
): string {
  if (next === null) {
    return grants.length === 0 ? 'no grant' : 'grant ended';
  }
  const running = grants.filter(
    grant => Math.floor(grant.secondsLeft - elapsed) > 0
  ).length;
  const more = running > 1 ? ` (+${running - 1})` : '';
  const connection = clean(next.connection, NAME_LENGTH);
  return `${connection} ${timeLeft(next.secondsLeft - elapsed)}${more}`;
}

function grantLine(
  grant: IGrant,
  elapsed: number,
  localTime: (iso: string) => string | null
): string {
  const ends = localTime(grant.endsAt) ?? clean(grant.endsAt, NAME_LENGTH);
  const left = timeLeft(grant.secondsLeft - elapsed);
  const verb = left === 'ended' ? 'ended' : 'ends';
  const id = clean(grant.grant, NAME_LENGTH);
  const tail = left === 'ended' ? id : `${left}, ${id}`;
  return `${clean(grant.connection, NAME_LENGTH)}: ${verb} ${ends} (${tail})`;
}

/** The reader's own way of writing a time, with its time zone. */
function isoTime(iso: string): string | null {
  const time = new Date(iso);
  return Number.isNaN(time.getTime())
    ? null
    : time.toLocaleString(undefined, {
        dateStyle: 'medium',
        timeStyle: 'long'
      });
}

function view(
  state: State,
  label: string,
  tooltip: readonly string[],
  more: Partial<IView> = {}
): IView {
  return {
    state,
    label,
    tooltip: tooltip.length > 0 ? tooltip.join('\n') : label,
    principal: '',
    warning: false,
    pageUrl: null,
    ...more
  };
}
