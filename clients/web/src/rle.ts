// COCO run lengths: column-major, runs of 0 and 1 in turn, compressed to ASCII as pycocotools does.

/** The runs in a compressed string. */
export function runsOf(counts: string): number[] {
  const runs: number[] = [];
  let at = 0;
  while (at < counts.length) {
    let value = 0;
    let shift = 0;
    let more = true;
    while (more) {
      const code = counts.charCodeAt(at++) - 48;
      if (!(code >= 0 && code < 64)) throw new Error("The mask's run lengths cannot be read.");
      value |= (code & 0x1f) << shift;
      shift += 5;
      more = (code & 0x20) !== 0;
      if (!more && code & 0x10) value |= -1 << shift; // the sign
    }
    if (runs.length > 2) value += runs[runs.length - 2]!; // from the third on: the difference to the one before the last
    runs.push(value);
  }
  return runs;
}

/** The mask, row-major, one byte a pixel (0 or 1). */
export function decode(counts: string, height: number, width: number): Uint8Array {
  const mask = new Uint8Array(height * width);
  let at = 0;
  let inside = false;
  for (const run of runsOf(counts)) {
    if (inside) {
      let x = Math.floor(at / height);
      let y = at - x * height;
      for (let left = run; left > 0; left--) {
        mask[y * width + x] = 1;
        if (++y === height) {
          y = 0;
          x++;
        }
      }
    }
    at += run;
    inside = !inside;
  }
  if (at !== height * width) throw new Error("The mask's run lengths do not fill the image.");
  return mask;
}

/** The compressed string of a row-major mask. */
export function encode(mask: Uint8Array, height: number, width: number): string {
  const runs: number[] = [];
  let last = 0;
  let run = 0;
  for (let x = 0; x < width; x++) {
    for (let y = 0; y < height; y++) {
      const pixel = mask[y * width + x]! ? 1 : 0;
      if (pixel !== last) {
        runs.push(run);
        run = 0;
        last = pixel;
      }
      run++;
    }
  }
  runs.push(run);
  return runs.map((value, index) => written(index > 2 ? value - runs[index - 2]! : value)).join("");
}

function written(value: number): string {
  let text = "";
  let more = true;
  while (more) {
    let code = value & 0x1f;
    value >>= 5;
    more = code & 0x10 ? value !== -1 : value !== 0;
    if (more) code |= 0x20;
    text += String.fromCharCode(code + 48);
  }
  return text;
}
