//! What the loader demands of a manifest: one variant for each rule.

use crate::manifest::{
    ArgumentName, ContractName, DimensionName, Effect, SecretName, UpstreamName, address::AddressError, image::ImageError,
    pattern::PatternError, pointer::InvalidPointer, schema::SchemaError, text::TextError,
};

/// A rule that a manifest breaks, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {rule}")]
pub struct RuleError {
    /// The place in the manifest, as its keys: `upstream.server.request.list-agents.path`.
    pub at: String,
    /// What is wrong there.
    pub rule: Rule,
}

/// One rule of the loader.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rule {
    // Identity.
    /// Releases count from 1, so that 0 can mean "none yet".
    #[error("the release is 0\nhelp: releases count from 1 and grow with every package that is published")]
    ReleaseZero,
    /// More than every JSON and TOML reader keeps exactly.
    #[error("the release is {release}, and at most {max} is allowed")]
    ReleaseTooHigh {
        /// As stated.
        release: u64,
        /// 2^53 - 1 (RFC 8259, section 6).
        max: u64,
    },
    /// Not an SPDX expression.
    #[error("`{0}` is not an SPDX licence expression\nhelp: for example `Apache-2.0` or `MIT OR Apache-2.0`")]
    License(String),
    /// Not an `https` address.
    #[error("`{0}` is not an https address where the source can be read")]
    Source(String),
    /// Not `casemate:plugin@` and a version.
    #[error("`{0}` is not a version of the plugin interface\nhelp: it has the form `casemate:plugin@0.1.0`")]
    Wit(String),
    /// Not 64 lower-case hex digits.
    #[error("the component's digest is not 64 lower-case hex digits")]
    ComponentDigest,
    /// Nothing, or more than the cap.
    #[error("the component is {size} bytes\nhelp: a component has 1 to {max} bytes")]
    ComponentSize {
        /// As stated.
        size: u64,
        /// The cap.
        max: u64,
    },
    /// Not 64 lower-case hex digits.
    #[error("the digest of the dependencies is not 64 lower-case hex digits")]
    SbomDigest,
    /// A number that canonical JSON does not write as itself.
    #[error("`{0}` is beyond 2^53, where numbers are not exact in JSON\nhelp: write it as a string, or choose a smaller one")]
    InexactNumber(String),
    /// Not `package:name/interface@version`.
    #[error("`{0}` is not an interface\nhelp: it has the form `package:name/interface@version`")]
    Import(String),
    /// There is nothing to call.
    #[error("the plugin has no tools")]
    NoTools,
    /// More of something than anyone can review.
    #[error("{count} {what}, and at most {max} are allowed")]
    TooMany {
        /// In plural.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// The bound.
        max: usize,
    },
    /// A text a person or a model would read.
    #[error(transparent)]
    Text(#[from] TextError),

    // Limits.
    /// Zero would mean "never", or worse, "no limit".
    #[error("the limit `{0}` is zero\nhelp: leave it out for the host's default")]
    LimitZero(&'static str),
    /// More than any host gives.
    #[error("the limit `{name}` is {value}, and no host gives more than {max}")]
    LimitTooHigh {
        /// Which limit.
        name: &'static str,
        /// What is asked for.
        value: u64,
        /// The hard cap.
        max: u64,
    },

    // Upstreams and credentials.
    /// Not `scheme://host[:port]`.
    #[error(
        "`{0}` is not an origin\nhelp: write `https://host` or `https://host:port`, in lower case and without a path, or `operator`"
    )]
    OriginForm(String),
    /// Unencrypted, and not this machine.
    #[error("`{0}` is not encrypted\nhelp: only loopback origins may use http")]
    OriginInsecure(String),
    /// Two upstreams a request could be meant for.
    #[error("the upstream `{0}` has the same origin\nhelp: make them one upstream")]
    OriginShared(UpstreamName),
    /// A default for what is not the operator's to choose.
    #[error("a default origin is given, but the origin is fixed\nhelp: a default belongs to `origin = \"operator\"`")]
    DefaultOriginOnFixed,
    /// Nobody's database is the same everywhere.
    #[error("where a database is, the operator says\nhelp: write `origin = \"operator\"`, without a default")]
    DatabaseOrigin,
    /// A database is asked as somebody.
    #[error(
        "a database needs a user and a password\nhelp: write `credential = {{ username = \"user\", secret = \"password\" }}`, both names of secrets"
    )]
    DatabaseCredential,
    /// Not what the host makes a statement of.
    #[error(
        "this is no request to a database\nhelp: it is a POST with effect `read` to `/{{database}}`, with a closed body of `application/json`, and without query and headers"
    )]
    DatabaseRequest,
    /// A session has no place for what is signed, exchanged, or in a URL.
    #[error(
        "a session of MCP cannot send this credential\nhelp: use one that stands in a header: `header`, `scheme`, or `username` and `secret`"
    )]
    McpCredential,
    /// Not one call of one tool.
    #[error(
        "this is no call of a tool over MCP\nhelp: it is a POST to a path without parameters, with a closed body of `application/json` which requires `/jsonrpc` = \"2.0\", `/id`, `/method` = \"tools/call\" and `/params/name`, and without query and headers"
    )]
    McpRequest,
    /// A credential needs a secret that is not declared.
    #[error("the secret `{0}` is not declared")]
    UnknownSecret(SecretName),
    /// The operator would be asked for something nothing uses.
    #[error("the secret `{0}` is used by no credential")]
    UnusedSecret(SecretName),
    /// Not a header a credential can be put in.
    #[error("`{0}` cannot carry a credential\nhelp: use a lower-case header name that the host does not set itself")]
    CredentialHeader(String),
    /// Not an authentication scheme.
    #[error("`{0}` is not an authentication scheme")]
    CredentialScheme(String),
    /// Not a query parameter's name.
    #[error("`{0}` is not the name of a query parameter")]
    CredentialQuery(String),
    /// The component could send what only the host may.
    #[error("`{0}` carries the credential, so the component may not send it\nhelp: remove it from the contract")]
    CredentialSendable(String),
    /// Not what can stand before every path.
    #[error(
        "`{0}` cannot stand before every path\nhelp: write `/` before each segment and none at the end, and `{{secret}}` once: `/bot{{secret}}`"
    )]
    CredentialPath(String),
    /// A setting that the operator is not asked for.
    #[error("the setting `{0}` is not a string that the settings' schema requires")]
    UnknownSetting(String),
    /// The scope of a signature is no secret.
    #[error(
        "a region or service is a text or a setting\nhelp: write `region = \"eu-west-1\"` or `region = {{ setting = \"region\" }}`"
    )]
    SigningScope,
    /// A token exchange that needs an upstream which is not there.
    #[error("the upstream `{0}` is not declared")]
    UnknownUpstream(UpstreamName),
    /// A token has one place.
    #[error("a token goes into one place\nhelp: give either `scheme` or `header`")]
    TokenPlace,
    /// How long a token is good is read from one place.
    #[error("how long a token is good is said twice\nhelp: give either `lifetime` or `expires`")]
    TokenLifetime,
    /// A token that is never good, or nearly for ever.
    #[error("a token is good for {0} seconds\nhelp: at least 1, at most {max}", max = super::credential::MAX_LASTS)]
    TokenLasts(u64),
    /// An exchange has to prove something.
    #[error("the token exchange sends no secret")]
    ExchangeWithoutSecret,
    /// The component could get a token itself.
    #[error(
        "the contract `{0}` lets the component send what only the host may: the request for a token\nhelp: remove the contract"
    )]
    ExchangeSendable(ContractName),
    /// What is left out would be missed.
    #[error("the secret `{0}` cannot be optional\nhelp: only the session token of a signature can")]
    OptionalSecret(SecretName),
    /// What the host sends by itself has to be harmless, and always the same.
    #[error(
        "a probe is a GET or HEAD that only reads, with nothing to fill in\nhelp: no parameters, no required places but fixed ones, no scope"
    )]
    Probe,
    /// Which one would be sent?
    #[error("the upstream has more than one probe")]
    ManyProbes,

    // Request contracts.
    /// An upstream nothing may be sent to.
    #[error("the upstream has no request contracts")]
    NoContracts,
    /// Two contracts with one name.
    #[error("the request contract `{0}` is declared twice")]
    DuplicateContract(ContractName),
    /// Authority nobody needs.
    #[error("the request contract `{0}` is used by no tool\nhelp: remove it; what is declared can be granted")]
    UnusedContract(ContractName),
    /// Not a path a gate can compare.
    #[error("`{path}` is not a path template: {why}")]
    Path {
        /// As written.
        path: String,
        /// What is wrong with it.
        why: PathFault,
    },
    /// A parameter that would accept anything.
    #[error("the path parameter `{0}` has no pattern")]
    ParameterWithoutPattern(String),
    /// A pattern for nothing.
    #[error("there is a pattern for `{0}`, which the path does not have")]
    PatternWithoutParameter(String),
    /// A pattern that cannot hold.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// A parameter that could change which path is meant.
    #[error("the pattern of `{parameter}` accepts `{value}`, which changes the path\nhelp: name the characters it may have")]
    PatternEscapes {
        /// The path parameter.
        parameter: String,
        /// What it accepts.
        value: &'static str,
    },
    /// Not a header the component may send.
    #[error(
        "the header `{0}` is not the component's to send\nhelp: use a lower-case name of a header the host does not set itself"
    )]
    HeaderReserved(String),
    /// Not a name.
    #[error("`{0}` is not a parameter or field name")]
    FieldName(String),
    /// A method that may change something, without saying what.
    #[error("a {0} request does not state its effect\nhelp: only GET and HEAD default to `read`")]
    EffectMissing(&'static str),
    /// A search API, or a mistake.
    #[error("a {0} request says it is a `read`, and not why\nhelp: add `reason = \"…\"`; reviewers see it")]
    ReadWithoutReason(&'static str),
    /// Nothing limits what it may hit.
    #[error("a request with effect `{0}` binds no scope dimension")]
    EffectWithoutScope(Effect),
    /// A write that says nothing about its target.
    #[error("a request with effect `write` binds no scope dimension\nhelp: bind one, or write `scope = \"none\"` with a reason")]
    WriteWithoutScope,
    /// "No target" without a why.
    #[error("`scope = \"none\"` has no reason\nhelp: add `reason = \"…\"`; reviewers see it")]
    NoScopeWithoutReason,
    /// "No target", and a target.
    #[error("`scope = \"none\"`, but a requirement names a scope dimension")]
    NoScopeButRequired,
    /// `scope = {}` says nothing.
    #[error("the scope is empty\nhelp: bind a dimension, write `\"none\"`, or leave it out")]
    EmptyScope,
    /// Bound or required, and not declared.
    #[error("the scope dimension `{0}` is not declared")]
    UnknownDimension(DimensionName),
    /// The operator would be asked to grant what limits nothing.
    #[error("the scope dimension `{0}` is bound by nothing")]
    UnusedDimension(DimensionName),
    /// A place the request does not have.
    #[error("`{0}` is not a parameter of the path")]
    PlaceNotInPath(String),
    /// A place the request does not have.
    #[error("the query parameter `{0}` is not declared\nhelp: add it to `query`, with a pattern")]
    PlaceNotInQuery(String),
    /// A place the request does not have.
    #[error("the header `{0}` is not declared\nhelp: add it to `headers`, with a pattern")]
    PlaceNotInHeaders(String),
    /// A place the body does not have.
    #[error("a place in a JSON body, but the content type is not `application/json`")]
    PlaceNotJson,
    /// A place the body does not have.
    #[error("a field of a form, but the content type is not `application/x-www-form-urlencoded`")]
    PlaceNotForm,
    /// Not a pointer.
    #[error(transparent)]
    Pointer(#[from] InvalidPointer),
    /// Not a media type.
    #[error("`{0}` is not a media type\nhelp: write it in lower case and without parameters, such as `application/json`")]
    ContentType(String),
    /// RFC 9110, section 9.3.1: a body there has no meaning, and servers disagree about it.
    #[error("a {0} request has a body")]
    BodyOnSafeMethod(&'static str),
    /// The gate would have to read what it cannot parse.
    #[error(
        "`{0}` speaks of a body that the gate does not parse\nhelp: only `application/json` and `application/x-www-form-urlencoded` are parsed"
    )]
    BodyNotParsed(&'static str),
    /// Not a string, integer or boolean.
    #[error("a requirement is neither a string, an integer, a boolean, nor one of `sha256`, `scope`, `pattern` and `from`")]
    Requirement,
    /// Not 64 lower-case hex digits.
    #[error("the required digest is not 64 lower-case hex digits")]
    RequirementDigest,
    /// Targets nowhere, or all in one.
    #[error("the pattern has no group `(?<targets>…)` that every match has once, or nothing stands between two targets")]
    RequirementTargets,
    /// Nothing can match.
    #[error("`{0}` is forbidden, but the contract needs it")]
    ForbidsNeeded(String),
    /// Which one a request is meant for would be a guess.
    #[error(
        "a request could match both `{0}` and this contract\nhelp: tell them apart by method, path, content type, or a `require` that differs; what is allowed or forbidden besides tells nothing apart"
    )]
    Overlap(ContractName),

    // What a read establishes.
    /// Not a contract of the same upstream.
    #[error("`from` names `{0}`, which is no request contract of the same upstream")]
    FromUnknown(ContractName),
    /// Asking would change something, or ask more than the gate can name.
    #[error("`from` names `{0}`, which is not a GET with effect `read` and without a body")]
    FromNotRead(ContractName),
    /// Its answer would be about nothing in particular.
    #[error("`from` names `{0}`, whose path has no parameter\nhelp: name the read of one thing, such as `/agents/{{paw}}`")]
    FromWithoutParameter(ContractName),
    /// A read whose own target another read establishes.
    #[error("`{0}` is named by a `from`, and has a `from` itself\nhelp: bind its target to a place in its request")]
    FromChained(ContractName),
    /// Which of the read's answers is meant would be open.
    #[error(
        "`key` does not say where the path parameter `{parameter}` of `{read}` is in this request\nhelp: add `{parameter} = {{ body = \"/…\" }}` to `key`"
    )]
    KeyMissing {
        /// The read.
        read: ContractName,
        /// Its parameter.
        parameter: String,
    },
    /// A key that the read does not have.
    #[error("`key` names `{parameter}`, which is no path parameter of `{read}`")]
    KeyUnknown {
        /// The read.
        read: ContractName,
        /// What is named.
        parameter: String,
    },

    // Plans.
    /// A read is sent in a dry run, too.
    #[error("`assume` on a request with effect `read`\nhelp: remove it; a dry run sends what only reads")]
    AssumeOnRead,
    /// Not an answer to a request that was carried out.
    #[error("the assumed status is {0}\nhelp: it is 200 to 299")]
    AssumeStatus(u16),
    /// More than anyone reads.
    #[error("the assumed body is {bytes} bytes\nhelp: at most {max} are allowed; leave out what the component does not read")]
    AssumeBody {
        /// As compact JSON.
        bytes: usize,
        /// The bound.
        max: usize,
    },
    /// A plan has no reads in it.
    #[error("`volatile` on a request with effect `read`\nhelp: remove it; a plan lists only what changes something")]
    VolatileOnRead,
    /// What limits a request could be anything.
    #[error("`{0}` is volatile, but a target, a requirement or a key is there")]
    VolatileHeld(String),
    /// A place that nobody reviewed.
    #[error("`{0}` is volatile, but the contract does not allow it by name\nhelp: add it to `allow.body`")]
    VolatileNotAllowed(String),

    // Tools.
    /// Longer than clients accept.
    #[error("the tool is served as `{0}`, which is longer than 64 characters")]
    ServedName(String),
    /// A contract that is not declared.
    #[error("the request contract `{0}` is not declared")]
    UnknownContract(ContractName),
    /// A tool that would understate what it does.
    #[error("the tool's effect is `{tool}`, but its request `{contract}` has effect `{request}`")]
    EffectBelowRequest {
        /// The tool's.
        tool: Effect,
        /// A contract with more.
        contract: ContractName,
        /// That contract's.
        request: Effect,
    },
    /// Arguments could not be checked against the grant before the tool runs.
    #[error(
        "the request `{contract}` binds the scope dimension `{dimension}`, but the tool does not\nhelp: add `scope.{dimension} = {{ argument = \"/…\" }}`"
    )]
    DimensionNotBound {
        /// Which contract binds it.
        contract: ContractName,
        /// The dimension.
        dimension: DimensionName,
    },
    /// What the request is held against could never be known.
    #[error(
        "the request `{contract}` needs what `{read}` establishes, and the tool may not send that\nhelp: add `{read}` to the tool's `requests`"
    )]
    FromNotUsable {
        /// Which contract needs it.
        contract: ContractName,
        /// The read.
        read: ContractName,
    },
    /// A target that no argument can hold.
    #[error("the input schema has no argument at `{0}`")]
    UnknownArgument(String),
    /// The arguments' schema.
    #[error("input schema: {0}")]
    InputSchema(SchemaError),
    /// The result's schema.
    #[error("output schema: {0}")]
    OutputSchema(SchemaError),
    /// The settings' schema.
    #[error("settings: {0}")]
    Settings(SchemaError),

    // Prompts.
    /// Longer than clients accept.
    #[error("the prompt is served as `{0}`, which is longer than 64 characters")]
    ServedPrompt(String),
    /// Two arguments with one name.
    #[error("the argument `{0}` is declared twice")]
    DuplicateArgument(ArgumentName),
    /// A place that nothing fills.
    #[error(
        "`{{{0}}}` stands in the text, and no argument has that name\nhelp: declare it, or write `{{{{` and `}}}}` for braces"
    )]
    UndeclaredArgument(String),
    /// A person would be asked for what is not used.
    #[error("the argument `{0}` does not stand in the text\nhelp: write `{{{0}}}` where it belongs, or remove it")]
    UnusedArgument(String),
    /// A text that falls into no parts.
    #[error(
        "a brace in the text is neither doubled nor around the name of an argument\nhelp: write `{{{{` for `{{` and `}}}}` for `}}`"
    )]
    StrayBrace,
    /// The same value twice.
    #[error("the value `{0}` is given twice")]
    DuplicateValue(String),
    /// An address that would be believed to lead elsewhere.
    #[error("the address is neither https nor one of the plugin's own: {0}")]
    Address(AddressError),
    /// What goes with a prompt is text or a picture.
    #[error("`{0}` is not the media type of a text\nhelp: for example `text/plain` or `application/json`; HTML is none")]
    TextType(String),

    // Pictures.
    /// No picture, or more of one than is signed.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// More than a manifest carries.
    #[error("the pictures are {bytes} bytes together, and at most {max} are allowed")]
    PictureBytes {
        /// As they are.
        bytes: usize,
        /// The bound.
        max: usize,
    },
}

/// What is wrong with a path template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathFault {
    /// Relative.
    #[error("it does not start with `/`")]
    NotAbsolute,
    /// `//`, or a `/` at the end.
    #[error("it has an empty segment")]
    EmptySegment,
    /// `.` or `..`.
    #[error("it has a dot segment")]
    DotSegment,
    /// A character that has to be escaped, or means something else.
    #[error("it has a character other than letters, digits and `-._~!$&'()*+,=:@`")]
    Character,
    /// Braces that are not a whole segment, or whose content is not a name.
    #[error("a parameter is a whole segment `{{name}}`, where name has the form ^[a-z][a-z0-9_]{{0,38}}$")]
    Parameter,
    /// The same parameter twice.
    #[error("a parameter appears twice")]
    DuplicateParameter,
}
