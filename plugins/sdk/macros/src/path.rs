//! `path!`: a template whose literal segments are checked when the plugin is compiled.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{
    Error, Expr, LitStr, Result, Token,
    parse::{Parse, ParseStream},
    punctuated::Punctuated,
};

struct Input {
    template: LitStr,
    values: Punctuated<Expr, Token![,]>,
}

impl Parse for Input {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let template = input.parse()?;
        let values = match input.parse::<Option<Token![,]>>()? {
            Some(_) => Punctuated::parse_terminated(input)?,
            None => Punctuated::new(),
        };
        Ok(Self { template, values })
    }
}

pub(crate) fn expand(input: TokenStream) -> Result<TokenStream> {
    let Input { template, values } = syn::parse2(input)?;
    let text = template.value();
    let fault = |what: String| Err(Error::new(template.span(), what));
    let Some(rest) = text.strip_prefix('/') else { return fault("a path starts with `/`".to_owned()) };

    let mut given = values.iter();
    let mut segments = Vec::new();
    for segment in rest.split('/') {
        match segment {
            "{}" => match given.next() {
                Some(value) => segments.push(quote!(.value(&#value))),
                None => return fault("a `{}` has no argument".to_owned()),
            },
            "." | ".." => return fault(format!("`{segment}` cannot be a segment")),
            _ if segment.bytes().all(is_plain) => segments.push(quote!(.literal(#segment))),
            _ => return fault(format!("`{segment}` is neither `{{}}` nor plain: letters, digits and -._~!$&'()*+,;=:@")),
        }
    }
    if let Some(value) = given.next() {
        return Err(Error::new_spanned(value, "an argument has no `{}`"));
    }
    Ok(quote!(::casemate_plugin::Path::new() #(#segments)*))
}

/// `pchar` of RFC 3986 section 3.3, without percent-encoding: what needs encoding is a value, not a literal.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: TokenStream, expected: &str) {
        let found = match expand(input) {
            Ok(tokens) => tokens.to_string(),
            Err(error) => format!("error: {error}"),
        };
        assert_eq!(found.replace(' ', ""), expected.replace(' ', ""));
    }

    #[test]
    fn builds_segments() {
        check(quote!("/a/{}/b", x.y), r#"::casemate_plugin::Path::new().literal("a").value(&x.y).literal("b")"#);
        check(quote!("/"), r#"::casemate_plugin::Path::new().literal("")"#);
    }

    #[test]
    fn refuses_what_could_mean_two_things() {
        check(quote!("a"), "error: a path starts with `/`");
        check(quote!("/a/{}"), "error: a `{}` has no argument");
        check(quote!("/a", x), "error: an argument has no `{}`");
        check(quote!("/a/../b"), "error: `..` cannot be a segment");
        for bad in ["/a?x=1", "/a#b", "/a%2fb", "/a{}", "/a b", "/é"] {
            assert!(expand(quote!(#bad, x)).is_err(), "{bad}");
        }
    }
}
