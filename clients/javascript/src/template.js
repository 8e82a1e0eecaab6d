/* A Zod schema (version 3 or 4, known by its shape: zod is not imported) -> the service's template, and the answer ->
 * what the schema parses.
 *
 *   string -> "string", number -> "number" (int -> "integer"), boolean -> "boolean", date and string dates -> "date",
 *   enum and union of literals -> a choice, any/unknown and other unions -> null, array(X) -> a list of X,
 *   object -> an object, array(object) -> a list of records, nullable/optional/default -> the type inside,
 *   describe() -> $description. */
import { ResultValidationError, TemplateError } from "./errors.js";

const isSchema = (value) => typeof value?.parse === "function" && (value._zod !== undefined || value._def !== undefined);
const def = (schema) => schema._zod?.def ?? schema._def;
/* "string", "object", ...: version 4 says `type`, version 3 "ZodString". */
const kindOf = (schema) => def(schema).typeName?.slice(3).toLowerCase().replace("nativeenum", "enum") ?? def(schema).type;
const children = (schema) => (typeof def(schema).shape === "function" ? def(schema).shape() : def(schema).shape);
const element = (schema) => def(schema).element ?? def(schema).type;

const WRAPPERS = new Set(["nullable", "optional", "default", "prefault", "catch", "readonly", "branded", "nonoptional"]);
const inner = (schema) => {
  const d = def(schema);
  const kind = kindOf(schema);
  if (WRAPPERS.has(kind)) return d.innerType ?? d.type;
  if (kind === "effects") return d.schema; // version 3: refine, transform
  if (kind === "pipe" || kind === "pipeline") return d.in;
  return null;
};

/* The schema without wrappers, what the wrappers allow, and the outermost description. */
function unwrap(schema) {
  const seen = { core: schema, nullable: false, optional: false, description: undefined };
  for (let s = schema; s; s = inner(s)) {
    const kind = kindOf(s);
    seen.description ??= s.description;
    seen.nullable ||= kind === "nullable";
    seen.optional ||= kind === "optional" || kind === "default" || kind === "prefault";
    seen.core = s;
    if (kind === "union") {
      const rest = def(s).options.filter((o) => kindOf(o) !== "null");
      seen.nullable ||= rest.length < def(s).options.length;
      if (rest.length === 1) return { ...seen, ...unwrap(rest[0]), nullable: true };
    }
  }
  seen.nullable ||= kindOf(seen.core) === "any" || kindOf(seen.core) === "unknown";
  return seen;
}

/* Formats and checks of a string or number: "date", "int", "safeint", ... */
function formats(schema) {
  const d = def(schema);
  const checks = (d.checks ?? []).map((c) => c.kind ?? (c._zod?.def ?? c.def)?.format);
  return new Set([d.format, ...checks]);
}

function choice(values, path) {
  const options = values.filter((v) => v !== null);
  if (options.length < 2 || !options.every((v) => typeof v === "string"))
    throw new TemplateError(`${path}: an enum or literal needs two or more strings to choose from.`, { param: path });
  return options;
}

const literalValues = (schema) => def(schema).values ?? [def(schema).value];

function union(schema, path) {
  const options = def(schema).options.filter((o) => kindOf(o) !== "null");
  if (options.every((o) => kindOf(o) === "literal")) return choice(options.flatMap(literalValues), path);
  return null;
}

const SCALARS = {
  string: (s) => (["date", "datetime"].some((f) => formats(s).has(f)) ? "date" : "string"),
  number: (s) => (["int", "safeint", "int32", "uint32"].some((f) => formats(s).has(f)) ? "integer" : "number"),
  int: () => "integer",
  boolean: () => "boolean",
  date: () => "date",
  any: () => null,
  unknown: () => null,
  enum: (s, path) => choice(Object.values(def(s).entries ?? def(s).values), path),
  literal: (s, path) => choice(literalValues(s), path),
  union,
};

function scalar(schema, path) {
  const make = SCALARS[kindOf(schema)];
  if (make) return make(schema, path);
  throw new TemplateError(`${path}: a template cannot ask for a ${kindOf(schema)}.`, { param: path });
}

function list(schema, path) {
  const { core } = unwrap(element(schema));
  if (kindOf(core) === "object") return [object(core, `${path}[].`)];
  const leaf = scalar(core, path);
  return leaf === null ? [] : [leaf];
}

function leafOf(core, path) {
  if (kindOf(core) === "object") return object(core, `${path}.`);
  return kindOf(core) === "array" ? list(core, path) : scalar(core, path);
}

function object(schema, prefix) {
  const template = {};
  for (const [key, member] of Object.entries(children(schema))) {
    const { core, description } = unwrap(member);
    const leaf = leafOf(core, prefix + key);
    // Objects have no description in a template; their members do.
    template[key] = description && kindOf(core) !== "object" ? { $type: leaf, $description: description } : leaf;
  }
  return template;
}

export function templateOf(schema) {
  if (!isSchema(schema) || kindOf(unwrap(schema).core) !== "object")
    throw new TemplateError("The template must be a plain object or a Zod object schema.", { param: "template" });
  return object(unwrap(schema).core, "");
}

const isEmpty = (value) =>
  value === null || (typeof value === "object" && Object.values(value).every(isEmpty));

/* The answer in the schema's terms: dates as Date where it wants them, what is missing left out where it is optional. */
function fit(schema, value) {
  const { core, nullable, optional } = unwrap(schema);
  const kind = kindOf(core);
  if (value === null || (kind === "object" && (nullable || optional) && isEmpty(value)))
    return optional && !nullable ? undefined : null;
  if (kind === "array") return value.map((v) => fit(element(core), v));
  if (kind === "date") return new Date(value);
  return kind === "object" ? fitObject(core, value) : value;
}

function fitObject(schema, data) {
  const fitted = {};
  for (const [key, member] of Object.entries(children(schema))) {
    const value = fit(member, data[key] ?? null);
    if (value !== undefined) fitted[key] = value;
  }
  return fitted;
}

/* {sent, parse}: what is sent, and what turns the answer's extracted_data into the result's data. */
export function compileTemplate(template) {
  if (isSchema(template)) {
    const sent = templateOf(template);
    return { sent, parse: (data, jobId) => parseWith(template, data, jobId) };
  }
  if (typeof template === "object" && template !== null && !Array.isArray(template))
    return { sent: template, parse: (data) => data };
  return templateOf(template); // throws
}

function parseWith(schema, data, jobId) {
  try {
    return schema.parse(fitObject(unwrap(schema).core, data));
  } catch (cause) {
    throw new ResultValidationError(`The answer does not fit the schema: ${cause.message}`, { data, jobId, cause });
  }
}
