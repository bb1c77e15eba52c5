//! Builds the program of a flow and validates it as a whole.

use crate::error::ScenarioError;
use crate::program::{Action, Dial, Loop, Operation, Program, Rounds};
use crate::template::Template;
use crate::yaml::node::Place;
use crate::yaml::reader::{NoticeSubject, Reader, Result};

/// The maximum number of steps in one file.
const MAX_STEPS: usize = 10_000;

/// The maximum nesting depth of loops.
const MAX_LOOPS: usize = 8;

/// A program under construction.
#[derive(Default)]
pub(crate) struct Builder {
    operations: Vec<Operation>,
    open_loops: usize,
}

/// The defaults of `connect` steps.
#[derive(Clone, Default)]
pub(crate) struct Defaults {
    /// `None` if the file has no target, or states it in each step.
    pub(crate) target: Option<(String, Place)>,
    pub(crate) headers: Vec<(String, Template)>,
    pub(crate) protocols: Vec<Template>,
}

impl Builder {
    pub(crate) fn push(&mut self, reader: &mut Reader, place: Place, action: Action) -> Result<()> {
        reader.steps += 1;
        if reader.steps > MAX_STEPS {
            let message = format!("more than {MAX_STEPS} steps in one file");
            return Err(reader.error_with_help(place, message, "write repeated steps as a loop"));
        }
        self.operations.push(Operation { line: place.line, action });
        Ok(())
    }

    /// Starts a loop, which contains the following steps until `leave`.
    pub(crate) fn enter(
        &mut self,
        reader: &mut Reader,
        place: Place,
        rounds: Rounds,
        (counter, element): (&str, &str),
    ) -> Result<usize> {
        self.open_loops += 1;
        if self.open_loops > MAX_LOOPS {
            return Err(reader.error(place, format!("more than {MAX_LOOPS} nested loops")));
        }
        let (counter, element) = (reader.names.set(counter), reader.names.set(element));
        let entered = self.operations.len();
        self.push(reader, place, Action::Enter(Loop { exit: 0, rounds, counter, element }))?;
        Ok(entered)
    }

    pub(crate) fn leave(&mut self, reader: &mut Reader, place: Place, entered: usize) -> Result<()> {
        self.open_loops -= 1;
        let takes_time = self.operations[entered..].iter().any(|operation| operation.action.takes_time());
        self.push(reader, place, Action::Repeat)?;
        let end = self.operations.len();
        if let Some(Operation { action: Action::Enter(entered), .. }) = self.operations.get_mut(entered) {
            entered.exit = end;
            if !takes_time && matches!(entered.rounds, Rounds::Forever | Rounds::For(_)) {
                return Err(reader.error_with_help(
                    place,
                    "this loop has no step that takes time",
                    "give it a `send`, `expect` or `think`",
                ));
            }
        }
        Ok(())
    }

    /// Returns whether a step so far opens or uses the connection.
    pub(crate) fn is_connected(&self) -> bool {
        self.operations.iter().any(|operation| operation.action.needs_link() || operation.action.is_connect())
    }

    /// Returns the program. It connects first if its steps do not contain a `connect` before they need a connection.
    pub(crate) fn finish(
        mut self,
        reader: &mut Reader,
        defaults: &Defaults,
        place: Place,
    ) -> Result<Program> {
        let decisive = |o: &&Operation| {
            !matches!(o.action, Action::Log(_) | Action::Set(..) | Action::Think(_) | Action::Enter(_))
        };
        if !self.operations.iter().find(decisive).is_some_and(|operation| operation.action.is_connect()) {
            let dial = dial(reader, defaults, None, place)?;
            self.operations.insert(0, Operation { line: place.line, action: Action::Connect(dial) });
            for operation in &mut self.operations {
                if let Action::Enter(entered) = &mut operation.action {
                    entered.exit += 1;
                }
            }
        }
        let expects = self.operations.iter().any(|operation| matches!(operation.action, Action::Expect(_)));
        Ok(Program { operations: self.operations, expects })
    }
}

impl Action {
    fn is_connect(&self) -> bool {
        matches!(self, Action::Connect(_))
    }

    fn needs_link(&self) -> bool {
        matches!(self, Action::Send { .. } | Action::Expect(_) | Action::ExpectEnd { .. } | Action::Close(..))
    }

    fn takes_time(&self) -> bool {
        self.is_connect() || matches!(self, Action::Think(_)) || self.needs_link()
    }
}

/// Returns a `connect` operation with the defaults of the file. `target` may be a path relative to the target of the file.
pub(crate) fn dial(
    reader: &mut Reader,
    defaults: &Defaults,
    target: Option<(&str, Place)>,
    place: Place,
) -> Result<Dial> {
    let base = defaults.target.as_ref().map(|(text, place)| (text.as_str(), *place));
    let (text, place) = match (target, base) {
        (Some((path, place)), Some((base, base_place))) if path.starts_with('/') => {
            (origin(base).ok_or_else(|| bad_url(reader, base, base_place))?.to_owned() + path, place)
        }
        (Some((text, place)), _) | (None, Some((text, place))) => (text.to_owned(), place),
        (None, None) => {
            return Err(reader.error_with_help(
                place,
                "the target is missing",
                "write `target: wss://example.com/ws`, or name the URL on the command line",
            ));
        }
    };
    let url = url(reader, &text, place)?;
    let target = reader.template(&url, place)?;
    Ok(Dial { target, headers: defaults.headers.clone(), protocols: defaults.protocols.clone() })
}

/// Validates a URL. `http` and `https` are replaced with `ws` and `wss`.
fn url(reader: &mut Reader, text: &str, place: Place) -> Result<String> {
    let text = text.trim();
    for (http, ws) in [("http://", "ws://"), ("https://", "wss://")] {
        if let Some(rest) = text.strip_prefix(http) {
            let correct = format!("{ws}{rest}");
            let message = format!("`{text}` is read as `{correct}`");
            reader.notice_once(NoticeSubject::HttpUrl(text.to_owned()), place, message);
            return Ok(correct);
        }
    }
    // If a variable contains the scheme, the URL is validated when the connection is opened.
    if text.starts_with("{{") {
        return Ok(text.to_owned());
    }
    match origin(text) {
        Some(_) if text.contains("{{") || url::Url::parse(text).is_ok() => Ok(text.to_owned()),
        _ => Err(bad_url(reader, text, place)),
    }
}

fn bad_url(reader: &Reader, text: &str, place: Place) -> ScenarioError {
    reader.error_with_help(
        place,
        format!("`{text}` is not a URL that can be dialled"),
        "write `ws://host/path` or `wss://host/path`, or `/path` where the file has a `target`",
    )
}

/// Returns scheme, host and port of a WebSocket or HTTP URL.
fn origin(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next().filter(|host| !host.is_empty())?;
    matches!(scheme, "ws" | "wss" | "http" | "https").then(|| &url[..scheme.len() + 3 + host.len()])
}
