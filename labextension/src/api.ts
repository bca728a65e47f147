import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

import { parseKernelStatus } from './model';
import type { Answer } from './wording';

/**
 * Ask the server about one kernel.
 *
 * A failure is an answer too, so that the status item can always show
 * something; only an aborted request rejects.
 */
export async function askKernel(
  kernelId: string,
  settings: ServerConnection.ISettings,
  signal: AbortSignal
): Promise<Answer> {
  const url = URLExt.join(
    settings.baseUrl,
    'jupyter-gov/api/v1/kernels',
    encodeURIComponent(kernelId)
  );
  try {
    const response = await ServerConnection.makeRequest(
      url,
      { method: 'GET', signal },
      settings
    );
    if (response.status === 404) {
      return { kind: 'ungoverned' };
    }
    if (!response.ok) {
      return { kind: 'error', detail: `HTTP ${response.status}` };
    }
    return { kind: 'status', status: parseKernelStatus(await response.json()) };
  } catch (error) {
    if (signal.aborted) {
      throw error;
    }
    return {
      kind: 'error',
      detail: error instanceof Error ? error.message : 'request failed'
    };
  }
}
