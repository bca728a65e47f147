/** What the server says of one kernel, checked field by field. */

export type GatewayState = 'managed' | 'separate' | 'unreachable';

export interface IPrincipal {
  readonly kind: 'person' | 'agent';
  readonly name: string;
  readonly onBehalfOf: string | null;
}

export interface IGrant {
  readonly grant: string;
  readonly connection: string;
  readonly endsAt: string;
  readonly secondsLeft: number;
}

export interface IKernelStatus {
  readonly gateway: GatewayState;
  readonly pageUrl: string | null;
  readonly isolation: string | null;
  readonly principal: IPrincipal | null;
  readonly purpose: string | null;
  readonly grants: readonly IGrant[];
  readonly notices: readonly string[];
}

type Json = Record<string, unknown>;

function object(value: unknown, what: string): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Error(`${what} is not an object`);
  }
  return value as Json;
}

function text(value: unknown, what: string): string {
  if (typeof value !== 'string') {
    throw new Error(`${what} is not a string`);
  }
  return value;
}

function optionalText(value: unknown, what: string): string | null {
  return value === null || value === undefined ? null : text(value, what);
}

function list(value: unknown, what: string): unknown[] {
  if (!Array.isArray(value)) {
    throw new Error(`${what} is not a list`);
  }
  return value;
}

function parsePrincipal(value: unknown): IPrincipal | null {
  if (value === null || value === undefined) {
    return null;
  }
  const principal = object(value, 'principal');
  const kind = principal.kind;
  if (kind !== 'person' && kind !== 'agent') {
    throw new Error('principal.kind is unknown');
  }
  return {
    kind,
    name: text(principal.name, 'principal.name'),
    onBehalfOf: optionalText(principal.on_behalf_of, 'principal.on_behalf_of')
  };
}

function parseGrant(value: unknown): IGrant {
  const grant = object(value, 'grant');
  const secondsLeft = grant.seconds_left;
  if (typeof secondsLeft !== 'number' || !Number.isFinite(secondsLeft)) {
    throw new Error('grant.seconds_left is not a number');
  }
  return {
    grant: text(grant.grant, 'grant.grant'),
    connection: text(grant.connection, 'grant.connection'),
    endsAt: text(grant.ends_at, 'grant.ends_at'),
    secondsLeft
  };
}

/** Check a response body; throws an Error that names the first wrong field. */
export function parseKernelStatus(body: unknown): IKernelStatus {
  const status = object(body, 'response');
  const gateway = status.gateway;
  if (
    gateway !== 'managed' &&
    gateway !== 'separate' &&
    gateway !== 'unreachable'
  ) {
    throw new Error('gateway is unknown');
  }
  return {
    gateway,
    pageUrl: optionalText(status.page_url, 'page_url'),
    isolation: optionalText(status.isolation, 'isolation'),
    principal: parsePrincipal(status.principal),
    purpose: optionalText(status.purpose, 'purpose'),
    grants: list(status.grants, 'grants').map(parseGrant),
    notices: list(status.notices, 'notices').map(item => text(item, 'notice'))
  };
}
