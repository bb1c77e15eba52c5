//! The steps of a `flow`.
use undrop_text::duration;

use super::answer;
use super::connection;
use super::context::FlowContext;
use crate::builder::Builder;
use crate::builder::dial;
use crate::keys::check_name;
use crate::keys::{headers, texts};
use crate::model::ConnectionOptions;
use crate::native;
use crate::program::{Action, Jitter, Pause, PauseTime, Rounds, parse_count};
use crate::yaml::node::Place;
use crate::yaml::node::{MapEntry, Node, YamlValue};
use crate::yaml::reader::suggestion;
use crate::yaml::reader::{Fields, NoticeSubject, Reader, Result};

/// The names of the steps.
const STEPS: &[&str] = &["connect", "send", "wait", "think", "loop", "log", "expect", "close"];

/// The keys that belong to a step, which is named second.
const COMPANIONS: &[(&str, &str)] = &[
    ("jitter", "think"),
    ("count", "loop"),
    ("over", "loop"),
    ("whileTrue", "loop"),
    ("loopValue", "loop"),
    ("loopElement", "loop"),
];

/// The steps of other engines of Artillery.
const FOREIGN: &[&str] =
    &["get", "post", "put", "patch", "delete", "head", "options", "emit", "request", "parallel"];

pub(crate) fn read(
    reader: &mut Reader,
    builder: &mut Builder,
    context: &mut FlowContext,
    node: &Node,
) -> Result<()> {
    match &node.kind {
        // A list of steps that was inserted by a YAML alias. Artillery flattens it too.
        YamlValue::List(nodes) => nodes.iter().try_for_each(|node| read(reader, builder, context, node)),
        YamlValue::Text(word) => {
            let nothing = Node { place: node.place, kind: YamlValue::Null };
            let entry = MapEntry { key: word.trim().to_owned(), place: node.place, value: nothing };
            context.corrected = true;
            let message = format!("a step is a key in Artillery; `- {word}` is read as `- {word}:`");
            reader.notice_once(NoticeSubject::BareStep, node.place, message);
            read_map(reader, builder, context, std::slice::from_ref(&entry), node.place)
        }
        YamlValue::Map(entries) => read_map(reader, builder, context, entries, node.place),
        _ => {
            Err(reader.error(node.place, format!("a step is a key such as `send`, not {}", node.describe())))
        }
    }
}

fn read_map(
    reader: &mut Reader,
    builder: &mut Builder,
    context: &mut FlowContext,
    entries: &[MapEntry],
    place: Place,
) -> Result<()> {
    let steps: Vec<&MapEntry> = entries.iter().filter(|entry| STEPS.contains(&entry.key.as_str())).collect();
    for entry in entries {
        let key = entry.key.as_str();
        if key == "function" || key == "beforeRequest" || key == "afterResponse" {
            return Err(reader.error_with_help(
                entry.place,
                format!(
                    "`{key}: {}` is not supported: JavaScript is not run here",
                    entry.value.scalar().unwrap_or_default()
                ),
                "write what it does as steps, captures and templates, or take it out",
            ));
        }
        if FOREIGN.contains(&key) {
            return Err(reader.error(entry.place, format!("`{key}` is not a step of the ws engine")));
        }
        if let Some((_, owner)) = COMPANIONS.iter().find(|(companion, _)| *companion == key) {
            if !steps.iter().any(|step| step.key == *owner) {
                return Err(reader
                    .error(entry.place, format!("`{key}` goes with `{owner}`, which is not in this step")));
            }
        } else if !STEPS.contains(&key) {
            let message = format!("unknown step `{key}`");
            return Err(reader.error_with_help(entry.place, message, suggestion(key, STEPS)));
        }
    }
    match steps.as_slice() {
        [] => return Err(reader.error(place, "this step is empty")),
        [first, second, ..] => {
            context.corrected = true;
            let message = format!(
                "`{}` and `{}` in one step; read as separate steps, in this order",
                first.key, second.key
            );
            reader.notice(second.place, message);
        }
        [_] => {}
    }
    for entry in steps {
        step(reader, builder, context, entries, entry)?;
    }
    Ok(())
}

fn step(
    reader: &mut Reader,
    builder: &mut Builder,
    context: &mut FlowContext,
    entries: &[MapEntry],
    entry: &MapEntry,
) -> Result<()> {
    let place = entry.place;
    let companion = |key: &str| entries.iter().find(|entry| entry.key == key);
    let action = match entry.key.as_str() {
        "connect" if builder.is_connected() => {
            reader.notice(
                place,
                "only the first `connect` of a flow connects in Artillery; this one is ignored",
            );
            return Ok(());
        }
        "connect" => connect(reader, context, entry)?,
        "send" | "wait" => return answer::read(reader, builder, context, entry),
        "expect" => {
            let message = "`expect` is not a step of Artillery's ws engine (it would stop with `invalid_step`); read as: wait for this message";
            reader.notice_once(NoticeSubject::ArtilleryExpect, place, message);
            context.corrected = true;
            Action::Expect(answer::expect(reader, entry, context.within)?)
        }
        "think" => Action::Think(think(reader, context, entry, companion("jitter"))?),
        "loop" => return read_loop(reader, builder, context, entry, entries),
        "log" => Action::Log(reader.template_of(entry)?),
        _ => {
            context.corrected = true;
            native::close(reader, entry)?
        }
    };
    builder.push(reader, place, action)
}

fn connect(reader: &mut Reader, context: &mut FlowContext, entry: &MapEntry) -> Result<Action> {
    let YamlValue::Map(_) = &entry.value.kind else {
        let target = match entry.value.kind {
            YamlValue::Null => None,
            _ => Some((reader.text(entry)?, entry.value.place)),
        };
        let target = target.as_ref().map(|(text, place)| (text.as_str(), *place));
        return Ok(Action::Connect(dial(reader, &context.defaults, target, entry.place)?));
    };
    let mut fields = reader.fields(&entry.value, "`connect`")?;
    if let Some(function) = fields.take_quietly("function") {
        return Err(reader.error_with_help(
            function.place,
            "`connect.function` is not supported: JavaScript is not run here",
            "write `target`, `headers` and `subprotocols` with templates",
        ));
    }
    let mut defaults = context.defaults.clone();
    let mut target = fields.take("target");
    for wrong in ["url", "uri"] {
        if let Some(entry) = fields.take_quietly(wrong) {
            context.corrected = true;
            reader.notice(
                entry.place,
                format!("`connect.{wrong}` is not supported by Artillery; it is read as `target`"),
            );
            target = target.or(Some(entry));
        }
    }
    let target = target.map(|entry| Ok((reader.text(entry)?, entry.value.place))).transpose()?;
    if let Some(entry) = fields.take("subprotocols") {
        defaults.protocols = texts(reader, entry)?;
    }
    if let Some(entry) = fields.take("headers") {
        defaults.headers.clear();
        headers(reader, entry, &mut defaults)?;
    }
    let mut special = ConnectionOptions::default();
    connection::options(reader, &mut fields, &mut defaults, &mut special, "connect")?;
    if special != ConnectionOptions::default() {
        let message = "TLS, proxy and compression are the same for all connections here";
        return Err(reader.error_with_help(entry.place, message, "move these options to `config.ws`"));
    }
    let target = target.as_ref().map(|(text, place)| (text.as_str(), *place));
    Ok(Action::Connect(dial(reader, &defaults, target, entry.place)?))
}

fn think(
    reader: &mut Reader,
    context: &FlowContext,
    entry: &MapEntry,
    jitter: Option<&MapEntry>,
) -> Result<Pause> {
    let time = native::read_time(reader, entry)?;
    let number = entry.value.scalar().and_then(|text| text.trim().parse::<f64>().ok());
    if let (PauseTime::Fixed(time), Some(number)) = (&time, number)
        && number.fract() != 0.0
    {
        let message = format!(
            "`think: {number}` is {} here, as numbers are seconds; Artillery would wait {number} ms, since it takes fractions as milliseconds",
            duration::spell(*time)
        );
        reader.notice(entry.place, message);
    }
    let jitter = match jitter {
        Some(entry) => self::jitter(reader, entry)?,
        None => context.jitter,
    };
    Ok(Pause { time, jitter })
}

/// Reads `jitter`. Numbers are seconds here, as everywhere; in Artillery they are milliseconds, although `think` is in seconds.
fn jitter(reader: &mut Reader, entry: &MapEntry) -> Result<Jitter> {
    let jitter = native::read_jitter(reader, entry)?;
    let is_number = entry.value.scalar().is_some_and(|text| text.trim().parse::<f64>().is_ok());
    if let (Jitter::By(spread), true) = (jitter, is_number) {
        let message = format!(
            "`jitter` is ±{} here, as numbers are seconds; Artillery takes it as milliseconds",
            duration::spell(spread)
        );
        reader.notice(entry.place, message);
    }
    Ok(jitter)
}

/// Reads the default jitter, `config.defaults.think.jitter`.
pub(crate) fn default_jitter(reader: &mut Reader, config: &mut Fields<'_>) -> Result<Jitter> {
    let defaults = config.left().find(|entry| entry.key == "defaults").and_then(|entry| entry.value.map());
    let think = defaults.unwrap_or_default().iter().find(|entry| entry.key == "think");
    let jitter_entry = think.and_then(|entry| entry.value.map()?.iter().find(|entry| entry.key == "jitter"));
    jitter_entry.map_or(Ok(Jitter::None), |entry| jitter(reader, entry))
}

fn read_loop(
    reader: &mut Reader,
    builder: &mut Builder,
    context: &mut FlowContext,
    entry: &MapEntry,
    entries: &[MapEntry],
) -> Result<()> {
    let companion = |key: &str| entries.iter().find(|entry| entry.key == key);
    if let Some(entry) = companion("whileTrue") {
        return Err(reader.error_with_help(
            entry.place,
            "`whileTrue` names a JavaScript function, which is not run here",
            "use `count` or `over`",
        ));
    }
    let name = |reader: &Reader, key: &str, usual: &str| match companion(key) {
        Some(entry) => {
            let name = reader.text(entry)?;
            check_name(reader, &name, entry.value.place).map(|()| name)
        }
        None => Ok(usual.to_owned()),
    };
    let (counter, element) =
        (name(reader, "loopValue", "$loopCount")?, name(reader, "loopElement", "$loopElement")?);
    let rounds = match (companion("over"), companion("count")) {
        (Some(over), count) => {
            if let Some(count) = count {
                reader.notice(
                    count.place,
                    "`over` determines the number of rounds; `count` is ignored, as in Artillery",
                );
            }
            Rounds::Over(native::over_list(reader, over)?)
        }
        (None, Some(count)) => self::rounds(reader, count)?,
        (None, None) => Rounds::Forever,
    };
    let entered = builder.enter(reader, entry.place, rounds, (&counter, &element))?;
    for node in reader.list(entry)? {
        read(reader, builder, context, node)?;
    }
    builder.leave(reader, entry.place, entered)
}

fn rounds(reader: &mut Reader, entry: &MapEntry) -> Result<Rounds> {
    let text = match &entry.value.kind {
        YamlValue::Number(number) if number.as_i64() == Some(-1) => return Ok(Rounds::Forever),
        _ => reader.text(entry)?,
    };
    if text.contains("{{") {
        let template = reader.template(&text, entry.value.place)?;
        if template.fixed().is_none() {
            return Ok(Rounds::Computed(template));
        }
    }
    let text = reader.fixed(entry)?;
    let Some((from, before)) = parse_count(&text) else {
        let message = format!("`count` is a number of rounds, or a range such as `1-10`, not `{text}`");
        return Err(reader.error(entry.value.place, message));
    };
    if before == 0 {
        reader.notice(entry.place, "`count: 0` runs no round; Artillery would loop forever");
    }
    if from > 0 {
        let rounds = before.saturating_sub(from);
        reader.notice(
            entry.place,
            format!("`count: {text}` is {rounds} rounds, as in Artillery: the last number is not reached"),
        );
    }
    Ok(Rounds::Range(from, before))
}
