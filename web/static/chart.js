/* chart.js - two small charts per day, as SVG: stacked bars and lines. The numbers also stand in a table beside them. */
import { el, number, svg } from './dom.js';

const WIDTH = 460;
const HEIGHT = 150;
const LEFT = 40;
const BOTTOM = 20;

/* A round number at or above `most`, with few digits: the axis's top. */
export function niceTop(most) {
  if (most <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 2.5, 5, 10].map((m) => m * power).find((top) => top >= most);
}

/* title; days: [{date}]; series: [{name, colour: 'f0'..., of: (day) => number or null}] */
export function barChart(title, days, series) {
  const top = niceTop(Math.max(...days.map((d) => series.reduce((sum, s) => sum + (s.of(d) || 0), 0)), 1));
  const frame = frameOf(days, top);
  const width = Math.max(1, frame.step * 0.72);
  const bars = days.flatMap((day, i) => {
    let floor = HEIGHT - BOTTOM;
    return series.map((s) => {
      const height = ((s.of(day) || 0) / top) * frame.height;
      floor -= height;
      const label = `${day.date}: ${series.map((x) => `${number(x.of(day) || 0)} ${x.name}`).join(', ')}`;
      return svg('rect', { x: frame.x(i) - width / 2, y: floor, width, height, rx: Math.min(1.5, height / 2), class: `fill ${s.colour}` }, svg('title', {}, label));
    });
  });
  return figure(title, series, frame, bars);
}

export function lineChart(title, days, series) {
  const values = days.flatMap((d) => series.map((s) => s.of(d) || 0));
  const frame = frameOf(days, niceTop(Math.max(...values, 1)));
  return figure(title, series, frame, series.flatMap((s) => lineOf(days, s, frame)));
}

/* A day without a value breaks the line; a day alone becomes a dot. */
function lineOf(days, s, frame) {
  const pieces = [];
  let open = [];
  days.forEach((day, i) => {
    const value = s.of(day);
    if (value !== null && value !== undefined) open.push([frame.x(i), frame.y(value)]);
    if ((value === null || value === undefined || i === days.length - 1) && open.length) {
      pieces.push(open);
      open = [];
    }
  });
  return pieces.map((points) => (points.length === 1
    ? svg('circle', { cx: points[0][0], cy: points[0][1], r: 3, class: `fill ${s.colour}` })
    : svg('path', { d: `M${points.map((p) => p.map((n) => n.toFixed(1)).join(' ')).join('L')}`, class: `stroke ${s.colour}` })));
}

function frameOf(days, top) {
  const height = HEIGHT - BOTTOM - 8;
  const step = (WIDTH - LEFT) / Math.max(days.length, 1);
  return { days, top, height, step, x: (i) => LEFT + step * (i + 0.5), y: (v) => HEIGHT - BOTTOM - (v / top) * height };
}

function figure(title, series, frame, marks) {
  const grid = [0, 0.5, 1].flatMap((share) => {
    const y = frame.y(frame.top * share);
    return [svg('line', { x1: LEFT, x2: WIDTH, y1: y, y2: y, class: 'grid' }),
      svg('text', { x: LEFT - 8, y: y + 4, 'text-anchor': 'end' }, number(frame.top * share))];
  });
  const last = frame.days.length - 1;
  const dates = [0, Math.floor(last / 2), last].filter((v, i, all) => v >= 0 && all.indexOf(v) === i)
    .map((i) => svg('text', { x: frame.x(i), y: HEIGHT - 3, 'text-anchor': i === 0 ? 'start' : i === last ? 'end' : 'middle' }, shortDate(frame.days[i].date)));
  const picture = svg('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', 'aria-label': `${title}; the numbers are in the table below` }, grid, marks, dates);
  const legend = series.length > 1 && el('span', { class: 'legend' }, series.flatMap((s) => [el('i', { class: s.colour }), s.name]));
  return el('figure', { class: 'chart' }, el('figcaption', {}, title, legend), picture);
}

const shortDate = (text) => new Intl.DateTimeFormat('en', { day: 'numeric', month: 'short', timeZone: 'UTC' }).format(new Date(`${text}T00:00:00Z`));
