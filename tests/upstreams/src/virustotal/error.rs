//! The documented errors: <https://docs.virustotal.com/reference/errors>.

use serde_json::json;

use crate::http::Response;

macro_rules! codes {
    ($($variant:ident = $name:literal, $status:literal, $message:literal;)+) => {
        /// A documented error code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Code {
            $(#[doc = concat!("`", $name, "`")] $variant,)+
        }

        impl Code {
            /// Every code.
            pub const ALL: &[Code] = &[$(Code::$variant),+];

            /// The code, as it is in the answer.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Code::$variant => $name),+ }
            }

            /// The HTTP status it comes with.
            #[must_use]
            pub fn status(self) -> u16 {
                match self { $(Code::$variant => $status),+ }
            }

            fn message(self) -> &'static str {
                match self { $(Code::$variant => $message),+ }
            }
        }
    };
}

codes! {
    BadRequest = "BadRequestError", 400, "Bad request";
    InvalidArgument = "InvalidArgumentError", 400, "Invalid argument";
    NotAvailableYet = "NotAvailableYet", 400, "The resource is not available yet, but will become available later";
    UnselectiveContentQuery = "UnselectiveContentQueryError", 400, "Content search query is not selective enough";
    UnsupportedContentQuery = "UnsupportedContentQueryError", 400, "Unsupported content search query";
    AuthenticationRequired = "AuthenticationRequiredError", 401, "X-Apikey header is missing";
    UserNotActive = "UserNotActiveError", 401, "User is not active";
    WrongCredentials = "WrongCredentialsError", 401, "Wrong API key";
    Forbidden = "ForbiddenError", 403, "You are not authorized to perform the requested operation";
    NotFound = "NotFoundError", 404, "Resource not found.";
    AlreadyExists = "AlreadyExistsError", 409, "The resource already exists";
    FailedDependency = "FailedDependencyError", 424, "The request depended on another request and that request failed";
    QuotaExceeded = "QuotaExceededError", 429, "Quota exceeded";
    TooManyRequests = "TooManyRequestsError", 429, "Too many requests";
    Transient = "TransientError", 503, "Transient server error. Retry might work.";
    DeadlineExceeded = "DeadlineExceededError", 504, "The operation took too long to complete";
}

/// One error answer.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    code: Code,
    message: String,
}

impl Failure {
    pub(super) fn new(code: Code, message: impl Into<String>) -> Self {
        Failure { code, message: message.into() }
    }

    pub(super) fn unknown_path() -> Self {
        Code::NotFound.into()
    }
}

impl From<Code> for Failure {
    fn from(code: Code) -> Self {
        Failure::new(code, code.message())
    }
}

impl From<Failure> for Response {
    fn from(failure: Failure) -> Self {
        let error = json!({ "code": failure.code.name(), "message": failure.message });
        Response::json(failure.code.status(), &json!({ "error": error }))
    }
}
