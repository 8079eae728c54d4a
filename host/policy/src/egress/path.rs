//! Paths, split and decoded once, with nothing left that an upstream could resolve to another path.

use std::fmt;

use super::percent::{self, PercentFault};

/// Bytes of a path: longer ones are cut or refused differently by different servers.
const MAX_PATH: usize = 4096;

/// A path as its decoded segments. No segment is empty, `.` or `..`, or holds a separator or a control character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PathText {
    segments: Vec<String>,
    trailing_slash: bool,
}

/// Why a path is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathFault {
    /// Does not begin with `/`: an absolute URL or `*`.
    #[error("it does not begin with `/`")]
    NotAbsolute,
    /// Longer than any path that is served alike everywhere.
    #[error("it is longer than {MAX_PATH} bytes")]
    TooLong,
    /// `//`.
    #[error("it has an empty segment")]
    EmptySegment,
    /// `.` or `..`, encoded or not.
    #[error("it has a `.` or `..` segment")]
    DotSegment,
    /// An encoded `/` or `\`.
    #[error("it has an encoded separator")]
    EncodedSeparator,
    /// An encoded `%`: a second decoding would find another path.
    #[error("it has an encoded `%`")]
    DoubleEncoding,
    /// Encoded text beyond ASCII: some servers fold `／` to `/` and `．` to `.`.
    #[error("it has encoded characters beyond ASCII")]
    NotAscii,
    /// `;`: some servers cut a segment there and route by the rest.
    #[error("it has a `;`, where some servers end the segment")]
    PathParameter,
    /// Not decodable, or a control character.
    #[error("it has {0}")]
    Encoding(#[from] PercentFault),
}

impl PathText {
    /// Split, then decode each segment once.
    pub(crate) fn parse(raw: &str) -> Result<Self, PathFault> {
        if raw.len() > MAX_PATH {
            return Err(PathFault::TooLong);
        }
        let rest = raw.strip_prefix('/').ok_or(PathFault::NotAbsolute)?;
        if rest.is_empty() {
            return Ok(Self { segments: Vec::new(), trailing_slash: true });
        }
        let (rest, trailing_slash) = rest.strip_suffix('/').map_or((rest, false), |rest| (rest, true));
        let segments = rest.split('/').map(segment).collect::<Result<_, _>>()?;
        Ok(Self { segments, trailing_slash })
    }

    /// The decoded segments.
    pub(crate) fn segments(&self) -> &[String] {
        &self.segments
    }

    /// Whether it ends in `/`.
    pub(crate) fn trailing_slash(&self) -> bool {
        self.trailing_slash
    }
}

fn segment(raw: &str) -> Result<String, PathFault> {
    if raw.is_empty() {
        return Err(PathFault::EmptySegment);
    }
    if raw.contains(';') {
        return Err(PathFault::PathParameter);
    }
    let decoded = percent::decode(raw, false)?;
    if decoded.contains(['/', '\\']) {
        return Err(PathFault::EncodedSeparator);
    }
    if decoded.contains('%') {
        return Err(PathFault::DoubleEncoding);
    }
    if decoded.contains(';') {
        return Err(PathFault::PathParameter);
    }
    if !decoded.is_ascii() {
        return Err(PathFault::NotAscii);
    }
    if percent::has_control(&decoded) {
        return Err(PathFault::Encoding(PercentFault::Control));
    }
    if decoded == "." || decoded == ".." {
        return Err(PathFault::DotSegment);
    }
    Ok(decoded)
}

/// Canonically encoded: what is sent.
impl fmt::Display for PathText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::new();
        for segment in &self.segments {
            out.push('/');
            percent::encode(segment, &mut out);
        }
        if self.trailing_slash {
            out.push('/');
        }
        f.write_str(&out)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::{PathFault, PathText, PercentFault};

    #[test]
    fn paths_are_rebuilt_in_one_spelling() {
        for (raw, sent) in [
            ("/", "/"),
            ("/a/b", "/a/b"),
            ("/a/b/", "/a/b/"),
            ("/%61/b%2d", "/a/b-"),
            ("/a%20b/%7e", "/a%20b/~"),
            ("/u-abc==:@", "/u-abc%3D%3D%3A%40"),
            ("/...", "/..."),
        ] {
            assert_eq!(PathText::parse(raw).unwrap().to_string(), sent);
        }
    }

    #[test]
    fn what_could_be_another_path_is_refused() {
        for (raw, fault) in [
            ("", PathFault::NotAbsolute),
            ("*", PathFault::NotAbsolute),
            ("a", PathFault::NotAbsolute),
            ("http://evil.example/", PathFault::NotAbsolute),
            ("\\a", PathFault::NotAbsolute),
            ("//", PathFault::EmptySegment),
            ("//evil.example/a", PathFault::EmptySegment),
            ("/a//b", PathFault::EmptySegment),
            ("/a//", PathFault::EmptySegment),
            ("/a/../b", PathFault::DotSegment),
            ("/a/./b", PathFault::DotSegment),
            ("/a/..", PathFault::DotSegment),
            ("/a/%2e%2E/b", PathFault::DotSegment),
            ("/a/.%2e/b", PathFault::DotSegment),
            ("/a/..%2fb", PathFault::EncodedSeparator),
            ("/a%2Fb", PathFault::EncodedSeparator),
            ("/a%5cb", PathFault::EncodedSeparator),
            ("/a\\b", PathFault::Encoding(PercentFault::Raw)),
            ("/a%252fb", PathFault::DoubleEncoding),
            ("/%25", PathFault::DoubleEncoding),
            ("/a;x=1/b", PathFault::PathParameter),
            ("/..;/b", PathFault::PathParameter),
            ("/a%3bx", PathFault::PathParameter),
            ("/a%00", PathFault::Encoding(PercentFault::Control)),
            ("/a%0d%0ahost:evil", PathFault::Encoding(PercentFault::Control)),
            ("/a\r\nb", PathFault::Encoding(PercentFault::Control)),
            ("/a b", PathFault::Encoding(PercentFault::Control)),
            ("/a%c2%85", PathFault::NotAscii),
            ("/a%7f", PathFault::Encoding(PercentFault::Control)),
            ("/a%ef%bc%8f..%ef%bc%8fb", PathFault::NotAscii),
            ("/é", PathFault::Encoding(PercentFault::Raw)),
            ("/a%c0%af", PathFault::Encoding(PercentFault::NotUtf8)),
            ("/a%", PathFault::Encoding(PercentFault::Incomplete)),
            ("/a%2", PathFault::Encoding(PercentFault::Incomplete)),
        ] {
            assert_eq!(PathText::parse(raw), Err(fault), "{raw:?}");
        }
        assert_eq!(PathText::parse(&format!("/{}", "a".repeat(5000))), Err(PathFault::TooLong));
    }
}
