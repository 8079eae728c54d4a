//! Lists the hostile guests, so that one without a test does not compile, and one that is not built is named.

use std::{collections::BTreeSet, env, error::Error, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=guests/examples");
    println!("cargo::rerun-if-changed=guests/Cargo.toml");
    let mut guests = BTreeSet::new();
    for entry in fs::read_dir("guests/examples")? {
        let path = entry?.path();
        let name = path.file_stem().and_then(|stem| stem.to_str()).ok_or("a guest's file has no name")?;
        let built = fs::read_to_string("guests/Cargo.toml")?.contains(&format!("name = \"{name}\""));
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("rs") if !built => return Err(format!("the guest `{name}` is not built: add it to guests/Cargo.toml").into()),
            Some("rs" | "wat") => guests.insert(name.to_owned()),
            _ => return Err(format!("`{}` is no guest", path.display()).into()),
        };
    }
    let calls: String = guests.iter().map(|name| format!("        $each!({name});\n")).collect();
    let text = format!(
        "/// Calls `$each` with the name of every guest.\nmacro_rules! for_each_guest {{\n    ($each:ident) => {{\n{calls}    }};\n}}\n"
    );
    fs::write(Path::new(&env::var("OUT_DIR")?).join("guests.rs"), text)?;
    Ok(())
}
