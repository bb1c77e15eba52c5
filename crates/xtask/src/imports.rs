//! Which file of a crate imports which other file, and the cycles among them.
//!
//! A file imports another when it uses an item that the other one *defines*. Declaring a child module (`mod child;`) and
//! re-exporting its items is not an import, and a name that a parent re-exports leads to the file that defines it: a parent may
//! be the facade of its children. A file and the files of its directory are one unit: a child may also use what its
//! ancestors define (the vocabulary that the children share, or the type whose methods it implements), and that does not count as an
//! import either. Every other import does, so siblings, and files of different directories, must not need each other. Tests
//! are left out.

mod parse;

use std::collections::{BTreeMap, BTreeSet};

use crate::source::SourceLine;
use parse::{ItemPath, Module};

/// The files of one crate, and who imports whom.
#[derive(Debug, Default)]
pub struct Graph {
    /// Paths of the files, in order.
    files: Vec<String>,
    /// For each file, the indices of the files it imports, with a name that it imports from there.
    imports: Vec<BTreeMap<usize, String>>,
}

/// A cycle of imports: each file imports an item of the next one, and the last one of the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cycle {
    /// A shortest cycle, as files with the name that each imports from the next.
    pub path: Vec<(String, String)>,
    /// All files that can reach each other, of which the cycle is a part.
    pub files: Vec<String>,
}

impl Graph {
    /// Reads the import graph out of the files of one crate: their paths below `src/` (such as `session/output.rs`) and lines.
    pub fn new(sources: &[(String, &[SourceLine])]) -> Self {
        let modules: BTreeMap<Vec<String>, usize> = sources
            .iter()
            .enumerate()
            .filter(|(_, (file, _))| !is_test(file))
            .map(|(index, (file, _))| (module_path(file), index))
            .collect();
        let parsed: Vec<Module> = sources.iter().map(|(_, lines)| parse::module(lines)).collect();
        let names = ModuleIndex { modules: &modules, parsed: &parsed };
        let mut imports = vec![BTreeMap::new(); sources.len()];
        for (place, &index) in &modules {
            for (target, name) in names.imports(place, &parsed[index]) {
                // The descendants of a file may use what it defines.
                let ancestor = modules.iter().any(|(path, file)| *file == target && place.starts_with(path));
                if target != index && !ancestor {
                    imports[index].entry(target).or_insert(name);
                }
            }
        }
        Self { files: sources.iter().map(|(file, _)| file.clone()).collect(), imports }
    }

    /// The cycles, one for each group of files that can reach each other.
    pub fn cycles(&self) -> Vec<Cycle> {
        let reach: Vec<BTreeSet<usize>> = (0..self.files.len()).map(|from| self.reachable(from)).collect();
        let mut seen = BTreeSet::new();
        let mut cycles = Vec::new();
        for file in 0..self.files.len() {
            if seen.contains(&file) || !reach[file].contains(&file) {
                continue;
            }
            let group: Vec<usize> =
                reach[file].iter().copied().filter(|other| reach[*other].contains(&file)).collect();
            seen.extend(group.iter().copied());
            let shortest =
                group.iter().map(|start| self.shortest(*start)).min_by_key(Vec::len).unwrap_or_default();
            let path = (0..shortest.len()).map(|at| {
                let (from, to) = (shortest[at], shortest[(at + 1) % shortest.len()]);
                (self.files[from].clone(), self.imports[from].get(&to).cloned().unwrap_or_default())
            });
            cycles.push(Cycle {
                path: path.collect(),
                files: group.iter().map(|file| self.files[*file].clone()).collect(),
            });
        }
        cycles
    }

    fn reachable(&self, from: usize) -> BTreeSet<usize> {
        let mut seen = BTreeSet::new();
        let mut next: Vec<usize> = self.imports[from].keys().copied().collect();
        while let Some(file) = next.pop() {
            if seen.insert(file) {
                next.extend(self.imports[file].keys());
            }
        }
        seen
    }

    /// The shortest way from a file back to itself, without its repeated end; breadth first.
    fn shortest(&self, start: usize) -> Vec<usize> {
        let mut ways = std::collections::VecDeque::from([vec![start]]);
        let mut seen = BTreeSet::new();
        while let Some(way) = ways.pop_front() {
            let last = way[way.len() - 1];
            for &next in self.imports[last].keys() {
                if next == start {
                    return way;
                }
                if seen.insert(next) {
                    ways.push_back(way.iter().copied().chain([next]).collect());
                }
            }
        }
        vec![start]
    }
}

/// Whether a file holds tests only.
pub fn is_test(file: &str) -> bool {
    file == "tests.rs"
        || file.ends_with("/tests.rs")
        || file.starts_with("tests/")
        || file.contains("/tests/")
}

/// The path of a file's module: `a/b.rs` is `[a, b]`, the root of the crate is empty.
fn module_path(file: &str) -> Vec<String> {
    let stem = file.strip_suffix(".rs").unwrap_or(file);
    match stem {
        "lib" => Vec::new(),
        // A program beside a library sees the library by its name, so it is not the root of the modules.
        "main" => vec!["main".to_owned()],
        other => other.split('/').map(str::to_owned).collect(),
    }
}

/// The modules of a crate, to find out where a path leads.
struct ModuleIndex<'a> {
    modules: &'a BTreeMap<Vec<String>, usize>,
    parsed: &'a [Module],
}

/// Where a path leads.
enum PathTarget {
    /// A module as a whole.
    Module(Vec<String>),
    /// An item that this file defines.
    Item(usize),
}

/// The maximum number of re-exports that one path is followed through.
const DEEPEST: usize = 12;

impl ModuleIndex<'_> {
    /// The files that a file imports, each with a name from there.
    fn imports(&self, place: &[String], module: &Module) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        let mut aliases: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for child in &module.children {
            aliases.insert(child.clone(), [place, std::slice::from_ref(child)].concat());
        }
        for used in &module.uses {
            match self.resolve(place, &used.path, 0) {
                Some(PathTarget::Module(path)) if used.glob => found.extend(self.file(&path, "*")),
                Some(PathTarget::Module(path)) => {
                    aliases.insert(used.name.clone(), path);
                }
                // A re-export is an import only if the file uses the name itself.
                Some(PathTarget::Item(file)) if !used.public || module.mentions.contains(&used.name) => {
                    found.push((file, used.name.clone()));
                }
                Some(PathTarget::Item(_)) | None => {}
            }
        }
        for path in &module.paths {
            let target = match aliases.get(&path[0]) {
                Some(alias) => {
                    let rest = path[1..].iter().cloned();
                    let whole: ItemPath =
                        ["crate".to_owned()].into_iter().chain(alias.iter().cloned()).chain(rest).collect();
                    self.resolve(place, &whole, 0)
                }
                None => self.resolve(place, path, 0),
            };
            let name = path.last().cloned().unwrap_or_default();
            match target {
                Some(PathTarget::Item(file)) => found.push((file, name)),
                Some(PathTarget::Module(path)) => found.extend(self.file(&path, &name)),
                None => {}
            }
        }
        found
    }

    fn file(&self, module: &[String], name: &str) -> Option<(usize, String)> {
        self.modules.get(module).map(|file| (*file, name.to_owned()))
    }

    /// Follows a path from the module at `place`, through re-exports, to the file that defines its item.
    fn resolve(&self, place: &[String], path: &[String], depth: usize) -> Option<PathTarget> {
        if depth > DEEPEST {
            return None;
        }
        let mut at: Vec<String> = place.to_vec();
        let mut rest = path;
        let mut anchored = false;
        while let [first, tail @ ..] = rest {
            match first.as_str() {
                // The root of a program is `main`.
                "crate" => {
                    at = if self.modules.contains_key(&Vec::new()) {
                        Vec::new()
                    } else {
                        vec!["main".to_owned()]
                    }
                }
                "super" => {
                    at.pop();
                    if at.is_empty() && !self.modules.contains_key(&at) {
                        at.push("main".to_owned());
                    }
                }
                "self" => {}
                _ => break,
            }
            (rest, anchored) = (tail, true);
        }
        while let [first, tail @ ..] = rest {
            let child = self.child(&at, first);
            let Some(child) = child else { break };
            (at, rest, anchored) = (child, tail, true);
        }
        let index = *self.modules.get(&at)?;
        let [name, ..] = rest else { return Some(PathTarget::Module(at)) };
        let module = &self.parsed[index];
        if let Some(used) =
            module.uses.iter().find(|used| !used.glob && used.name == *name && used.path != path)
        {
            return self
                .resolve(&at, &used.path, depth + 1)
                .or((anchored).then_some(PathTarget::Item(index)));
        }
        if module.defines.contains(name) {
            return anchored.then_some(PathTarget::Item(index));
        }
        for used in module.uses.iter().filter(|used| used.glob) {
            if let Some(PathTarget::Module(other)) = self.resolve(&at, &used.path, depth + 1)
                && let Some(&file) = self.modules.get(&other)
                && file != index
                && (self.parsed[file].defines.contains(name)
                    || self.parsed[file].uses.iter().any(|used| used.name == *name))
            {
                return self.resolve(&other, &["self".to_owned(), name.clone()], depth + 1);
            }
        }
        anchored.then_some(PathTarget::Item(index))
    }

    /// The module `name` inside of the module at `place`, if it is a file.
    fn child(&self, place: &[String], name: &str) -> Option<Vec<String>> {
        let mut path = if place == ["main"] { Vec::new() } else { place.to_vec() };
        path.push(name.to_owned());
        self.modules.contains_key(&path).then_some(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source;

    fn cycles(files: &[(&str, &str)]) -> Vec<Vec<(String, String)>> {
        let lines: Vec<(String, Vec<SourceLine>)> =
            files.iter().map(|(file, text)| ((*file).to_owned(), source::lines(text))).collect();
        let sources: Vec<(String, &[SourceLine])> =
            lines.iter().map(|(file, lines)| (file.clone(), lines.as_slice())).collect();
        Graph::new(&sources).cycles().into_iter().map(|cycle| cycle.path).collect()
    }

    fn pair(from: &str, name: &str) -> (String, String) {
        (from.to_owned(), name.to_owned())
    }

    #[test]
    fn a_planted_cycle_between_siblings_is_found() {
        let found = cycles(&[
            ("lib.rs", "mod a;\nmod b;\n"),
            ("a.rs", "use crate::b::{B, Other};\npub struct A(B, Other);\n"),
            ("b.rs", "pub struct B;\npub struct Other;\nfn f() -> crate::a::A { todo() }\n"),
        ]);
        assert_eq!(found, [vec![pair("a.rs", "B"), pair("b.rs", "A")]]);
    }

    #[test]
    fn a_facade_is_not_a_cycle() {
        let found = cycles(&[
            ("lib.rs", "mod a;\nmod b;\npub use a::A;\npub use b::{self, B};\npub struct Shared;\n"),
            ("a.rs", "use crate::{B, Shared};\npub struct A(B, Shared);\n"),
            ("b.rs", "use crate::Shared;\npub struct B(Shared);\n"),
        ]);
        assert_eq!(found, [] as [Vec<(String, String)>; 0]);
    }

    #[test]
    fn a_parent_and_its_children_are_one_unit() {
        let found = cycles(&[
            ("lib.rs", "mod a;\n"),
            ("a.rs", "mod part;\nuse part::Part;\npub struct A(Part);\npub struct Limit;\n"),
            ("a/part.rs", "use super::Limit;\npub(super) struct Part(Limit);\n"),
        ]);
        assert_eq!(found, [] as [Vec<(String, String)>; 0]);
    }

    #[test]
    fn children_of_one_parent_that_need_each_other_are_a_cycle() {
        let found = cycles(&[
            ("lib.rs", "mod a;\n"),
            ("a.rs", "mod one;\nmod two;\n"),
            ("a/one.rs", "use super::two::Two;\npub(super) struct One(Two);\n"),
            ("a/two.rs", "pub(super) struct Two;\nfn f(_: super::one::One) {}\n"),
        ]);
        assert_eq!(found, [vec![pair("a/one.rs", "Two"), pair("a/two.rs", "One")]]);
    }

    #[test]
    fn a_cycle_through_module_names_and_re_exports_is_found() {
        let found = cycles(&[
            ("lib.rs", "pub mod a;\nmod b;\npub use b::B;\n"),
            ("a.rs", "use crate::B;\npub fn f(_: B) {}\n"),
            ("b.rs", "use crate::a;\npub struct B;\nfn g() { a::f(B) }\n"),
        ]);
        assert_eq!(found, [vec![pair("a.rs", "B"), pair("b.rs", "f")]]);
    }

    #[test]
    fn an_import_of_tests_does_not_count() {
        let found = cycles(&[
            ("lib.rs", "mod a;\nmod b;\n"),
            ("a.rs", "use crate::b::B;\npub struct A(B);\n"),
            ("b.rs", "pub struct B;\n#[cfg(test)]\nmod tests {\n    use crate::a::A;\n}\n"),
        ]);
        assert_eq!(found, [] as [Vec<(String, String)>; 0]);
    }
}
