// One line for who is here for the first time. It goes on by what is done, and then away for good.

import { effect, signal } from "@preact/signals";
import { Icon } from "./icons";
import * as session from "./session/index";

const SEEN = "seem-seen";
const seen = signal(isSeen());

function isSeen(): boolean {
  try {
    return localStorage.getItem(SEEN) === "yes";
  } catch {
    return false; // not allowed to keep anything: the line is there again next time
  }
}

function see(): void {
  seen.value = true;
  try {
    localStorage.setItem(SEEN, "yes");
  } catch {
    // as above
  }
}

const said = (): number => session.history.value.done.length;
effect(() => {
  if (!seen.value && said() >= 2) see();
});

export function Hint() {
  if (seen.value || !session.picture.value) return null;
  return (
    <p class="hint" id="hint">
      {said() === 0
        ? <span><b>Click</b> on a thing: its mask appears. Or draw around it with <kbd>B</kbd> or <kbd>L</kbd>, or name it with <kbd>W</kbd>.</span>
        : <span><b>Right-click</b> on what is too much, click on what is missing. <kbd>N</kbd> begins another object, <kbd>?</kbd> lists the keys.</span>}
      <button class="bare" aria-label="Do not show this line again" onClick={see}><Icon name="cross" /></button>
    </p>
  );
}
