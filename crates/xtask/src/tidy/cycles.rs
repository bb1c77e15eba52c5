//! The files of a crate do not import each other in a circle.

use crate::Problem;
use crate::imports::Graph;

/// Names each cycle in the files of one crate; `src` is the path of its sources.
pub(super) fn check(src: &str, graph: &Graph) -> Vec<Problem> {
    let cycles = graph.cycles().into_iter().map(|cycle| {
        let steps: Vec<String> =
            cycle.path.iter().map(|(file, name)| format!("{file} imports {name} from")).collect();
        let first = cycle.path.first().map_or("", |(file, _)| file.as_str());
        let message = format!(
            "{} files import each other in a circle: {} {first}; move what is shared to a separate file{}",
            cycle.files.len(),
            steps.join(" "),
            if cycle.files.len() > cycle.path.len() {
                format!(" (all: {})", cycle.files.join(", "))
            } else {
                String::new()
            }
        );
        Problem::new(src, message)
    });
    cycles.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source;

    #[test]
    fn a_planted_cycle_is_a_problem_that_names_the_way() {
        let a = source::lines("use crate::b::B;\npub struct A(B);\n");
        let b = source::lines("use crate::a::A;\npub struct B(Box<A>);\n");
        let lib = source::lines("mod a;\nmod b;\n");
        let graph = Graph::new(&[
            ("a.rs".to_owned(), a.as_slice()),
            ("b.rs".to_owned(), b.as_slice()),
            ("lib.rs".to_owned(), lib.as_slice()),
        ]);
        let problems = check("crates/x/src", &graph);
        assert_eq!(problems.len(), 1);
        assert!(
            problems[0].message.contains("a.rs imports B from b.rs imports A from a.rs"),
            "{}",
            problems[0].message
        );
    }
}
