//! The one table of problem codes: what a client can be told, with which HTTP status, and what to do next.
//! `docs/ERRORS.md` is generated from it, and every problem+json (RFC 9457) takes its words from it.

use std::fmt;

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $status:literal, $title:literal, $advice:literal;)*) => {
        /// A stable problem code.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $title] $variant,)*
        }

        impl Code {
            /// All of them, in the table's order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable name, as in `"code"`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// The HTTP status it is answered with.
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }

            /// One line that says what is wrong.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }

            /// What the caller should do next.
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$variant => $advice,)* }
            }
        }
    };
}

codes! {
    MalformedJson = "malformed-json", 400, "The body is not the JSON object that this route takes",
        "Send one JSON object with exactly the documented members; no member may stand twice.";
    MalformedCommand = "malformed-command", 400, "The command is not a well-formed signed command",
        "Send a compact JWS whose header is exactly alg, kid and typ, and whose payload has exactly the documented fields.";
    MalformedToken = "malformed-token", 400, "The read token is not well formed",
        "Send `Authorization: Bearer` with a compact JWS of type chartseal-read+jwt and exactly the documented claims.";
    WrongCommand = "wrong-command", 400, "This route takes another type of command",
        "Compare the command's typ with the route's documentation.";
    PathMismatch = "path-mismatch", 400, "The signed command names another object than the path",
        "Send the command to the path of the object that it names.";
    BadId = "bad-id", 400, "The id is not a canonical ULID",
        "Ids are 26 upper-case Crockford characters, as the vault printed them.";
    BadPlace = "bad-place", 400, "The hash, height or tile in the path is not in its one spelling",
        "Hashes are 64 lower-case hex digits, heights are decimal without leading zeros, tiles are named as C2SP tlog-tiles says.";
    BadField = "bad-field", 400, "A field's value is out of its documented bounds",
        "See the bounds of the member that `field` names in docs/EVENT-LOG.md.";
    BadJti = "bad-jti", 400, "The command's jti is not a ULID of the time it was signed",
        "Make a new ULID for every command, with the current time.";
    PrivateMismatch = "private-mismatch", 400, "The private part does not match its commitments",
        "Send for every committed field its salt and value, and nothing else.";
    TooManyTerms = "too-many-terms", 400, "Too many search terms",
        "A record carries at most 32 terms; a query has at most 8 clauses of 8 terms each.";
    BadQuery = "bad-query", 400, "The query is not well formed",
        "A query is a JSON object {\"any\": [[token, ...], ...]}.";
    HeaderMismatch = "header-mismatch", 400, "The message header does not fit the record or the announcement",
        "Build the header from the wrapped key and context that the vault gave for this version, and announce the same message id and commitment.";
    BadBlindedElement = "bad-blinded-element", 400, "A blinded term is not a ristretto255 element",
        "Blind each term as RFC 9497 says and send the 32-byte elements in base64url.";
    MissingToken = "missing-token", 401, "This read needs a read token",
        "Send `Authorization: Bearer <token>`, signed by your wallet for this method and path.";
    BadAlgorithm = "bad-algorithm", 401, "Only EdDSA signatures are taken",
        "Sign with the wallet's Ed25519 key and alg exactly EdDSA.";
    SignatureInvalid = "signature-invalid", 401, "The signature does not verify",
        "Sign with the wallet that the kid names; if the wallet was rotated, connect it again.";
    UnknownSigner = "unknown-signer", 401, "Nobody with this kid may sign here",
        "Check the kid; register first, or ask an operator.";
    WrongAudience = "wrong-audience", 401, "Signed for another vault",
        "Set aud to this vault's origin, as GET /healthz gives it.";
    ClockSkew = "clock-skew", 401, "Signed too long ago, or in the future",
        "Correct the clock by the answer's Date header and sign again; a command is taken within 120 seconds of its iat.";
    TokenExpired = "token-expired", 401, "The read token has expired or lives too long",
        "Sign a new token with exp at most 60 seconds after iat.";
    TokenTarget = "token-target", 401, "The read token is for another method or path",
        "Set htm and htu to the request's method and path.";
    NotOperator = "not-operator", 403, "Only an operator of the vault may do this",
        "Use an operator's wallet.";
    NotMember = "not-member", 403, "The signer does not act for this provider",
        "Set act to the provider that the signer belongs to.";
    ProviderPending = "provider-pending", 403, "The provider has not been verified yet",
        "Wait until an operator of the vault has verified the registration.";
    ProviderSuspended = "provider-suspended", 403, "The provider is suspended",
        "Ask the vault's operators.";
    ApproverIsRequester = "approver-is-requester", 403, "Nobody decides on their own request",
        "Ask another operator.";
    NotFound = "not-found", 404, "There is no such thing, or you may not see it",
        "Check the id.";
    NoRoute = "no-route", 404, "There is no such route",
        "See docs/openapi.json.";
    Conflict = "conflict", 409, "Somebody else wrote to this first, again and again",
        "Send the same command again in a moment.";
    JtiReused = "jti-reused", 409, "The jti was used for another command",
        "Make a new ULID for every new command; to repeat one, send exactly the same bytes.";
    InvitationUsed = "invitation-used", 409, "The invitation has been used",
        "Ask an operator for a new invitation.";
    InvitationExpired = "invitation-expired", 410, "The invitation has expired",
        "Ask an operator for a new invitation.";
    WrongCode = "wrong-code", 403, "The invitation's code is wrong",
        "Copy the whole invitation as the operator gave it.";
    HeadMoved = "head-moved", 409, "The thing has changed since you looked at it",
        "Look at it again, and decide on what it is now.";
    AlreadyVerified = "already-verified", 409, "The provider is verified already",
        "Nothing is to be done.";
    NotRegistered = "not-registered", 409, "Nobody has registered on this invitation yet",
        "Wait for the registration.";
    AlreadySuspended = "already-suspended", 409, "The provider is suspended already",
        "Nothing is to be done.";
    OperatorExists = "operator-exists", 409, "This key is an operator's already",
        "Nothing is to be done.";
    LastOperator = "last-operator", 409, "A vault keeps at least one operator",
        "Add another operator first.";
    AuditorExists = "auditor-exists", 409, "This key is an auditor's already",
        "A key is an operator's or an auditor's, never both: remove the auditor first, or use another key.";
    NotAuditor = "not-auditor", 403, "Only an operator or an auditor of the vault may do this",
        "Use an operator's or an auditor's wallet.";
    VersionOpen = "version-open", 409, "The latest version is announced and may still arrive",
        "Upload it, or wait until its announcement has expired; then create the next one.";
    VersionUploaded = "version-uploaded", 409, "This version has been uploaded already",
        "Create a new version to change the record.";
    TooManyVersions = "too-many-versions", 409, "The record has as many versions as it can",
        "Create a new record.";
    TooManyAnnouncements = "too-many-announcements", 409, "Too many encryption runs were announced for this version",
        "Create a new record.";
    NotUploaded = "not-uploaded", 409, "There is nothing uploaded yet",
        "Wait until the upload is complete; a moment after the PUT is enough.";
    UploadMismatch = "upload-mismatch", 409, "The stored object is not what was announced",
        "Encrypt the file again and announce the new run.";
    UploadExpired = "upload-expired", 410, "The announced upload has expired",
        "Announce the upload again.";
    NotAnnounced = "not-announced", 409, "No such encryption run was announced for this version",
        "Announce the run first, and name the message id of its header.";
    NotInParts = "not-in-parts", 409, "This body is not uploaded in parts",
        "Send it with the one PUT that its announcement was answered with; announce it again for a fresh address.";
    UploadUnknown = "upload-unknown", 410, "There is no such multipart upload any more",
        "Ask for parts without an upload_id; a new upload begins, and the parts are sent again.";
    TooManyUploads = "too-many-uploads", 409, "Too many uploads of this body were begun and not completed",
        "Use the upload_id that an earlier answer gave, or wait until the announcement expires and announce the upload again.";
    UploadIncomplete = "upload-incomplete", 409, "Parts of the upload are missing or are not the announced ones",
        "Ask for every part's address again, send those that get one, and complete the upload once more.";
    OwnRecord = "own-record", 409, "The record belongs to your own provider",
        "Download it as its owner; no request is needed.";
    NotVerifiedYet = "request-not-verified", 409, "The requester is still being verified",
        "Try again in a moment.";
    AlreadyDecided = "already-decided", 409, "The request has been decided",
        "Look at its status.";
    NotApproved = "not-approved", 409, "The request has not been approved",
        "Wait for the operators' decision.";
    RequestDenied = "request-denied", 403, "The request was denied",
        "Ask the operators, or request again with a better justification.";
    RequestExpired = "request-expired", 410, "The request has expired undecided",
        "Request again.";
    GrantOver = "grant-over", 410, "The grant is over",
        "Request access again.";
    TooMuchEvidence = "too-much-evidence", 409, "The history behind this is larger than one answer can carry",
        "Keep further versions under a new record; a record's stream is shown whole until there are inclusion proofs.";
    BodyTooLarge = "body-too-large", 413, "The body is larger than this route takes",
        "See the limits in docs/EVENT-LOG.md.";
    UploadTooLarge = "upload-too-large", 413, "The encrypted body is larger than an upload takes",
        "An encrypted body has at most 625 GiB (10,000 parts of 64 MiB): cut the file into several records.";
    TooManyRequests = "too-many-requests", 429, "The provider's rate limit is reached",
        "Wait a minute.";
    QueryTooBroad = "query-too-broad", 400, "A term of the query is on too many records",
        "Add another term to the clause.";
    Internal = "internal", 500, "Something went wrong in the vault",
        "Send the same request again; if it stays, give the request_id to the operators.";
    Unavailable = "unavailable", 503, "A service that the vault needs did not answer",
        "Send the same request again in a moment; nothing is lost or done twice.";
}

impl Code {
    /// The code of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.name() == name)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A refusal: nothing happened, and this is why. `field` names the member that is at fault, where there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}{}", code.title(), field.map(|name| format!(" ({name})")).unwrap_or_default())]
pub struct Refusal {
    /// The stable code.
    pub code: Code,
    /// The member at fault.
    pub field: Option<&'static str>,
}

impl Refusal {
    /// A refusal that names the field at fault.
    pub const fn field(code: Code, field: &'static str) -> Self {
        Self { code, field: Some(field) }
    }
}

impl From<Code> for Refusal {
    fn from(code: Code) -> Self {
        Self { code, field: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_statuses_are_errors() {
        for (index, code) in Code::ALL.iter().enumerate() {
            assert!(Code::ALL[..index].iter().all(|other| other.name() != code.name()), "{code}");
            assert!((400..600).contains(&code.status()));
            assert!(code.name().bytes().all(|b| b.is_ascii_lowercase() || b == b'-'));
            assert_eq!(Code::from_name(code.name()), Some(*code));
        }
    }
}
