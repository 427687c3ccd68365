"""What a page shows to who has no mouse or does not see well, asked in the page."""

from __future__ import annotations

FOCUS = """() => {
  const one = document.activeElement, style = getComputedStyle(one);
  const outlined = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  return [one.tagName, outlined || style.boxShadow !== "none"];
}"""

"""What has the focus, and whether that can be seen."""

PALE = """() => {
  const read = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const over = ([r, g, b, a = 1], under) => [r, g, b].map((v, i) => v * a + under[i] * (1 - a));
  const ground = (one) =>
    one ? over(read(getComputedStyle(one).backgroundColor), ground(one.parentElement)) : [0, 0, 0];
  const linear = (v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) =>
    0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
  const pale = [];
  for (const one of document.querySelectorAll("body *")) {
    const text = [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!text || !one.checkVisibility() || one.closest(":disabled") || one.closest("svg")) continue;
    const behind = ground(one), ink = over(read(getComputedStyle(one).color), behind);
    const [low, high] = [light(behind), light(ink)].sort((a, b) => a - b);
    if ((high + 0.05) / (low + 0.05) < 4.5) pale.push(one.textContent);
  }
  return pale;
}"""

"""The texts whose contrast is below WCAG's 4.5."""
