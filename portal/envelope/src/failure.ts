// What opening can end in. The names are those of docs/ENVELOPE.md, "Reading, in order"; the frozen vectors use them too.

/** A failure's stable name. */
export type FailureCode =
  | "announced-suite"
  | "announced-body-too-large"
  | "announced-impossible-length"
  | "header-too-long"
  | "header-truncated"
  | "header-format-version"
  | "header-suite"
  | "header-context-pairs"
  | "header-context-value"
  | "header-not-text"
  | "header-key-count"
  | "header-wrapped-key"
  | "header-content-type"
  | "header-frame-bytes"
  | "header-trailing-bytes"
  | "wrong-message"
  | "commitment-mismatch"
  | "wrong-frame-bytes"
  | "wrong-context"
  | "wrong-key"
  | "header-tampered"
  | "truncated"
  | "frame-out-of-order"
  | "frame-wrong-iv"
  | "final-frame-too-long"
  | "frame-tampered"
  | "trailing-bytes"
  | "body-length-mismatch"
  | "range-of-another"
  | "frames-root-mismatch"
  | "parts-root-mismatch"
  | "binding-too-long"
  | "sealed-key-not-opened";

/** Why a message or a sealed key is not good. What was shown of the plaintext must be thrown away. */
export class EnvelopeError extends Error {
  readonly code: FailureCode;

  constructor(code: FailureCode, message: string) {
    super(message);
    this.name = "EnvelopeError";
    this.code = code;
  }
}
