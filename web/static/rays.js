/* rays.js - the light on the front page: white from every marked value to the prism, coloured from the prism to the same
 * value in the answer. Pure decoration, hidden from screen readers; drawn anew whenever the layout changes. */
import { svg } from './dom.js';

const SIZE = 46; /* of the prism, in CSS pixels: half its side */
const TICK = 26; /* how far a coloured ray reaches into the answer's sheet */

/* `bench` holds #document (marks with data-path) and #answer (values with data-path). */
export function drawRays(bench, colours, animate) {
  const old = bench.querySelector('.rays');
  if (old) old.remove();
  const frame = bench.getBoundingClientRect();
  const [left, right] = bench.querySelectorAll('.sheet');
  const sheets = [left.getBoundingClientRect(), right.getBoundingClientRect()];
  const across = sheets[1].left >= sheets[0].right;
  const pairs = pairsOf(bench, frame);
  const place = across ? besides(frame, sheets, pairs) : stacked(frame, sheets);
  const rays = pairs.flatMap(({ from, to, colour }, i) => place.ray(from, to, colour, pairs.length > 1 ? i / (pairs.length - 1) : 0.5));
  const run = animate && pairs.length ? ' run' : '';
  bench.append(svg('svg', { class: `rays${run}`, 'aria-hidden': 'true' }, rays, place.prism));
}

/* Values that stand in both panes, in the answer's order. */
function pairsOf(bench, frame) {
  const marks = new Map();
  for (const mark of bench.querySelectorAll('#document mark')) if (!marks.has(mark.dataset.path)) marks.set(mark.dataset.path, mark);
  return [...bench.querySelectorAll('#answer .value')].flatMap((value) => {
    const mark = marks.get(value.dataset.path);
    const colour = [...value.classList].find((c) => /^f\d+$/.test(c));
    return mark && colour ? [{ from: boxOf(mark, frame), to: boxOf(value, frame), colour }] : [];
  });
}

function boxOf(node, frame) {
  const rects = node.getClientRects();
  const box = rects[rects.length - 1];
  return { left: box.left - frame.left, right: box.right - frame.left, top: box.top - frame.top, bottom: box.bottom - frame.top };
}

const path = (d, attributes) => svg('path', { d, pathLength: 1, ...attributes });
const middle = (box) => (box.top + box.bottom) / 2;

function prismAt(x, y, size) {
  const h = size * 0.86;
  return path(`M${x} ${y - h}L${x + size} ${y + h}H${x - size}Z`, { class: 'glass' });
}

/* Wide: sheets side by side. Light leaves the left sheet at the value's line and reaches the answer's sheet at its line. */
function besides(frame, [left, right], pairs) {
  const gap = { from: left.right - frame.left, to: right.left - frame.left };
  const x = (gap.from + gap.to) / 2;
  const heights = pairs.flatMap(({ from, to }) => [middle(from), middle(to)]);
  const y = heights.length ? (Math.min(...heights) + Math.max(...heights)) / 2 : frame.height / 3;
  const size = Math.min(SIZE, (gap.to - gap.from) * 0.36);
  const enter = { x: x - size * 0.5, y };
  const ray = (from, to, colour, share) => {
    const leave = { x: x + size * (0.36 + 0.22 * share), y: y + size * (-0.22 + 0.4 * share) };
    const bend = (gap.to - leave.x) * 0.6;
    return [
      path(`M${gap.from} ${middle(from)}C${gap.from + (enter.x - gap.from) * 0.55} ${middle(from)} ${enter.x - (enter.x - gap.from) * 0.4} ${y} ${enter.x} ${y}L${leave.x} ${leave.y}`, { class: 'white' }),
      path(`M${leave.x} ${leave.y}C${leave.x + bend} ${leave.y + bend * (share - 0.5)} ${gap.to - bend * 0.5} ${middle(to)} ${gap.to} ${middle(to)}H${gap.to + TICK}`, { class: `colour ${colour}` }),
    ];
  };
  return { ray, prism: prismAt(x, y, size) };
}

/* Narrow: sheets one above the other; a fan of colours falls from the prism onto the answer. */
function stacked(frame, [upper, lower]) {
  const gap = { from: upper.bottom - frame.top, to: lower.top - frame.top };
  const x = frame.width / 2;
  const y = (gap.from + gap.to) / 2;
  const size = (gap.to - gap.from) * 0.3;
  const ray = (from, to, colour, share) => {
    const at = x + (share - 0.5) * Math.min(frame.width * 0.7, 260);
    return [
      path(`M${at} ${gap.from}L${x + (share - 0.5) * size * 0.5} ${y}`, { class: 'white' }),
      path(`M${x + (share - 0.5) * size} ${y + size * 0.6}L${at} ${gap.to}`, { class: `colour ${colour}` }),
    ];
  };
  return { ray, prism: prismAt(x, y, size) };
}
