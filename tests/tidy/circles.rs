//! Which modules of a crate import each other, read from its sources.
//! An import is a name of another module's that a module uses, followed through re-exports to where it is defined; what
//! only tests use does not count. Naming a child (`mod x;`) is no import, using what is in it is.
//! Next: `tidy.rs`, which wants the imports of every crate to be free of circles.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};

/// A module by the names on the way to it; empty for the root of its crate.
type Name = Vec<String>;

/// Names that a `use` brings in: each with the path it stands for.
type Scope = BTreeMap<String, Name>;

/// The modules of one crate.
#[derive(Default)]
struct Crate {
    modules: BTreeMap<Name, Module>,
}

#[derive(Default)]
struct Module {
    /// What `use` brings in, private or not: name -> absolute path.
    scope: Scope,
    /// Modules that are brought in whole.
    globs: Vec<Name>,
    /// What is defined here, modules included.
    defines: BTreeSet<String>,
    /// Absolute paths that are mentioned here.
    mentions: BTreeSet<Name>,
}

/// The circles of modules in the crate whose root is `root`, each as `a -> b -> a`; none if its imports are a tree.
pub fn find(root: &Path) -> Vec<String> {
    let mut whole = Crate::default();
    whole.read(root, root, &mut Vec::new());
    whole.circles()
}

impl Crate {
    fn read(&mut self, root: &Path, file: &Path, name: &mut Name) {
        let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let syntax = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        self.modules.insert(name.clone(), Module::default());
        self.items(root, file, name, &syntax.items);
    }

    fn items(&mut self, root: &Path, file: &Path, name: &mut Name, items: &[syn::Item]) {
        let items: Vec<_> = items.iter().filter(|item| !is_for_tests(item)).collect();
        let mut reader = Reader { module: Module::default(), name: name.clone(), paths: Vec::new() };
        for item in &items {
            reader.define(item);
        }
        for item in &items {
            if !matches!(item, syn::Item::Mod(_)) {
                reader.visit_item(item);
            }
        }
        let Reader { mut module, paths, .. } = reader;
        for path in paths {
            match absolute(&path, name, &module) {
                Some(path) => _ = module.mentions.insert(path),
                // From a module that was brought in whole, or from another crate: then it leads nowhere.
                None => module.mentions.extend(module.globs.iter().map(|glob| [glob.as_slice(), &path].concat())),
            }
        }
        self.modules.insert(name.clone(), module);
        for item in items {
            let syn::Item::Mod(child) = item else { continue };
            name.push(child.ident.to_string());
            match &child.content {
                Some((_, items)) => self.items(root, file, name, items),
                None => self.read(root, &file_of(child, root, file), name),
            }
            name.pop();
        }
    }

    /// The module that defines what an absolute path names; `None` if it is a module itself, or nothing of this crate.
    fn home(&self, path: &[String], depth: usize) -> Option<Name> {
        let mut at = Name::new();
        for (index, word) in path.iter().enumerate() {
            let module = self.modules.get(&at)?;
            let child: Name = at.iter().chain([word]).cloned().collect();
            if self.modules.contains_key(&child) {
                at = child;
            } else if module.defines.contains(word) {
                return Some(at);
            } else if depth == 0 {
                return None;
            } else if let Some(behind) = module.scope.get(word) {
                let behind: Name = behind.iter().chain(&path[index + 1..]).cloned().collect();
                return self.home(&behind, depth - 1);
            } else {
                let behind = |glob: &Name| glob.iter().chain(&path[index..]).cloned().collect::<Name>();
                return module.globs.iter().find_map(|glob| self.home(&behind(glob), depth - 1));
            }
        }
        None
    }

    /// Which modules each module imports.
    fn imports(&self) -> BTreeMap<&Name, BTreeSet<Name>> {
        let homes = |module: &Module| module.mentions.iter().filter_map(|path| self.home(path, 8)).collect::<BTreeSet<_>>();
        self.modules
            .iter()
            .map(|(name, module)| (name, homes(module).into_iter().filter(|home| home != name).collect()))
            .collect()
    }

    /// The shortest circle of each knot of modules, told with all that are tied into it.
    fn circles(&self) -> Vec<String> {
        let imports = self.imports();
        let mut tied = BTreeSet::new();
        let mut told = Vec::new();
        let mut ways: Vec<_> = imports.keys().filter_map(|start| way(&imports, start, start)).collect();
        ways.sort_by_key(Vec::len);
        for circle in ways {
            if tied.contains(&circle[0]) {
                continue;
            }
            let back = |name: &Name| way(&imports, &circle[0], name).is_some() && way(&imports, name, &circle[0]).is_some();
            let knot: Vec<_> = imports.keys().filter(|name| back(name)).map(|name| (*name).clone()).collect();
            let path = circle.iter().map(shown).collect::<Vec<_>>().join(" -> ");
            let all = knot.iter().map(shown).collect::<Vec<_>>().join(", ");
            told.push(format!("{path} ({} modules are tied into it: {all})", knot.len()));
            tied.extend(knot);
        }
        told
    }
}

/// A module as its crate's other modules write it.
fn shown(name: &Name) -> String {
    if name.is_empty() { "lib".to_string() } else { name.join("::") }
}

/// The shortest way from a module to another, or back to itself.
fn way(imports: &BTreeMap<&Name, BTreeSet<Name>>, start: &Name, goal: &Name) -> Option<Vec<Name>> {
    let mut ways = vec![vec![start.clone()]];
    let mut seen = BTreeSet::new();
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in ways {
            for next in &imports[way.last().expect("a way has a beginning")] {
                let on: Vec<Name> = way.iter().chain([next]).cloned().collect();
                if next == goal {
                    return Some(on);
                }
                if seen.insert(next.clone()) {
                    longer.push(on);
                }
            }
        }
        ways = longer;
    }
    None
}

/// The file of a child module: beside the root, in the folder of its parent, or where its `#[path]` says.
fn file_of(child: &syn::ItemMod, root: &Path, file: &Path) -> PathBuf {
    for attribute in &child.attrs {
        let syn::Meta::NameValue(pair) = &attribute.meta else { continue };
        if let (true, syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(path), .. })) = (pair.path.is_ident("path"), &pair.value) {
            return file.with_file_name(path.value());
        }
    }
    let folder = if file == root { file.with_file_name("") } else { file.with_extension("") };
    folder.join(format!("{}.rs", child.ident))
}

/// Whether an item is compiled for tests only.
fn is_for_tests(item: &syn::Item) -> bool {
    use syn::Item;
    let attributes = match item {
        Item::Mod(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Const(item) => &item.attrs,
        _ => return false,
    };
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg") && attribute.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident("test"))
    })
}

/// Collects what a module mentions.
struct Reader {
    module: Module,
    name: Name,
    paths: Vec<Name>,
}

impl Reader {
    fn define(&mut self, item: &syn::Item) {
        use syn::Item;
        let name = match item {
            Item::Const(item) => &item.ident,
            Item::Enum(item) => &item.ident,
            Item::Fn(item) => &item.sig.ident,
            Item::Mod(item) => &item.ident,
            Item::Static(item) => &item.ident,
            Item::Struct(item) => &item.ident,
            Item::Trait(item) => &item.ident,
            Item::Type(item) => &item.ident,
            Item::Union(item) => &item.ident,
            Item::Macro(syn::ItemMacro { ident: Some(name), .. }) => name,
            Item::Use(item) => return self.bring_in(&item.tree, &mut Vec::new()),
            // What a macro defines is not seen; its names stay unknown and make no import.
            _ => return,
        };
        self.module.defines.insert(name.to_string());
    }

    fn bring_in(&mut self, tree: &syn::UseTree, path: &mut Name) {
        match tree {
            syn::UseTree::Path(tree) => {
                path.push(tree.ident.to_string());
                self.bring_in(&tree.tree, path);
                path.pop();
            }
            syn::UseTree::Name(tree) => self.bring_in_as(&tree.ident, &tree.ident, path),
            syn::UseTree::Rename(tree) => self.bring_in_as(&tree.ident, &tree.rename, path),
            syn::UseTree::Glob(_) => self.module.globs.extend(absolute(path, &self.name, &self.module)),
            syn::UseTree::Group(tree) => tree.items.iter().for_each(|tree| self.bring_in(tree, path)),
        }
    }

    fn bring_in_as(&mut self, what: &syn::Ident, name: &syn::Ident, path: &[String]) {
        let mut path = path.to_vec();
        if what != "self" {
            path.push(what.to_string());
        }
        let name = if name == "self" { path.last().cloned().unwrap_or_default() } else { name.to_string() };
        let Some(path) = absolute(&path, &self.name, &self.module) else { return };
        self.module.scope.insert(name, path.clone());
    }

    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Name = Vec::new();
        let mut colons = 0;
        let finish = |path: &mut Name, paths: &mut Vec<Name>| {
            if !path.is_empty() {
                paths.push(std::mem::take(path));
            }
        };
        for token in tokens {
            match token {
                TokenTree::Ident(word) => {
                    if colons != 2 {
                        finish(&mut path, &mut self.paths);
                    }
                    path.push(word.to_string());
                    colons = 0;
                }
                TokenTree::Punct(mark) if mark.as_char() == ':' => colons += 1,
                TokenTree::Group(group) => {
                    finish(&mut path, &mut self.paths);
                    self.tokens(group.stream());
                    colons = 0;
                }
                _ => {
                    finish(&mut path, &mut self.paths);
                    colons = 0;
                }
            }
        }
        finish(&mut path, &mut self.paths);
    }
}

impl Visit<'_> for Reader {
    fn visit_item_use(&mut self, item: &syn::ItemUse) {
        // A re-export alone is no import: whoever uses the name imports its home.
        let _ = item;
    }

    fn visit_path(&mut self, path: &syn::Path) {
        self.paths.push(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &syn::Macro) {
        self.visit_path(&call.path);
        self.tokens(call.tokens.clone());
    }
}

/// A path as seen in a module, from the root of the crate on; `None` if it leads out of the crate.
fn absolute(path: &[String], within: &Name, module: &Module) -> Option<Name> {
    let (first, rest) = path.split_first()?;
    let join = |start: &[String], rest: &[String]| Some(start.iter().chain(rest).cloned().collect());
    match first.as_str() {
        "crate" => join(&[], rest),
        "self" => join(within, rest),
        "super" => {
            let above = rest.iter().take_while(|word| *word == "super").count();
            join(&within[..within.len().checked_sub(above + 1)?], &rest[above..])
        }
        name => match module.scope.get(name) {
            Some(start) => join(start, rest),
            None if module.defines.contains(name) => join(within, path),
            None => None,
        },
    }
}

#[test]
fn a_circle_is_found_through_re_exports_macros_and_whole_modules() {
    let sources = [
        ("lib.rs", "mod a;\nmod b;\nmod c;\npub use c::Third;\n"),
        ("a.rs", "mod part;\nuse crate::b;\npub struct First;\nfn f() { b::second(); }\n"),
        ("a/part.rs", "#[cfg(test)]\nmod tests { use crate::a::First; }\n"),
        ("b.rs", "pub fn second() { println!(\"{:?}\", crate::Third) }\n"),
        ("c.rs", "use super::*;\npub struct Third(a::First);\n"),
    ];
    let folder = std::env::temp_dir().join(format!("salon-circles-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("a")).expect("a folder for the sources");
    for (name, text) in sources {
        std::fs::write(folder.join(name), text).expect("a source");
    }
    assert_eq!(find(&folder.join("lib.rs")), ["a -> b -> c -> a (3 modules are tied into it: a, b, c)"]);
    std::fs::write(folder.join("c.rs"), "pub struct Third;\n").expect("a source");
    assert_eq!(find(&folder.join("lib.rs")), [""; 0]);
    std::fs::remove_dir_all(&folder).expect("the folder goes");
}
