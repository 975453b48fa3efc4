/** A client of Vestibule for identity gateways: what to do with a login, as one of eight steps. */

export type { Retries } from "./attempts.js";
export type { ApiKey, Tls } from "./channel.js";
export { type Beside, Client, type Decided, type Options } from "./client.js";
export { type Failure, NoAnswer, RequestRefused, VestibuleError } from "./errors.js";
export type { Event, Fallback } from "./fallback.js";
export * from "./generated/vestibule/v1/decision.js";
export * from "./generated/vestibule/v1/event.js";
export * from "./generated/vestibule/v1/runtime_service.js";
export {
  type AnswerMfaRequired,
  type AnswerMfaRequiredWithSteps,
  type IssueTokens,
  type Memory,
  type MfaStep,
  type NextStep,
  type Option,
  type RedirectUser,
  type Refuse,
  type Requirement,
  type Resume,
  type ShowFactors,
  type ShowForm,
  type ShowSteps,
  nextStep,
} from "./steps.js";
