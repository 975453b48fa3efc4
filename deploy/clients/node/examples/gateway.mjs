// A small gateway, as the conformance kit drives it: `vestibule-gateway-test -- node gateway.mjs`. What a real gateway
// stores, shows and answers, this one writes down: one line for each line that it reads.
import { randomBytes, timingSafeEqual } from "node:crypto";
import { createInterface } from "node:readline";
import { Client } from "@vestibule/client";

const vestibule = new Client(process.env.VESTIBULE_TARGET, { deadlineS: Number(process.env.VESTIBULE_DEADLINE_S) });

// One login: what Vestibule was asked, and what is waited for.
class Login {
  constructor(tenantId, event) {
    Object.assign(this, { tenantId, event, waiting: undefined, state: "", passed: [], presented: false });
  }

  async begin() {
    return this.follow(await vestibule.decide(this.tenantId, this.event));
  }

  // Do the next step, up to where the user is needed.
  follow({ step }) {
    this.passed = [];
    this.waiting = step.kind === "issueTokens" || step.kind === "refuse" ? undefined : step;
    switch (step.kind) {
      case "issueTokens":
        return [...written(step.onAnyOutcome), ...remembered(step.renew), ...tokens(step.onSuccess, this.presented)];
      case "showFactors":
        return [...written(step.onAnyOutcome), ...(step.mfa.verifyEmailFirst ? VERIFY_EMAIL : factors(step.mfa))];
      case "answerMfaRequired": {
        const { challenge, enroll } = step.mfa;
        return [...written(step.onAnyOutcome), { answer: "mfa_required", status: step.httpStatus, challenge, enroll }];
      }
      case "showSteps":
        return step.verifyEmailFirst ? VERIFY_EMAIL : shown(step, 0);
      case "answerMfaRequiredWithSteps": {
        const steps = step.steps.map(({ kind, factors }) => ({ [kind]: factors.map(({ factor }) => factor) }));
        return [{ answer: "mfa_required", status: step.httpStatus, steps }];
      }
      case "redirectUser":
        this.state = randomBytes(16).toString("hex");
        return [{ show: "redirect", url: withState(step.url, this.state) }];
      case "showForm":
        return [{ show: "form", id: step.id, fields: step.fields, vars: step.vars }];
      default:
        return [...written(step.onAnyOutcome), refused(step)];
    }
  }

  // Do what follows from what the user did.
  async user(did) {
    const step = this.waiting;
    if (did.failed) {
      this.waiting = undefined;
      return [{ answer: "error", error: "access_denied", status: 403 }];
    }
    switch (step?.kind) {
      case "showFactors": {
        if (did.verified_email) {
          return factors(step.mfa);
        }
        const automatic = step.mfa.remember === "REMEMBER_MODE_AUTOMATIC";
        const ticked = step.mfa.remember === "REMEMBER_MODE_CHECKBOX" && did.remember;
        const { provider, memory, recordsAmr } = step.mfa;
        const verified = { provider, email_only: did.passed.every((factor) => factor === "FACTOR_EMAIL") };
        return [...remembered(automatic || ticked ? memory : undefined, verified), ...tokens(step.onSuccess, recordsAmr)];
      }
      case "answerMfaRequired":
        return tokens(step.onSuccess);
      case "showSteps":
        if (did.verified_email) {
          return shown(step, 0);
        }
        this.passed.push(...did.passed);
        if (this.passed.length < step.steps.length) {
          return shown(step, this.passed.length);
        }
        this.presented = true; // on a page, so that the ID token says so
        return this.resume(step, this.event);
      case "answerMfaRequiredWithSteps":
        this.passed.push(...did.passed);
        return this.resume(step, this.event);
      case "redirectUser": {
        const { state, query = {} } = did.returned;
        if (state.length !== this.state.length || !timingSafeEqual(Buffer.from(state), Buffer.from(this.state))) {
          return [{ answer: "error", error: "invalid_request", status: 400 }];
        }
        return this.resume(step, { ...this.event, request: { ...this.event.request, query } });
      }
      case "showForm":
        return this.resume(step, { ...this.event, prompt: { id: step.id, ...did.filled } });
      default:
        return [];
    }
  }

  async resume({ resume }, event) {
    return this.follow(await vestibule.resume(this.tenantId, event, resume.continuation, this.passed));
  }
}

const VERIFY_EMAIL = [{ show: "verify_email" }];

// Write what is written whatever follows.
function written({ userMetadata, appMetadata, transactionMetadata, session, refreshToken }) {
  const groups = {
    user_metadata: userMetadata,
    app_metadata: appMetadata,
    transaction_metadata: transactionMetadata,
    session: session && changes(session),
    refresh_token: refreshToken && changes(refreshToken),
  };
  const all = Object.entries(groups).map(([write, members]) => ({ write, members }));
  return all.filter(({ members }) => Object.keys(members ?? {}).length > 0);
}

// What is changed, without what stays as it is.
function changes(said) {
  const members = Object.entries(said).filter(([, value]) => value && value !== "COOKIE_MODE_UNSPECIFIED");
  const plain = (value) => (value instanceof Date ? value.toISOString().replace(".000Z", "Z") : value);
  const snake = (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return Object.fromEntries(members.map(([name, value]) => [snake(name), plain(value)]));
}

// Remember the browser, or renew that: then who verified the factor stays as it is.
function remembered(memory, verified = {}) {
  const lifetimes = memory && { lifetime_s: memory.lifetimeS, idle_lifetime_s: memory.idleLifetimeS };
  return memory ? [{ remember: "browser", ...lifetimes, ...verified }] : [];
}

// Show the pages of a required factor.
function factors(mfa) {
  const options = Object.entries(mfa.providerOptions ?? {}).filter(([, value]) => value !== undefined);
  return [
    ...(mfa.forgetRememberedBrowser ? [{ forget: "browsers" }] : []),
    {
      show: "factors",
      provider: mfa.provider,
      provider_options: Object.fromEntries(options),
      challenge: mfa.challenge,
      enroll: mfa.enroll,
      choice: mfa.choice,
      recovery_code_allowed: mfa.recoveryCodeAllowed,
      remember: mfa.remember,
    },
  ];
}

// Show one of the steps that an action asked for.
function shown(step, number) {
  const { kind, factors, choice } = step.steps[number];
  const methods = factors.map(({ preferredMethod }) => preferredMethod);
  return [
    {
      show: kind,
      factors: factors.map(({ factor }) => factor),
      choice,
      otp_fallback: factors.every(({ otpFallback }) => otpFallback),
      preferred_method: methods.find((method) => method !== "PHONE_METHOD_UNSPECIFIED"),
      hide_remember_browser: step.hideRememberBrowser,
    },
  ];
}

// Apply what is applied on success, and issue tokens.
function tokens(effects, amr = false) {
  const writes = { recorded_methods: effects.recordedMethods, primary_user_id: effects.primaryUserId };
  return [
    ...Object.entries(writes).map(([write, members]) => ({ write, members })),
    {
      answer: "tokens",
      id_token_claims: effects.idTokenClaims,
      access_token_claims: effects.accessTokenClaims,
      scopes_added: effects.scopesAdded,
      scopes_removed: effects.scopesRemoved,
      amr: amr ? ["mfa"] : null,
    },
  ];
}

function refused({ oauthError, httpStatus, description, validationCode }) {
  return { answer: "error", error: oauthError, status: httpStatus, description, validation_code: validationCode };
}

// Append the state to the query of a page's address.
function withState(url, state) {
  const [page, fragment] = url.split(/(?=#)/, 2);
  return `${page}${page.includes("?") ? "&" : "?"}state=${state}${fragment ?? ""}`;
}

let login;
for await (const line of createInterface({ input: process.stdin })) {
  const said = JSON.parse(line);
  if (said.login) {
    login = new Login(said.login.tenant_id, said.login.event);
  }
  const did = await (said.login ? login.begin() : login.user(said.user));
  process.stdout.write(`${JSON.stringify({ did })}\n`);
}
vestibule.close();
