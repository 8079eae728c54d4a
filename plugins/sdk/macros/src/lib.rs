//! The `#[tool]` attribute and the `path!` macro of casemate-plugin; use them through that crate.

mod path;
mod tool;

use proc_macro::TokenStream;

/// Makes a function a tool.
///
/// ```text
/// /// Look a file up by its hash.
/// #[tool(effect = read)]
/// fn file_report(args: FileReport, cx: &Context) -> Result<Report, Failure> { … }
/// ```
///
/// - The function's name is the tool's name; its doc comment is the description that clients show.
/// - `effect` is `read`, `write`, `execute` or `destructive`: the worst the tool may do.
/// - `title = "…"` is what menus show; without it, the name in words.
/// - `idempotent` says that repeating a call changes nothing more.
///
/// The function itself stays as it is. Beside it appears an uninhabited type of the same name that implements
/// `casemate_plugin::Tool`, which is what `plugin!` takes.
#[proc_macro_attribute]
pub fn tool(attribute: TokenStream, item: TokenStream) -> TokenStream {
    tool::expand(attribute.into(), item.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Builds a request path: `path!("/api/v3/files/{}", hash)`.
///
/// Each `{}` is a whole segment and takes one argument that implements `Display`, which is percent-encoded: a value can
/// never add a segment, a query or a fragment. A value that is empty, `.` or `..` makes the request fail when it is sent.
/// The rest is checked when the plugin is compiled.
#[proc_macro]
pub fn path(input: TokenStream) -> TokenStream {
    path::expand(input.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}
