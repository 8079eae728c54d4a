//! `#[tool]`: what stands beside the function it is put on.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{
    Error, Expr, ExprLit, FnArg, Ident, ItemFn, Lit, LitStr, Meta, Result, ReturnType, Token, Type,
    parse::{Parse, ParseStream},
};

const EFFECTS: [(&str, &str); 4] = [("read", "Read"), ("write", "Write"), ("execute", "Execute"), ("destructive", "Destructive")];

/// What is in the parentheses.
#[derive(Default)]
struct Options {
    effect: Option<Ident>,
    title: Option<LitStr>,
    idempotent: bool,
}

impl Parse for Options {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut options = Self::default();
        while !input.is_empty() {
            let key: Ident = input.parse()?;
            let repeated = match key.to_string().as_str() {
                "effect" => {
                    input.parse::<Token![=]>()?;
                    options.effect.replace(variant(&input.parse()?)?).is_some()
                }
                "title" => {
                    input.parse::<Token![=]>()?;
                    options.title.replace(input.parse()?).is_some()
                }
                "idempotent" => std::mem::replace(&mut options.idempotent, true),
                _ => return Err(Error::new(key.span(), "expected `effect`, `title` or `idempotent`")),
            };
            if repeated {
                return Err(Error::new(key.span(), format!("`{key}` is given twice")));
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(options)
    }
}

fn variant(word: &Ident) -> Result<Ident> {
    EFFECTS
        .iter()
        .find(|(name, _)| word == name)
        .map(|(_, variant)| format_ident!("{variant}"))
        .ok_or_else(|| Error::new(word.span(), "an effect is `read`, `write`, `execute` or `destructive`"))
}

pub(crate) fn expand(attribute: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let function: ItemFn = syn::parse2(item)?;
    let options: Options = syn::parse2(attribute)?;
    let signature = &function.sig;
    let name = &signature.ident;

    let Some(effect) = options.effect else {
        return Err(Error::new(name.span(), "say the worst this tool may do: #[tool(effect = read)]"));
    };
    if let Some(token) = &signature.asyncness {
        return Err(Error::new_spanned(
            token,
            "a tool is an ordinary function: requests block, and the host runs calls side by side",
        ));
    }
    if !signature.generics.params.is_empty() {
        return Err(Error::new_spanned(&signature.generics, "a tool has no generics"));
    }
    if !is_tool_name(&name.to_string()) {
        return Err(Error::new(name.span(), "a tool's name has the form ^[a-z][a-z0-9_]{1,39}$"));
    }
    let description = documentation(&function);
    if description.is_empty() {
        return Err(Error::new(name.span(), "a tool needs a doc comment: it is the description that clients show"));
    }
    let arguments = arguments(&function)?;
    let ReturnType::Type(_, answer) = &signature.output else {
        return Err(Error::new(name.span(), "a tool returns Result<…, Failure>"));
    };
    let title = options.title.map_or_else(|| in_words(&name.to_string()), |title| title.value());
    let visibility = &function.vis;
    let text = name.to_string();
    let idempotent = options.idempotent;

    Ok(quote! {
        #function

        #[doc(hidden)]
        #[allow(non_camel_case_types, reason = "a tool's type has its function's name")]
        #visibility enum #name {}

        impl ::casemate_plugin::Tool for #name {
            const NAME: &'static str = #text;
            const TITLE: &'static str = #title;
            const DESCRIPTION: &'static str = #description;
            const EFFECT: ::casemate_plugin::Effect = ::casemate_plugin::Effect::#effect;
            const IDEMPOTENT: bool = #idempotent;
            type Arguments = #arguments;
            type Answer = <#answer as ::casemate_plugin::ToolResult>::Answer;
            fn run(
                arguments: Self::Arguments,
                context: &::casemate_plugin::Context,
            ) -> ::core::result::Result<Self::Answer, ::casemate_plugin::Failure> {
                #name(arguments, context)
            }
        }
    })
}

/// The type of the first of exactly two parameters.
fn arguments(function: &ItemFn) -> Result<&Type> {
    let mut parameters = function.sig.inputs.iter();
    match (parameters.next(), parameters.next(), parameters.next()) {
        (Some(FnArg::Typed(arguments)), Some(FnArg::Typed(context)), None) if matches!(*context.ty, Type::Reference(_)) => {
            Ok(&arguments.ty)
        }
        _ => Err(Error::new(function.sig.ident.span(), "a tool takes its arguments and a context: (args: T, cx: &Context)")),
    }
}

/// The doc comment as one line: descriptions are plain text without control characters.
fn documentation(function: &ItemFn) -> String {
    let mut text = String::new();
    for attribute in function.attrs.iter().filter(|attribute| attribute.path().is_ident("doc")) {
        if let Meta::NameValue(meta) = &attribute.meta
            && let Expr::Lit(ExprLit { lit: Lit::Str(line), .. }) = &meta.value
        {
            for word in line.value().split_whitespace() {
                if !text.is_empty() {
                    text.push(' ');
                }
                text.push_str(word);
            }
        }
    }
    text
}

/// `file_report` → `File report`.
fn in_words(name: &str) -> String {
    let mut letters = name.replace('_', " ").chars().collect::<Vec<_>>();
    if let Some(first) = letters.first_mut() {
        first.make_ascii_uppercase();
    }
    letters.into_iter().collect()
}

fn is_tool_name(name: &str) -> bool {
    (2..=40).contains(&name.len())
        && name.starts_with(|letter: char| letter.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::unwrap_used, reason = "tests")]
    fn expanded(attribute: &str, item: &str) -> Result<String> {
        expand(attribute.parse().unwrap(), item.parse().unwrap()).map(|tokens| tokens.to_string())
    }

    const GOOD: &str = "/// Look a\n/// file up.\nfn file_report(args: A, cx: &Context) -> Result<R, Failure> { todo!() }";

    #[test]
    #[expect(clippy::unwrap_used, reason = "tests")]
    fn describes_the_function() {
        let text = expanded("effect = read", GOOD).unwrap();
        for part in ["\"file_report\"", "\"File report\"", "\"Look a file up.\"", "Effect :: Read", "IDEMPOTENT : bool = false"] {
            assert!(text.contains(part), "{part} in {text}");
        }
        let text = expanded("effect = write, title = \"Look\", idempotent", GOOD).unwrap();
        for part in ["\"Look\"", "Effect :: Write", "IDEMPOTENT : bool = true"] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    fn refused(attribute: &str, item: &str, why: &str) {
        match expanded(attribute, item) {
            Ok(text) => assert_eq!(text, "", "expected a refusal: {why}"),
            Err(error) => assert!(error.to_string().contains(why), "{error} should say {why}"),
        }
    }

    #[test]
    fn refuses_what_is_not_a_tool() {
        refused("", GOOD, "worst this tool may do");
        refused("effect = harmless", GOOD, "an effect is");
        refused("effect = read, effect = write", GOOD, "given twice");
        refused("effect = read, name = \"x\"", GOOD, "expected `effect`");
        refused("effect = read", &GOOD.replace("fn ", "async fn "), "ordinary function");
        refused("effect = read", &GOOD.replace("file_report", "fileReport"), "name has the form");
        refused("effect = read", &GOOD.replace("file_report", "file_report<T>"), "no generics");
        refused("effect = read", &GOOD.replace(", cx: &Context", ""), "takes its arguments and a context");
        refused("effect = read", &GOOD.replace("-> Result<R, Failure>", ""), "returns Result");
        refused("effect = read", &GOOD.replace("///", "//"), "needs a doc comment");
    }
}
