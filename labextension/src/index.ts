import {
  ILabShell,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import type { ISessionContext } from '@jupyterlab/apputils';
import type { Kernel } from '@jupyterlab/services';
import { IStatusBar } from '@jupyterlab/statusbar';
import type { Widget } from '@lumino/widgets';

import { askKernel } from './api';
import { Poller } from './poller';
import { GovStatus } from './status';
import { describe, LOADING, NO_KERNEL } from './wording';

/** Notebook and console panels carry the session of their kernel. */
function sessionOf(widget: Widget | null): ISessionContext | null {
  const holder = widget as { sessionContext?: ISessionContext } | null;
  return holder?.sessionContext ?? null;
}

const plugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-gov-labextension:status',
  description: 'Shows who the current kernel is attached as and its time left.',
  autoStart: true,
  requires: [IStatusBar, ILabShell],
  activate: (
    app: JupyterFrontEnd,
    statusBar: IStatusBar,
    shell: ILabShell
  ): void => {
    const settings = app.serviceManager.serverSettings;
    const item = new GovStatus();
    const poller = new Poller({
      ask: (kernelId, signal) => askKernel(kernelId, settings, signal),
      changed: () => {
        if (poller.kernelId === null) {
          item.setView(NO_KERNEL);
        } else if (poller.answer === null) {
          item.setView(LOADING);
        } else {
          item.setView(describe(poller.answer, poller.elapsed));
        }
      },
      hidden: () => document.hidden,
      now: () => performance.now() / 1000
    });

    let session: ISessionContext | null = null;
    const onKernel = (): void => {
      poller.watch(session?.session?.kernel?.id ?? null);
    };
    const onStatus = (_: ISessionContext, status: Kernel.Status): void => {
      if (status === 'idle') {
        poller.refresh();
      }
    };
    const onWidget = (): void => {
      const current = sessionOf(shell.currentWidget);
      if (current !== session) {
        session?.kernelChanged.disconnect(onKernel);
        session?.statusChanged.disconnect(onStatus);
        session = current;
        session?.kernelChanged.connect(onKernel);
        session?.statusChanged.connect(onStatus);
      }
      onKernel();
      poller.refresh();
    };
    shell.currentChanged.connect(onWidget);
    document.addEventListener('visibilitychange', () => {
      poller.refresh();
    });
    const timer = window.setInterval(() => {
      poller.tick();
    }, 1000);
    item.disposed.connect(() => {
      window.clearInterval(timer);
      poller.dispose();
    });

    statusBar.registerStatusItem(plugin.id, {
      item,
      align: 'right',
      rank: 90,
      isActive: () => item.active,
      activeStateChanged: item.activeChanged
    });
    onWidget();
  }
};

export default plugin;
