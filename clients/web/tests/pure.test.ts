import assert from "node:assert/strict";
import { test } from "node:test";
import { inflateSync } from "node:zlib";
import { crc32, indexedPng, paletteColour, zip } from "../src/files";
import { EMPTY, add, lastDone, lastUndone, marksOn, redo, removed as gone, standing, undo, without } from "../src/history";
import { area, trace } from "../src/outline";
import { decode, encode, runsOf } from "../src/rle";
import { clamp, fit, pan, toImage, toScreen, zoom } from "../src/view";

const rows = (...lines: string[]) => Uint8Array.from(lines.join("").split(""), Number);

test("run lengths are column-major, as pycocotools writes them", () => {
  // what pycocotools.mask.encode gives for [[0, 1, 1], [0, 0, 1]]
  const mask = rows("011", "001");
  assert.equal(encode(mask, 2, 3), "2111");
  assert.deepEqual([...decode("2111", 2, 3)], [...mask]);
});

test("any mask comes back from its run lengths", () => {
  let seed = 7;
  const random = () => (seed = (seed * 1103515245 + 12345) % 2 ** 31) / 2 ** 31;
  for (const [height, width] of [[1, 1], [1, 40], [40, 1], [31, 57]] as const) {
    for (const share of [0, 0.1, 0.5, 1]) {
      const mask = Uint8Array.from({ length: height * width }, () => (random() < share ? 1 : 0));
      assert.deepEqual([...decode(encode(mask, height, width), height, width)], [...mask]);
    }
  }
});

test("long runs and negative differences are read", () => {
  const mask = new Uint8Array(200 * 300).fill(1, 20_000, 20_100);
  assert.deepEqual([...decode(encode(mask, 200, 300), 200, 300)], [...mask]);
  assert.equal(runsOf(encode(mask, 200, 300)).reduce((a, b) => a + b), 60_000);
});

test("run lengths that do not fill the image are refused", () => {
  assert.throws(() => decode("21", 2, 3), /do not fill/);
  assert.throws(() => decode("\u0001", 2, 3), /cannot be read/);
});

test("an outline runs along pixel edges, holes the other way", () => {
  const loops = trace(rows("1110", "1010", "1110"), 3, 4);
  assert.deepEqual(loops.map(area).sort((a, b) => b - a), [9, -1]);
  assert.deepEqual(loops[0], [3, 0, 3, 3, 0, 3, 0, 0]);
});

test("pixels that touch at a corner only are apart, and all areas add up", () => {
  const loops = trace(rows("10", "01"), 2, 2);
  assert.deepEqual(loops.map(area), [1, 1]);
  const mask = rows("0110", "1101", "0111", "1010");
  assert.equal(trace(mask, 4, 4).map(area).reduce((a, b) => a + b), mask.reduce((a, b) => a + b, 0));
});

test("what is under the pointer stays there when zooming", () => {
  const before = fit(640, 480, { width: 1000, height: 700 });
  const spot = { x: 300, y: 200 };
  const after = zoom(before, 3, spot);
  assert.deepEqual(toImage(after, spot).x.toFixed(6), toImage(before, spot).x.toFixed(6));
  const there = toScreen(pan(after, 5, 6), toImage(after, spot));
  assert.deepEqual([Math.round(there.x), Math.round(there.y)], [305, 206]);
});

test("a click beyond the edge means the last pixel's centre", () => {
  assert.deepEqual(clamp({ x: -3, y: 99 }, 10, 20), { x: 0.5, y: 19.5 });
});

const point = (seq: number, objectId: number) =>
  ({ seq, kind: "prompt", objectId, frame: 0, marks: [{ kind: "point", at: { x: seq, y: 0 }, negative: false }] }) as const;

test("undo and redo take marks with them, and a new change leaves nothing to redo", () => {
  const two = add(add(EMPTY, point(1, 1)), point(2, 2));
  assert.deepEqual([...marksOn(undo(two), 0).keys()], [1]);
  assert.deepEqual(redo(undo(two)), two);
  assert.equal(lastUndone(add(undo(two), point(3, 1))), undefined);
  assert.deepEqual(undo(EMPTY), EMPTY);
});

test("a removed object has no marks until that is undone, and clear forgets all", () => {
  const removed = add(add(EMPTY, point(1, 1)), { seq: 2, kind: "remove", objectId: 1 });
  assert.equal(standing(removed).size, 0);
  assert.deepEqual([...standing(undo(removed))], [1]);
  assert.deepEqual([[...gone(removed)], [...gone(undo(removed))]], [[1], []]);
  assert.equal(marksOn(add(removed, { seq: 3, kind: "clear", of: [] }), 0).size, 0);
});

test("an object whose first prompt was undone stays in the list", () => {
  assert.equal(gone(undo(add(EMPTY, point(1, 1)))).size, 0);
  assert.deepEqual([...gone(add(add(EMPTY, point(1, 1)), { seq: 2, kind: "clear", of: [1] }))], [1]);
});

test("one object goes along its own way, and its changes keep their places", () => {
  const said = [point(1, 1), point(2, 2), point(3, 1)].reduce(add, EMPTY);
  const back = undo(said, 2);
  assert.deepEqual(back.done.map((one) => one.seq), [1, 3]);
  assert.equal(lastDone(back, 2), undefined);
  assert.deepEqual(redo(back, 2), said);
});

test("what was undone and passed over by a new change is redone for its object only", () => {
  const said = add(undo(add(add(EMPTY, point(1, 1)), point(2, 2))), point(3, 1));
  assert.equal(lastUndone(said), undefined);
  assert.deepEqual(redo(said), said);
  assert.deepEqual(redo(said, 2).done.map((one) => one.seq), [1, 2, 3]);
  assert.deepEqual(add(said, point(4, 2)).undone, []);
});

test("a clear is undone for one object, and comes together again", () => {
  const cleared = add(add(add(EMPTY, point(1, 1)), point(2, 2)), { seq: 3, kind: "clear", of: [1, 2] });
  const half = undo(cleared, 1);
  assert.deepEqual([[...standing(half)], [...gone(half)]], [[1], [2]]);
  assert.deepEqual([...standing(undo(half))].sort(), [1, 2]);
  assert.deepEqual([...standing(redo(half, 1))], []);
  assert.equal(redo(half, 1).done.length, 3);
});

test("a box takes the place of the one before, and what was refused is not drawn", () => {
  const box = (seq: number) =>
    ({ seq, kind: "prompt", objectId: 1, frame: 0, marks: [{ kind: "box", from: { x: seq, y: 0 }, to: { x: 9, y: 9 }, negative: false }] }) as const;
  const marks = marksOn(add(add(EMPTY, box(1)), box(2)), 0).get(1)!;
  assert.deepEqual(marks.length, 1);
  assert.deepEqual(without(add(EMPTY, box(1)), 1), EMPTY);
});

test("an indexed PNG has DAVIS's palette and the pixels as they are", async () => {
  assert.deepEqual([paletteColour(1), paletteColour(2), paletteColour(8)], [[128, 0, 0], [0, 128, 0], [64, 0, 0]]);
  const png = await indexedPng(Uint8Array.of(0, 1, 2, 1, 0, 2), 2, 3);
  const at = Buffer.from(png).indexOf("IDAT");
  const length = new DataView(png.buffer).getUint32(at - 4);
  assert.deepEqual([...inflateSync(png.subarray(at + 4, at + 4 + length))], [0, 0, 1, 2, 0, 1, 0, 2]);
});

test("checksums are those of everybody", () => {
  assert.equal(crc32(new TextEncoder().encode("123456789")), 0xcbf43926);
});

test("a ZIP lists its files", () => {
  const bytes = zip([{ name: "a.png", bytes: Uint8Array.of(1, 2) }, { name: "b.png", bytes: Uint8Array.of(3) }]);
  const view = new DataView(bytes.buffer);
  assert.equal(view.getUint32(bytes.length - 22, true), 0x06054b50);
  assert.equal(view.getUint16(bytes.length - 12, true), 2);
});
