/* template.js - checks a template while it is being typed, by the service's own rules (src/engine/template.h). */
import { codePoints, isDescribed, isObject } from './spans.js';

export const TYPES = ['string', 'number', 'integer', 'date', 'boolean'];
const LIMITS = { fields: 200, depth: 8, key: 128, description: 500, options: 32, option: 64 };

/* -> {template} or {problem: sentence} */
export function readTemplate(source) {
  let template;
  try {
    template = JSON.parse(source);
  } catch (error) {
    return { problem: `This is not JSON yet: ${error.message}` };
  }
  if (!isObject(template)) return { problem: 'A template is an object: {"key": null}.' };
  const counter = { fields: 0 };
  const problem = objectProblem(template, '', 1, counter);
  if (problem) return { problem };
  if (!counter.fields) return { problem: 'Give the template at least one key.' };
  if (counter.fields > LIMITS.fields) return { problem: `${counter.fields} fields; ${LIMITS.fields} are the most.` };
  return { template, fields: counter.fields };
}

function objectProblem(object, path, depth, counter) {
  if (depth > LIMITS.depth) return `${path} is nested ${depth} objects deep; ${LIMITS.depth} are the most.`;
  for (const [key, leaf] of Object.entries(object)) {
    const at = path ? `${path}.${key}` : key;
    const length = codePoints(key);
    if (length < 1 || length > LIMITS.key) return `A key needs 1 to ${LIMITS.key} characters; "${at.slice(0, 40)}" has ${length}.`;
    const nested = isObject(leaf) && !isDescribed(leaf);
    if (!nested) counter.fields += 1;
    const problem = nested ? objectProblem(leaf, at, depth + 1, counter) : leafProblem(leaf, at, counter);
    if (problem) return problem;
  }
  return null;
}

function leafProblem(leaf, at, counter) {
  if (leaf === null) return null;
  if (typeof leaf === 'string') return TYPES.includes(leaf) ? null : `${at}: "${leaf}" is no type; use ${TYPES.join(', ')}.`;
  if (isObject(leaf)) return describedProblem(leaf, at, counter);
  if (Array.isArray(leaf)) return listProblem(leaf, at, counter);
  return `${at} must be null, a type, a list or an object; it is ${JSON.stringify(leaf)}.`;
}

function describedProblem(leaf, at, counter) {
  const { $type: type = null, $description: description, ...others } = leaf;
  if (Object.keys(others).length) return `${at}: an object with $type or $description may hold nothing else.`;
  if (description !== undefined && typeof description !== 'string') return `${at}.$description must be a string.`;
  if (description && codePoints(description) > LIMITS.description) return `${at}.$description has more than ${LIMITS.description} characters.`;
  return isObject(type) ? `${at}.$type must be a leaf: null, a type, choices or a list.` : leafProblem(type, at, counter);
}

function listProblem(list, at, counter) {
  if (!list.length) return null;
  if (list.length === 1) {
    if (TYPES.includes(list[0])) return null;
    if (isObject(list[0])) return isDescribed(list[0]) ? describedProblem(list[0], at, counter) : recordProblem(list[0], at, counter);
    if (Array.isArray(list[0]) && list[0].length > 1) return optionsProblem(list[0], at);
    return `${at}: a list holds one type (["date"]), one record ([{...}]), choices ([["a","b"]]) or nothing ([]).`;
  }
  return optionsProblem(list, at);
}

/* Members of a record are single values. */
function recordProblem(record, at, counter) {
  if (!Object.keys(record).length) return `${at}: a record needs at least one key.`;
  const nested = Object.keys(record).find((k) => isObject(record[k]) && !isDescribed(record[k]));
  if (nested !== undefined) return `${at}[].${nested} must be a single value, not an object.`;
  return objectProblem(record, `${at}[]`, 1, counter);
}

function optionsProblem(options, at) {
  if (!options.every((o) => typeof o === 'string')) return `${at}: choices must all be strings.`;
  if (options.length > LIMITS.options) return `${at}: ${options.length} choices; ${LIMITS.options} are the most.`;
  const long = options.find((o) => !o || codePoints(o) > LIMITS.option);
  return long === undefined ? null : `${at}: each choice needs 1 to ${LIMITS.option} characters.`;
}
