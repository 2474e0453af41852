//! House rules that a machine can keep: who imports whom, how files open, what must not be in the repository.
//! Invariant: each rule names the file that breaks it and says what to do.

#[path = "tidy/circles.rs"]
mod circles;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Which of our packages each package may import outside of its tests. The same table is in ARCHITECTURE.md.
const EDGES: [(&str, &[&str]); 24] = [
    ("salon-core", &[]),
    ("salon-srtp", &[]),
    ("salon-udp", &[]),
    ("salon-sfu", &["salon-srtp", "salon-udp"]),
    ("salon-wire", &[]),
    ("salon-store", &["salon-core"]),
    ("salon-handover", &[]),
    ("salon-edge", &["salon-handover"]),
    ("salon-cluster", &["salon-handover"]),
    ("salon-live", &["salon-core", "salon-handover", "salon-store"]),
    ("salon-media", &["salon-cluster", "salon-core", "salon-handover", "salon-sfu"]),
    ("salon-quality", &["salon-core", "salon-live", "salon-media", "salon-sfu", "salon-store"]),
    ("salon-files", &["salon-core", "salon-store"]),
    ("salon-webhooks", &["salon-core", "salon-edge", "salon-store"]),
    ("salon-doors", &DOORS),
    ("salon-moving", &["salon-core", "salon-doors", "salon-store", "salon-wire"]),
    ("salon-peer", &["salon-srtp", "salon-udp", "salon-wire"]),
    ("salon-bench", &["salon-peer", "salon-udp"]),
    ("salon-recorder", &["salon-edge", "salon-peer", "salon-wire"]),
    ("salon-recordings", &["salon-core", "salon-files", "salon-live", "salon-recorder", "salon-store"]),
    ("salon-transcripts", &["salon-core", "salon-live", "salon-recorder", "salon-recordings", "salon-store"]),
    ("salon-server", &ROOT),
    ("spectrograms", &[]),
    ("salon-tests", &["salon-core", "salon-sfu", "salon-store", "salon-wire", "salon-server"]),
];

/// What clients talk to translates between what people mean and everything behind it.
const DOORS: [&str; 13] = [
    "salon-cluster",
    "salon-core",
    "salon-files",
    "salon-handover",
    "salon-live",
    "salon-media",
    "salon-quality",
    "salon-recordings",
    "salon-sfu",
    "salon-store",
    "salon-transcripts",
    "salon-webhooks",
    "salon-wire",
];

/// The one place that knows all parts of a node.
const ROOT: [&str; 17] = [
    "salon-bench",
    "salon-cluster",
    "salon-core",
    "salon-doors",
    "salon-edge",
    "salon-files",
    "salon-handover",
    "salon-live",
    "salon-media",
    "salon-moving",
    "salon-quality",
    "salon-recorder",
    "salon-recordings",
    "salon-sfu",
    "salon-store",
    "salon-transcripts",
    "salon-webhooks",
];

/// Words that say nothing about what a file holds.
const EMPTY_NAMES: [&str; 5] = ["utils", "util", "common", "helpers", "manager"];

/// Longest opening comment of a file, in lines.
const MAX_HEADER_LINES: usize = 5;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the repository").to_path_buf()
}

fn tracked(pattern: &str) -> Vec<PathBuf> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", pattern])
        .current_dir(root())
        .output();
    let output = output.expect("git lists the files");
    let text = String::from_utf8(output.stdout).expect("paths are text");
    text.lines().map(|line| root().join(line)).filter(|path| path.is_file()).collect()
}

fn metadata() -> serde_json::Value {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_string());
    let output =
        Command::new(cargo).args(["metadata", "--no-deps", "--offline", "--format-version=1"]).current_dir(root()).output();
    serde_json::from_slice(&output.expect("cargo runs").stdout).expect("cargo prints JSON")
}

#[test]
fn packages_import_only_what_the_map_allows() {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().expect("packages");
    let mut seen = BTreeSet::new();
    for package in packages {
        let name = package["name"].as_str().expect("a name");
        let (_, allowed) = EDGES
            .iter()
            .find(|(known, _)| *known == name)
            .unwrap_or_else(|| panic!("{name} is new: give it a row in EDGES and in ARCHITECTURE.md"));
        seen.insert(name.to_string());
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let on = dependency["name"].as_str().expect("a name");
            let ours = on.starts_with("salon-");
            if ours && dependency["kind"].is_null() {
                assert!(allowed.contains(&on), "{name} must not import {on}; a new edge needs a decision in docs/adr");
            }
        }
    }
    assert_eq!(seen.len(), EDGES.len(), "EDGES has a package that does not exist");
}

/// Two people who add a migration or a decision at the same time take the same number, which no merge notices.
#[test]
fn migrations_and_decisions_are_numbered_one_after_the_other() {
    let of = |pattern: &str| -> Vec<String> {
        let mut names: Vec<_> =
            tracked(pattern).iter().map(|path| path.file_name().expect("a file").to_string_lossy().into_owned()).collect();
        names.sort();
        names
    };
    let sqlite = of("crates/store/migrations/sqlite/*.sql");
    assert_eq!(sqlite, of("crates/store/migrations/postgres/*.sql"), "a migration is missing for one of the databases");
    for names in [sqlite, of("docs/adr/*.md")] {
        for (at, name) in names.iter().enumerate() {
            let number = format!("{:04}", at + 1);
            assert!(name.starts_with(&number), "{name} must begin with {number}: give later ones other numbers");
        }
    }
}

/// Whether a source names this crate, in code rather than in a comment.
fn names(text: &str, krate: &str) -> bool {
    let part_of_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.into_iter().any(|line| {
        line.match_indices(krate).any(|(at, _)| {
            let (before, after) = (&line[..at], &line[at + krate.len()..]);
            !before.ends_with(part_of_word) && !after.starts_with(part_of_word)
        })
    })
}

#[test]
fn every_dependency_is_used() {
    let metadata = metadata();
    let mut declared = BTreeSet::new();
    for package in metadata["packages"].as_array().expect("packages") {
        let manifest = PathBuf::from(package["manifest_path"].as_str().expect("a path"));
        let folder = manifest.parent().expect("a manifest lies in a folder").to_path_buf();
        let sources: Vec<(PathBuf, String)> = tracked("*.rs")
            .into_iter()
            .filter_map(|path| Some((path.strip_prefix(&folder).ok()?.to_path_buf(), std::fs::read_to_string(&path).ok()?)))
            .collect();
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let name = dependency["name"].as_str().expect("a name");
            declared.insert(name.to_string());
            let krate = dependency["rename"].as_str().unwrap_or(name).replace('-', "_");
            // What only tests, benches or the build use belongs to their own lists.
            let reads = |path: &Path| match dependency["kind"].as_str() {
                None => path.starts_with("src"),
                Some("build") => path.ends_with("build.rs"),
                Some(_) => true,
            };
            let used = sources.iter().any(|(path, text)| reads(path) && names(text, &krate));
            assert!(used, "{}: {name} is not used; take it out of {}", package["name"], manifest.display());
        }
    }
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).expect("the workspace has a manifest");
    let shared = manifest.split_once("[workspace.dependencies]").expect("a list of dependencies").1;
    for line in shared.lines().take_while(|line| !line.starts_with('[')) {
        let Some((name, _)) = line.split_once(" = ").filter(|_| !line.starts_with('#')) else { continue };
        assert!(declared.contains(name), "Cargo.toml offers {name}, which no package takes");
    }
}

#[test]
fn modules_import_each_other_in_no_circle() {
    let roots = tracked("crates/*/src/lib.rs");
    assert!(!roots.is_empty(), "the crates lie in crates/");
    let circles: Vec<_> = roots
        .iter()
        .flat_map(|root| circles::find(root).into_iter().map(|circle| format!("{}: {circle}", root.display())))
        .collect();
    assert!(circles.is_empty(), "move what both need below them, or hand it in:\n{}", circles.join("\n"));
}

#[test]
fn core_needs_nothing() {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().expect("packages");
    let core = packages.iter().find(|package| package["name"] == "salon-core").expect("core exists");
    let needs = core["dependencies"].as_array().expect("dependencies").iter().filter(|dependency| dependency["kind"].is_null());
    assert_eq!(needs.count(), 0, "core decides; whatever it needs comes in as an argument");
}

#[test]
fn every_source_file_says_what_it_is() {
    for path in tracked("*.rs") {
        let generated = path.ends_with("wire/src/signaling.rs");
        let text = std::fs::read_to_string(&path).expect("sources are text");
        if generated {
            continue;
        }
        let header = text.lines().take_while(|line| line.starts_with("//!")).count();
        assert!(header > 0, "{} does not open with `//!` lines that say what it is", path.display());
        assert!(header <= MAX_HEADER_LINES, "{} opens with {header} lines; {MAX_HEADER_LINES} are enough", path.display());
    }
}

#[test]
fn names_say_something() {
    for path in tracked("*.rs") {
        let name = path.file_stem().expect("a file has a name").to_string_lossy().to_string();
        assert!(!EMPTY_NAMES.contains(&name.as_str()), "{}: name it after what it holds", path.display());
        assert!(name != "mod", "{}: write foo.rs beside foo/", path.display());
    }
}

#[test]
fn one_crypto_library() {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_string());
    for banned in ["ring", "rsa", "openssl"] {
        // The lock file also names what other platforms would need; the tree is what is built here.
        let arguments = ["tree", "--workspace", "--offline", "--edges=normal,build", "--invert", banned];
        let output = Command::new(&cargo).args(arguments).current_dir(root()).output().expect("cargo runs");
        let tree = String::from_utf8_lossy(&output.stdout);
        assert!(tree.trim().is_empty(), "{banned} came in; aws-lc-rs is the one crypto library:\n{tree}");
    }
}

#[test]
fn nothing_of_a_single_machine_is_in_the_repository() {
    let home = std::env::var("HOME").unwrap_or_default();
    for path in tracked("*") {
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let lock = path.file_name().is_some_and(|name| name == "package-lock.json");
        if lock {
            assert!(!text.contains("\"resolved\": \"http"), "{}: run npm with omit-lockfile-registry-resolved", path.display());
        }
        if home.len() > 1 {
            assert!(!text.contains(&format!("{home}/")), "{} holds a path of this machine", path.display());
        }
    }
}

#[test]
fn the_map_says_who_imports_whom() {
    let map = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("the map exists");
    for (package, edges) in EDGES {
        let short = |name: &str| name.trim_start_matches("salon-").to_owned();
        let row = map.lines().find(|line| line.starts_with(&format!("| `{}` |", short(package))));
        let row = row.unwrap_or_else(|| panic!("ARCHITECTURE.md does not have {package} in its table"));
        let told = row.trim_end_matches(" |").rsplit(" | ").next().expect("a column");
        let told: BTreeSet<_> = told.split(", ").filter(|name| *name != "nothing").map(str::to_owned).collect();
        let edges: BTreeSet<_> = edges.iter().map(|name| short(name)).collect();
        assert_eq!(told, edges, "ARCHITECTURE.md has other edges of {package} than EDGES");
    }
}
