/* What can go wrong, as classes. The service's errors are told apart by their `type`; every class has the same members,
 * null where there is nothing to say. */

export class RefractrError extends Error {
  constructor(message, told = {}) {
    super(message, told.cause === undefined ? undefined : { cause: told.cause });
    this.name = new.target.name;
    this.code = told.code ?? null;
    this.param = told.param ?? null;
    this.requestId = told.requestId ?? null;
    this.docUrl = told.docUrl ?? null;
    this.status = told.status ?? null;
    this.jobId = told.jobId ?? null;
    this.retryAfter = told.retryAfter ?? null;
  }
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

/* The answer does not fit the schema; `data` holds it as the service gave it, `cause` is the schema's own error. */
export class ResultValidationError extends RefractrError {
  constructor(message, told) {
    super(message, { ...told, code: "result_mismatch" });
    this.data = told.data;
  }
}

const BY_TYPE = {
  invalid_request_error: InvalidRequestError,
  authentication_error: AuthenticationError,
  payment_required: InsufficientCreditsError,
  permission_error: PermissionDeniedError,
  not_found_error: NotFoundError,
  conflict_error: ConflictError,
  rate_limit_error: RateLimitError,
  service_unavailable: ServiceUnavailableError,
  timeout_error: RequestTimeoutError,
  api_error: InternalServerError,
};

/* For answers without a body of ours, such as a proxy's. */
const BY_STATUS = {
  401: AuthenticationError,
  402: InsufficientCreditsError,
  403: PermissionDeniedError,
  404: NotFoundError,
  409: ConflictError,
  429: RateLimitError,
  502: ServiceUnavailableError,
  503: ServiceUnavailableError,
  504: RequestTimeoutError,
};

/* The error an answer tells. body: its JSON, {error, job_id?}, or {}. */
export function errorFrom(body, status, { retryAfter, requestId } = {}) {
  const told = body?.error ?? {};
  const fallback = BY_STATUS[status] ?? (status >= 400 && status < 500 ? InvalidRequestError : InternalServerError);
  const Kind = Object.hasOwn(BY_TYPE, told.type ?? "") ? BY_TYPE[told.type] : fallback;
  return new Kind(told.message ?? `The service answered ${status} without saying why.`, {
    code: told.code,
    param: told.param,
    requestId: told.request_id ?? requestId,
    docUrl: told.doc_url,
    status,
    jobId: body?.job_id,
    retryAfter,
  });
}
