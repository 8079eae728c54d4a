//! The ways an upstream can misbehave: [`Misbehaviour`] says which, [`act`] does it.

mod act;
mod bomb;
mod reflect;

use serde::Deserialize;

pub use act::{After, Scene, act};

/// One misbehaviour. Fields that a kind does not use are ignored; each has a default.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Misbehaviour {
    /// Which one.
    pub kind: Kind,
    /// Milliseconds to wait, once or between bytes.
    pub ms: Option<u64>,
    /// How many bytes.
    pub bytes: Option<usize>,
    /// How many mebibytes a bomb unpacks to.
    pub mib: Option<u32>,
    /// How many times.
    pub count: Option<usize>,
    /// Where to redirect.
    pub to: Option<String>,
    /// The status code.
    pub status: Option<u16>,
    /// The one form in which to reflect the credential; without it, all of them.
    pub form: Option<reflect::Form>,
    /// How a bomb is packed.
    pub encoding: Option<bomb::Encoding>,
}

impl From<Kind> for Misbehaviour {
    fn from(kind: Kind) -> Self {
        Misbehaviour { kind, ms: None, bytes: None, mib: None, count: None, to: None, status: None, form: None, encoding: None }
    }
}

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// The kinds of misbehaviour. The honest answer is what the upstream would have said.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
        pub enum Kind {
            $($(#[doc = $doc])+ #[serde(rename = $name)] $variant,)+
        }

        impl Kind {
            /// Every kind.
            pub const ALL: &[Kind] = &[$(Kind::$variant),+];

            /// Its name, in scripts and in paths.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Kind::$variant => $name),+ }
            }
        }
    };
}

kinds! {
    /// Waits `ms` (30,000), then answers honestly.
    SlowHeaders = "slow-headers",
    /// Sends the head of the honest answer a byte every `ms` (1,000).
    DripHeaders = "drip-headers",
    /// Sends the body of the honest answer a byte every `ms` (1,000).
    SlowBody = "slow-body",
    /// Sends half of the body, then nothing, and keeps the connection open.
    StalledBody = "stalled-body",
    /// Sends a JSON body that never ends.
    EndlessBody = "endless-body",
    /// Sends header fields that never end.
    EndlessHeaders = "endless-headers",
    /// Sends a valid JSON body of `bytes` (256 MiB), and says so beforehand.
    HugeBody = "huge-body",
    /// Sends a body of under a megabyte that unpacks to `mib` (512); `encoding` is `gzip`, `deflate` or `zstd`.
    GzipBomb = "gzip-bomb",
    /// Redirects with `status` (302) to `to` (the cloud metadata service).
    Redirect = "redirect",
    /// Redirects to the cloud metadata service at 169.254.169.254.
    RedirectMetadata = "redirect-metadata",
    /// Redirects to another path of the same origin, `to` (`/redirected`).
    RedirectPath = "redirect-path",
    /// Redirects to the same target, for ever.
    RedirectLoop = "redirect-loop",
    /// Sends a login page with status 200.
    Html = "html",
    /// Sends half of the honest body, which is shorter than `content-length` says, and closes.
    Truncated = "truncated",
    /// Sends the honest body in chunks, without the last one, and closes.
    TruncatedChunks = "truncated-chunks",
    /// Sends the honest body cut short, with a length that fits.
    InvalidJson = "invalid-json",
    /// Sends JSON whose strings are not UTF-8.
    InvalidUtf8 = "invalid-utf8",
    /// Sends JSON nested `count` (100,000) deep.
    DeepJson = "deep-json",
    /// Sends JSON whose every object names its keys twice.
    DuplicateKeys = "duplicate-keys",
    /// Sends valid JSON of another shape.
    WrongShape = "wrong-shape",
    /// Sends status 200 without a body.
    EmptyBody = "empty-body",
    /// Sends the honest answer with every text replaced by the caller's credential, in headers too, in each of its forms.
    EchoKey = "echo-key",
    /// Sends the honest answer with every text replaced by instructions, terminal escapes and invisible characters.
    HostileText = "hostile-text",
    /// Sends a header of `bytes` (1 MiB).
    HugeHeader = "huge-header",
    /// Sends `count` (10,000) headers.
    ManyHeaders = "many-headers",
    /// Sends `count` (5) interim answers of `status` (103), then the honest one.
    Informational = "informational",
    /// Says 101 to a request that asked for no upgrade, and speaks something else.
    SwitchingProtocols = "switching-protocols",
    /// Resets the connection without a byte.
    Reset = "reset",
    /// Resets the connection in the middle of the body.
    ResetBody = "reset-body",
    /// Closes the connection without a byte.
    Close = "close",
    /// Sends a chunked body with sizes that are not sizes.
    ChunkGarbage = "chunk-garbage",
    /// Sends a chunk whose size overflows 64 bits.
    ChunkOverflow = "chunk-overflow",
    /// Sends the honest answer with cookies.
    SetCookie = "set-cookie",
    /// Sends two different `content-length` headers.
    TwoLengths = "two-lengths",
    /// Sends both `content-length` and `transfer-encoding`.
    LengthAndChunked = "length-and-chunked",
    /// Sends the honest answer and, unasked, a forged one for the next request on the connection.
    ExtraResponse = "extra-response",
    /// Sends headers with folded lines, bare carriage returns, NUL and a space before the colon.
    OddHeaders = "odd-headers",
    /// Sends something that is not HTTP.
    NotHttp = "not-http",
    /// Sends `status` (500) with an HTML page.
    Status = "status",
}
