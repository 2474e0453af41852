//! Keeps `src/signaling.rs` the exact twin of `proto/*.proto`.
//! Compiles the schema in memory (no `protoc`), nests the packages as modules and compares with the file.
//! `UPDATE=1 cargo test -p salon-wire --test generated` rewrites the file after the schema has changed.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

const HEADER: &str = "\
//! The signaling contract as Rust types: the generated twin of `proto/*.proto`. @generated, do not edit.
//! A module per protobuf package; `message::v1::SocketMessage` is the envelope of all the others.
//! Which message travels under which event number: `event_id.rs`.
//! Rewritten by `UPDATE=1 cargo test -p salon-wire --test generated`; the same test keeps it fresh.
";

#[test]
fn signaling_is_the_twin_of_its_schema() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/signaling.rs");
    let fresh = generate();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &fresh).expect("src/signaling.rs is writable");
    }
    let committed = std::fs::read_to_string(&path).expect("src/signaling.rs is readable");
    assert!(
        committed == fresh,
        "src/signaling.rs differs from proto/*.proto: run `UPDATE=1 cargo test -p salon-wire --test generated`"
    );
}

fn generate() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("proto");
    let descriptors = protox::compile(schema_files(&folder), [&folder]).expect("the schema compiles");
    let requests = descriptors
        .file
        .into_iter()
        .map(|file| {
            let package = file.package().to_owned();
            (prost_build::Module::from_protobuf_package_name(&package), file)
        })
        .collect();

    let mut config = prost_build::Config::new();
    config.bytes([".message.v1.SocketMessage"]).btree_map(["."]);
    let mut root = Module::default();
    for (module, code) in config.generate(requests).expect("the schema has a Rust form") {
        root.descend(module.parts()).code = code;
    }

    let mut nested = String::new();
    root.write_into(&mut nested);
    let parsed = syn::parse_file(&nested).expect("prost writes valid Rust");
    format!("{HEADER}\n{}", prettyplease::unparse(&parsed))
}

fn schema_files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("proto/ is readable")
        .map(|entry| entry.expect("proto/ is readable").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "proto"))
        .collect();
    files.sort();
    files
}

/// A protobuf package: `media.edge` is the child `edge` of `media`.
#[derive(Default)]
struct Module {
    code: String,
    children: BTreeMap<String, Module>,
}

impl Module {
    fn descend<'a>(&mut self, parts: impl Iterator<Item = &'a str>) -> &mut Module {
        parts.fold(self, |module, part| module.children.entry(part.to_owned()).or_default())
    }

    fn write_into(&self, out: &mut String) {
        out.push_str(&self.code);
        for (name, child) in &self.children {
            writeln!(out, "pub mod {name} {{").expect("a String takes any text");
            child.write_into(out);
            out.push_str("}\n");
        }
    }
}
