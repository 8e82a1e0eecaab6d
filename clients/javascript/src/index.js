/* Client of Refractr for Node 18 and newer and for browsers; no dependencies. Types: index.d.ts. */
export { Refractr } from "./client.js";
export {
  APIConnectionError,
  AuthenticationError,
  ConflictError,
  InsufficientCreditsError,
  InternalServerError,
  InvalidRequestError,
  NotFoundError,
  PermissionDeniedError,
  RateLimitError,
  RefractrError,
  RequestTimeoutError,
  ResultValidationError,
  ServiceUnavailableError,
  TemplateError,
  WebhookVerificationError,
} from "./errors.js";
export { templateOf } from "./template.js";
export { verifyWebhook, webhookSecretOf } from "./webhooks.js";
