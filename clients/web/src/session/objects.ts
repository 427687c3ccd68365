// The list of objects: made, changed, chosen.

import { remember } from "./notes";
import { COLOURS, active, present, things } from "./state";
import type { Thing } from "./state";

export const thing = (id: number): Thing => ({
  id,
  name: `object ${id}`,
  colour: COLOURS[(id - 1) % COLOURS.length]!,
  hidden: false,
  locked: false,
});

export function newThing(name?: string): number {
  const id = Math.max(0, ...things.value.map((one) => one.id)) + 1;
  things.value = [...things.value, { ...thing(id), ...(name && { name }) }];
  active.value = id;
  remember();
  return id;
}

export function change(id: number, what: Partial<Thing>): void {
  things.value = things.value.map((one) => (one.id === id ? { ...one, ...what } : one));
  remember();
}

/** Something is active, whatever was removed. */
export function stillThere(): void {
  if (present.value.some((one) => one.id === active.value)) return;
  const last = present.value.at(-1);
  if (last) active.value = last.id;
  else newThing();
}
