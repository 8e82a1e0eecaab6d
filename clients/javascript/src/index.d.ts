/* Types of the client. Results are typed by their template: a plain object's leaves, or a Zod schema's output. */

export type TypeName = "string" | "number" | "integer" | "date" | "boolean";
export type Leaf = null | TypeName | readonly unknown[] | { readonly [key: string]: Leaf } | Described;
export interface Described {
  readonly $type?: null | TypeName | readonly unknown[];
  readonly $description?: string;
}
export type Template = { readonly [key: string]: Leaf };

/** Anything with Zod's parse: a Zod 3 or 4 object schema. Not a dependency. */
export interface Schema<Output> {
  parse(data: unknown): Output;
}

type Typed = { string: string; number: number; integer: number; date: string; boolean: boolean };
type Untyped = string | number;

type Item<L> = L extends TypeName
  ? Typed[L]
  : L extends null
    ? Untyped
    : L extends readonly string[]
      ? L[number]
      : L extends object
        ? Infer<L>
        : never;

type Value<L> = L extends null
  ? Untyped | null
  : L extends TypeName
    ? Typed[L] | null
    : L extends readonly []
      ? Untyped[]
      : L extends readonly [infer Only]
        ? Item<Only>[]
        : L extends readonly (infer Option)[]
          ? Option | null
          : L extends { readonly $type: infer Of }
            ? Value<Of>
            : L extends { readonly $description: string }
              ? Untyped | null
              : L extends object
                ? Infer<L>
                : unknown;

type Infer<T> = { -readonly [K in keyof T]: Value<T[K]> };

/** What an extraction with this template gives. */
export type ResultOf<T> = T extends Schema<infer Output> ? Output : Infer<T>;

export interface FieldDetail {
  /** The source text; null where nothing was found. */
  valueText: string | null;
  /** In Unicode code points: [...text].slice(start, end).join(""). */
  start: number | null;
  end: number | null;
  confidence: number | null;
}

export interface ListDetail {
  values: FieldDetail[];
  /** Spans that came close to being one. */
  nearMisses: number;
}

export interface ExtractResult<T> {
  data: T;
  jobId: string;
  latencyMs: number;
  creditsCharged: number;
  /** With details, by dotted path ("buyer.name", "items[0].price"). */
  fields: Record<string, FieldDetail | ListDetail> | null;
  /** What a limit of the engine dropped. */
  warnings: string[];
}

export interface Job<T> {
  jobId: string;
  status: "pending" | "success" | "failed";
  result: ExtractResult<T> | null;
  error: RefractrError | null;
}

export interface Account {
  accountId: string;
  name: string;
  credits: { available: number; held: number };
  limits: Record<string, number>;
}

export interface CallOptions {
  /** Milliseconds for the whole call, its retries and polling included; then RequestTimeoutError. */
  timeout?: number;
  /** Ends the call early; it rejects with the signal's reason. */
  signal?: AbortSignal;
}

export interface ExtractOptions extends CallOptions {
  /** Also tell where each value stands, in `fields`. */
  details?: boolean;
  /** The service posts the finished job there too; verifyWebhook checks it, with webhookSecretOf(apiKey). */
  webhookUrl?: string;
  /** Default: a new one for each call, the same for all its attempts. */
  idempotencyKey?: string;
}

export interface RefractrOptions {
  /** Default: the environment's REFRACTR_API_KEY. */
  apiKey?: string;
  /** Default: REFRACTR_BASE_URL, else http://127.0.0.1:8080. */
  baseUrl?: string;
  /** Of one request, on 429, 502, 503, 504 and connection faults. Default 4. */
  maxRetries?: number;
  fetch?: typeof globalThis.fetch;
}

export class Refractr {
  constructor(options?: RefractrOptions);
  /** Fills `template` from `text` (1 to 50,000 code points). Default timeout 120 s. */
  extract<const T extends Template | Schema<unknown>>(text: string, template: T, options?: ExtractOptions): Promise<ExtractResult<ResultOf<T>>>;
  /** The same by a job that is polled from 100 ms up to every 2 s. Default timeout 300 s. */
  extractAndWait<const T extends Template | Schema<unknown>>(text: string, template: T, options?: ExtractOptions): Promise<ExtractResult<ResultOf<T>>>;
  /** Hands the work in and returns at once; ask for the result with `get` or `wait`. */
  submit<const T extends Template | Schema<unknown>>(text: string, template: T, options?: ExtractOptions): Promise<Job<ResultOf<T>>>;
  /** What became of a job. Does not throw for a failed one. */
  get<T>(job: Job<T>, options?: CallOptions): Promise<Job<T>>;
  get<const T extends Template | Schema<unknown>>(jobId: string, options: CallOptions & { template: T }): Promise<Job<ResultOf<T>>>;
  get(jobId: string, options?: CallOptions): Promise<Job<Record<string, unknown>>>;
  /** Polls a job until it is done; throws its error if it failed. Default timeout 300 s. */
  wait<T>(job: Job<T>, options?: CallOptions): Promise<ExtractResult<T>>;
  wait<const T extends Template | Schema<unknown>>(jobId: string, options: CallOptions & { template: T }): Promise<ExtractResult<ResultOf<T>>>;
  wait(jobId: string, options?: CallOptions): Promise<ExtractResult<Record<string, unknown>>>;
  /** Credits and limits of the key's account. */
  account(options?: CallOptions): Promise<Account>;
}

export interface WebhookEvent {
  type: string;
  timestamp: string;
  data: Record<string, unknown>;
}

/** Returns the event, or rejects with WebhookVerificationError. payload: the raw body, before any JSON parser. */
export function verifyWebhook(
  payload: string | Uint8Array | ArrayBuffer,
  headers: Headers | Record<string, string | string[] | undefined>,
  secret: string,
  options?: { tolerance?: number },
): Promise<WebhookEvent>;

/** The secret that signs what is posted to the webhookUrl of an extraction made with this key. */
export function webhookSecretOf(apiKey: string): Promise<string>;

/** The template a Zod object schema stands for. Throws TemplateError, naming the field, for what a template cannot say. */
export function templateOf(schema: Schema<unknown>): Template;

/** Base of everything this package throws. */
export class RefractrError extends Error {
  /** Stable name of the fault, such as "document_too_long"; see docUrl. */
  readonly code: string | null;
  /** Dotted path of the request's member at fault. */
  readonly param: string | null;
  /** Names the request in the service's log; tell it when you ask for help. */
  readonly requestId: string | null;
  readonly docUrl: string | null;
  readonly status: number | null;
  /** The job this is about; it can still be polled. */
  readonly jobId: string | null;
  /** Seconds the service asked to wait. */
  readonly retryAfter: number | null;
}
export class InvalidRequestError extends RefractrError {}
export class AuthenticationError extends RefractrError {}
export class InsufficientCreditsError extends RefractrError {}
export class PermissionDeniedError extends RefractrError {}
export class NotFoundError extends RefractrError {}
export class ConflictError extends RefractrError {}
export class RateLimitError extends RefractrError {}
export class ServiceUnavailableError extends RefractrError {}
export class InternalServerError extends RefractrError {}
export class APIConnectionError extends RefractrError {}
export class RequestTimeoutError extends RefractrError {}
export class TemplateError extends RefractrError {}
export class WebhookVerificationError extends RefractrError {}
export class ResultValidationError extends RefractrError {
  /** The answer as the service gave it. */
  readonly data: Record<string, unknown>;
}
