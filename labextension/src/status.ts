import type { Message } from '@lumino/messaging';
import { Signal, type ISignal } from '@lumino/signaling';
import { Widget } from '@lumino/widgets';

import { NO_KERNEL, type IView } from './wording';

/** The item in the status bar. It shows a view and fetches nothing. */
export class GovStatus extends Widget {
  constructor() {
    super();
    this.id = 'jp-gov-status';
    this.addClass('jp-gov-Status');
    this.setView(NO_KERNEL);
  }

  /** Whether there is a kernel to speak of. */
  get active(): boolean {
    return this._view.state !== 'none';
  }

  /** Emitted when `active` changed. */
  get activeChanged(): ISignal<this, void> {
    return this._activeChanged;
  }

  setView(view: IView): void {
    const wasActive = this.active;
    this._view = view;

    const node = this.node;
    // The text comes from a server: it is set as text, never as markup. What is
    // there already stays untouched, so that an open tooltip does not flicker.
    if (node.textContent !== view.label) {
      node.textContent = view.label;
    }
    if (node.title !== view.tooltip) {
      node.title = view.tooltip;
    }
    node.dataset.state = view.state;
    node.dataset.principal = view.principal;
    this.toggleClass('jp-gov-mod-warning', view.warning);

    const link = view.pageUrl !== null;
    this.toggleClass('jp-gov-mod-link', link);
    this.toggleClass('jp-mod-highlighted', link);
    if (link) {
      node.setAttribute('role', 'link');
      node.tabIndex = 0;
    } else {
      node.removeAttribute('role');
      node.removeAttribute('tabindex');
    }

    if (this.active !== wasActive) {
      this._activeChanged.emit();
    }
  }

  handleEvent(event: Event): void {
    if (event.type === 'keydown') {
      if ((event as KeyboardEvent).key !== 'Enter') {
        return;
      }
      event.preventDefault();
    }
    if (this._view.pageUrl !== null) {
      window.open(this._view.pageUrl, '_blank', 'noopener,noreferrer');
    }
  }

  protected override onAfterAttach(msg: Message): void {
    super.onAfterAttach(msg);
    this.node.addEventListener('click', this);
    this.node.addEventListener('keydown', this);
  }

  protected override onBeforeDetach(msg: Message): void {
    this.node.removeEventListener('click', this);
    this.node.removeEventListener('keydown', this);
    super.onBeforeDetach(msg);
  }

  private _view: IView = NO_KERNEL;
  private readonly _activeChanged = new Signal<this, void>(this);
}
