//! What a component imports and exports, read from its bytes without running any of them.
//!
//! Only a proved package reaches this point in the serving host. The comparison with the manifest is exact text: an import
//! that is not declared word for word, version included, refuses the load.

use std::collections::BTreeSet;

use wasmparser::{Encoding, Parser, Payload, Validator, WasmFeatures};

/// The WIT package this host serves.
pub const SERVED_WIT: &str = "casemate:plugin@0.1.0";

/// Interfaces that have an implementation here. `wasi:sockets` has none, on purpose.
const LINKED: [&str; 30] = [
    "casemate:plugin/log",
    "casemate:plugin/progress",
    "casemate:plugin/sources",
    "casemate:plugin/types",
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:http/outgoing-handler",
    "wasi:http/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
    // Interfaces with types alone, which some toolchains list.
    "wasi:cli/types",
    "wasi:clocks/types",
    "wasi:http/outgoing-body",
    "wasi:random/types",
];

/// Why a component's imports or exports refuse it.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Not a component at all, or one that uses a feature this host leaves out.
    #[error("the component is not valid: {0}\nhelp: build it for wasm32-wasip2 with a stable toolchain")]
    Invalid(String),
    /// A core module, not a component.
    #[error(
        "this is a core WebAssembly module, not a component\nhelp: build it for wasm32-wasip2, not wasm32-wasip1 or wasm32-unknown-unknown"
    )]
    CoreModule,
    /// An import that the signed manifest does not declare.
    #[error(
        "the component imports `{import}`, which its manifest does not declare\nhelp: the publisher must declare it and sign again; do not load this package"
    )]
    Undeclared {
        /// The import, with version.
        import: String,
    },
    /// An import that this host does not have.
    #[error(
        "the component imports `{import}`, which this host does not offer\nhelp: plugins reach the network through wasi:http only, and nothing else outside"
    )]
    NotOffered {
        /// The import, with version.
        import: String,
    },
    /// A WIT version that this host does not serve.
    #[error(
        "the plugin is built for `{found}`, this host serves `{SERVED_WIT}`\nhelp: update the plugin or the host so that both name the same version"
    )]
    Wit {
        /// The version the plugin was built for.
        found: String,
    },
    /// The tools interface is missing.
    #[error(
        "the component does not export `casemate:plugin/tools`\nhelp: a plugin exports the world `casemate:plugin/plugin`; see wit/world.wit"
    )]
    NoTools,
}

impl ImportError {
    /// A stable word for logs and scripts, one for each refusal.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "component-invalid",
            Self::CoreModule => "component-core-module",
            Self::Undeclared { .. } => "import-undeclared",
            Self::NotOffered { .. } => "import-not-offered",
            Self::Wit { .. } => "wit-not-served",
            Self::NoTools => "export-missing",
        }
    }
}

/// The outermost imports and exports of a component.
pub(crate) type Outline = (BTreeSet<String>, BTreeSet<String>);

/// The features a plugin may use: what wasm32-wasip2 toolchains emit today.
fn features() -> WasmFeatures {
    (WasmFeatures::WASM2 | WasmFeatures::COMPONENT_MODEL | WasmFeatures::TAIL_CALL | WasmFeatures::EXTENDED_CONST)
        - WasmFeatures::GC_TYPES
}

/// The outermost imports and exports of a component, validated whole.
///
/// # Errors
/// When the bytes are not a component that this host's language accepts.
pub fn imports_of(component: &[u8]) -> Result<(BTreeSet<String>, BTreeSet<String>), ImportError> {
    validate(component)?;
    outline_of(component)
}

/// All of it, function bodies included, as it has to be before anything is compiled.
pub(crate) fn validate(component: &[u8]) -> Result<(), ImportError> {
    Validator::new_with_features(features()).validate_all(component).map(drop).map_err(invalid)
}

fn invalid(error: wasmparser::BinaryReaderError) -> ImportError {
    ImportError::Invalid(error.message().to_owned())
}

/// The same imports and exports, of a component of which everything but function bodies is validated.
pub(crate) fn outline_of(component: &[u8]) -> Result<Outline, ImportError> {
    let mut validator = Validator::new_with_features(features());
    let (mut imports, mut exports) = (BTreeSet::new(), BTreeSet::new());
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(component) {
        let payload = payload.map_err(invalid)?;
        validator.payload(&payload).map_err(invalid)?;
        match payload {
            Payload::Version { encoding: Encoding::Module, .. } if depth == 0 && imports.is_empty() && exports.is_empty() => {
                return Err(ImportError::CoreModule);
            }
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::ComponentImportSection(section) if depth == 1 => {
                for import in section {
                    imports.insert(import.map_err(invalid)?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 1 => {
                for export in section {
                    exports.insert(export.map_err(invalid)?.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok((imports, exports))
}

/// Refuse whatever the manifest does not declare and this host does not offer.
///
/// # Errors
/// The first import, in alphabetical order, that is not allowed; or the export that is missing.
pub(crate) fn check(
    imports: &BTreeSet<String>,
    exports: &BTreeSet<String>,
    declared: &BTreeSet<String>,
    wit: &str,
) -> Result<(), ImportError> {
    if wit != SERVED_WIT {
        return Err(ImportError::Wit { found: wit.to_owned() });
    }
    for import in imports {
        let interface = import.split('@').next().unwrap_or_default();
        if !LINKED.contains(&interface) {
            return Err(ImportError::NotOffered { import: import.clone() });
        }
        if let Some(version) = import.strip_prefix("casemate:plugin/").and_then(|rest| rest.split_once('@')).map(|(_, v)| v)
            && format!("casemate:plugin@{version}") != SERVED_WIT
        {
            return Err(ImportError::Wit { found: format!("casemate:plugin@{version}") });
        }
        if !declared.contains(import) {
            return Err(ImportError::Undeclared { import: import.clone() });
        }
    }
    match exports.iter().find_map(|export| export.strip_prefix("casemate:plugin/tools@")) {
        Some(version) if format!("casemate:plugin@{version}") == SERVED_WIT => Ok(()),
        Some(version) => Err(ImportError::Wit { found: format!("casemate:plugin@{version}") }),
        None => Err(ImportError::NoTools),
    }
}

/// A component with a function that says it returns a number, and returns nothing.
#[cfg(test)]
pub(crate) fn with_a_wrong_body() -> Vec<u8> {
    let types = [1, 5, 1, 0x60, 0, 1, 0x7f];
    let module = [b"\0asm\x01\0\0\0".as_slice(), &types, &[3, 2, 1, 0], &[10, 4, 1, 2, 0, 0x0b]].concat();
    let section = [1, u8::try_from(module.len()).unwrap_or_default()];
    [b"\0asm\x0d\0\x01\0".as_slice(), &section, &module].concat()
}

#[cfg(test)]
#[expect(clippy::expect_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[track_caller]
    fn refused(imports: &[&str], exports: &[&str], declared: &[&str], wit: &str, expected: &str) {
        let error = check(&set(imports), &set(exports), &set(declared), wit).expect_err("it was accepted").to_string();
        assert!(error.contains(expected), "{error}");
    }

    const TOOLS: &[&str] = &["casemate:plugin/tools@0.1.0"];

    #[test]
    fn declared_and_offered_loads() {
        let imports = set(&["wasi:http/outgoing-handler@0.2.12", "casemate:plugin/log@0.1.0"]);
        assert!(check(&imports, &set(TOOLS), &imports, SERVED_WIT).is_ok());
    }

    #[test]
    fn undeclared_import_is_named() {
        refused(&["wasi:http/outgoing-handler@0.2.12"], TOOLS, &[], SERVED_WIT, "`wasi:http/outgoing-handler@0.2.12`");
    }

    #[test]
    fn another_version_of_a_declared_import_is_undeclared() {
        refused(&["wasi:io/poll@0.2.9"], TOOLS, &["wasi:io/poll@0.2.12"], SERVED_WIT, "`wasi:io/poll@0.2.9`");
    }

    #[test]
    fn sockets_are_not_offered_even_when_declared() {
        refused(&["wasi:sockets/tcp@0.2.12"], TOOLS, &["wasi:sockets/tcp@0.2.12"], SERVED_WIT, "does not offer");
    }

    #[test]
    fn both_wit_versions_are_named() {
        refused(
            &[],
            &["casemate:plugin/tools@0.9.0"],
            &[],
            SERVED_WIT,
            "`casemate:plugin@0.9.0`, this host serves `casemate:plugin@0.1.0`",
        );
        refused(&[], TOOLS, &[], "casemate:plugin@0.2.0", "`casemate:plugin@0.2.0`");
    }

    #[test]
    fn tools_must_be_exported() {
        refused(&[], &["wasi:cli/run@0.2.12"], &[], SERVED_WIT, "does not export");
    }

    #[test]
    fn an_outline_leaves_out_function_bodies_and_nothing_else() {
        let wrong = with_a_wrong_body();
        assert!(outline_of(&wrong).is_ok());
        assert!(matches!(imports_of(&wrong), Err(ImportError::Invalid(_))));
        // A function section without its code, and a cut one.
        let (no_code, cut) = (&wrong[..wrong.len() - 6], &wrong[..wrong.len() - 1]);
        let mut no_code = no_code.to_vec();
        no_code[9] -= 6;
        for component in [no_code.as_slice(), cut] {
            assert!(matches!(outline_of(component), Err(ImportError::Invalid(_))));
        }
    }

    #[test]
    fn a_core_module_is_not_a_component() {
        let module = b"\0asm\x01\0\0\0";
        assert!(matches!(imports_of(module), Err(ImportError::CoreModule)));
    }
}
