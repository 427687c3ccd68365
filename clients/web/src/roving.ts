// Lists and toolbars have one stop for the Tab key; the arrow keys go on within them.

import { useEffect, useRef } from "preact/hooks";
import type { RefObject } from "preact";

const STEPS: Record<string, number> = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 };

/** What goes onto the element around those that have `data-rove`. */
export function useRoving<T extends HTMLElement>(): {
  ref: RefObject<T | null>;
  onKeyDown: (event: KeyboardEvent) => void;
  onFocusCapture: () => void;
} {
  const ref = useRef<T>(null);
  const stop = useRef<HTMLElement | null>(null);
  const items = () => [...(ref.current?.querySelectorAll<HTMLElement>("[data-rove]:not(:disabled)") ?? [])];
  const settle = () => {
    const all = items();
    const focused = all.find((one) => one === document.activeElement);
    const kept = all.find((one) => one === stop.current);
    stop.current = focused ?? kept ?? all.find((one) => one.ariaCurrent === "true" || one.ariaPressed === "true") ?? all[0] ?? null;
    for (const one of all) one.tabIndex = one === stop.current ? 0 : -1;
  };
  useEffect(settle);
  const onKeyDown = (event: KeyboardEvent) => {
    const all = items();
    const at = all.findIndex((one) => one === document.activeElement);
    if (at < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    const step = STEPS[event.key];
    const to = event.key === "Home" ? 0 : event.key === "End" ? all.length - 1 : step && (at + step + all.length) % all.length;
    if (to === undefined) return;
    event.preventDefault();
    all[to]!.focus();
  };
  return { ref, onKeyDown, onFocusCapture: settle };
}
