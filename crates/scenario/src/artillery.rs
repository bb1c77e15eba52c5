//! The Artillery format, as its `ws` engine reads it (verified with the source of 2.0.34), and files that are close to it.

mod answer;
mod connection;
mod context;
mod steps;

use std::num::NonZeroU32;
use std::time::Duration;

use crate::builder::Builder;
use crate::keys::{Parts, target, variables};
use crate::native::{at_least_one, field_names, one_byte, one_of};
use crate::payload::PayloadFile;
use undrop_text::suggest;

use crate::yaml::node::{MapEntry, Node, YamlValue};
use crate::yaml::reader::{Fields, Reader, Result};
use context::FlowContext;

use crate::ensure;
use crate::model::{ArrivalPattern, ArrivalPhase, Condition, Dialect, Flow, Inputs, Spacing};

/// The default time that `wait`, and `send` with `match`, wait for a message; the same as in Artillery.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Keys of `config` that have no effect on a WebSocket test, or none here, each with the reason.
const WITHOUT_EFFECT: &[(&str, &str)] = &[
    ("http", "is about HTTP requests"),
    ("defaults", "is about HTTP requests, apart from `think`"),
    ("socketio", "is about Socket.IO"),
    ("environments", "is not applied: the values of `config` itself hold"),
    ("plugins", "is not loaded; the report has what the usual plugins add"),
    ("apdex", "belongs to a plugin"),
    ("statsInterval", "is not needed"),
    ("engines", "is not loaded: users do WebSocket flows only"),
    ("name", "is not used"),
    ("bundling", "is not needed"),
    ("includeFiles", "is not needed"),
];

/// Keys that refer to scripts, which are not supported.
const SCRIPTS: &[&str] =
    &["processor", "before", "after", "beforeScenario", "afterScenario", "beforeRequest", "afterResponse"];

pub(crate) fn read(reader: &mut Reader, entries: &[MapEntry], inputs: &Inputs) -> Result<Parts> {
    let mut top = Fields::new(entries, "the file");
    refuse_scripts(reader, &mut top)?;
    let config = top.take("config");
    let scenarios = top.take("scenarios");
    let mut corrected = false;

    // Guides often omit levels: keys of `config` or `scenarios` are found one level above.
    let nothing = [];
    let config_entries = match config {
        None => nothing.as_slice(),
        Some(entry) => match entry.value.map() {
            Some(entries) => entries,
            None if matches!(entry.value.kind, YamlValue::Null) => nothing.as_slice(),
            None => {
                let message = format!("`config` is a map of keys, not {}", entry.value.describe());
                return Err(reader.error(entry.value.place, message));
            }
        },
    };
    let mut config = Fields::new(config_entries, "`config`");
    refuse_scripts(reader, &mut config)?;
    let mut misplaced = |reader: &mut Reader,
                         config: &mut Fields<'_>,
                         key: &'static str|
     -> Option<MapEntry> {
        let inside = config.take(key).cloned();
        let outside = top.take_quietly(key).cloned();
        if let (None, Some(entry)) = (&inside, &outside) {
            corrected = true;
            reader
                .notice(entry.place, format!("`{key}` belongs in `config`, and is read as if it were there"));
        }
        inside.or(outside)
    };
    let target_entry = misplaced(reader, &mut config, "target");
    let phase_entry = misplaced(reader, &mut config, "phases");
    let ws_entry = misplaced(reader, &mut config, "ws");
    let tls_entry = misplaced(reader, &mut config, "tls");
    let variable_entry = misplaced(reader, &mut config, "variables");
    let payload_entry = misplaced(reader, &mut config, "payload");
    let ensure_entry = misplaced(reader, &mut config, "ensure");
    let timeout_entry = misplaced(reader, &mut config, "timeout");
    let mode_entry = config.take("mode");
    let engine_entry = config.take("engine");
    let flow_entry = top.take_quietly("flow").or_else(|| config.take_quietly("flow"));
    let scenarios = scenarios.or_else(|| {
        let entry = config.take_quietly("scenarios")?;
        corrected = true;
        reader.notice(
            entry.place,
            "`scenarios` belongs next to `config`, not in it, and is read as if it were there",
        );
        Some(entry)
    });
    let jitter = steps::default_jitter(reader, &mut config)?;
    let plugin_ensure = plugin_ensure(reader, &config)?;
    leftovers(reader, &mut config)?;
    for entry in top.left() {
        unknown_top(reader, entry, top.known())?;
    }

    let mut defaults = target(reader, target_entry.as_ref(), inputs)?;
    if let Some(entry) = &payload_entry {
        payloads(reader, entry)?;
    }
    variables(reader, variable_entry.as_ref(), inputs)?;
    let (connection, ws_timeout) =
        connection::read(reader, ws_entry.as_ref(), tls_entry.as_ref(), &mut defaults)?;
    let timeout = timeout_entry.map(|entry| reader.duration(&entry)).transpose()?;
    let within = timeout.or(ws_timeout).unwrap_or(ANSWER_WITHIN);
    let mode = mode_entry.map(|entry| spacing(reader, entry)).transpose()?.unwrap_or_default();
    let mut phases = Vec::new();
    if let Some(entry) = &phase_entry {
        match &entry.value.kind {
            YamlValue::List(nodes) => {
                for node in nodes {
                    phases.push(phase(reader, node, mode)?);
                }
            }
            _ => {
                corrected = true;
                reader.notice(entry.place, "`phases` must be a list; it is read as a list of one element");
                phases.push(phase(reader, &entry.value, mode)?);
            }
        }
    }
    let mut conditions =
        ensure_entry.map(|entry| ensure::artillery(reader, &entry)).transpose()?.unwrap_or_default();
    conditions.extend(plugin_ensure);

    let mut context = FlowContext { defaults, within, jitter, corrected };
    let engine = engine_entry.map(|entry| reader.text(entry)).transpose()?;
    let flows = flows(reader, &mut context, scenarios, flow_entry, engine.as_deref(), entries)?;
    let dialect = if context.corrected { Dialect::Guide } else { Dialect::Artillery };
    Ok(Parts { dialect, connection, phases, flows, ensure: conditions })
}

fn refuse_scripts(reader: &Reader, fields: &mut Fields<'_>) -> Result<()> {
    for key in SCRIPTS {
        if let Some(entry) = fields.take_quietly(key) {
            return Err(reader.error_with_help(
                entry.place,
                format!("`{key}` is not supported: JavaScript is not run here"),
                "write what it does as steps, captures and templates, or take it out",
            ));
        }
    }
    Ok(())
}

/// Reads thresholds that are written under `plugins` instead of `config.ensure`.
fn plugin_ensure(reader: &mut Reader, config: &Fields<'_>) -> Result<Vec<Condition>> {
    let plugins = config.left().find(|entry| entry.key == "plugins");
    let plugins = plugins.and_then(|entry| entry.value.map()).unwrap_or_default();
    match plugins.iter().find(|entry| entry.key == "ensure") {
        Some(entry) => ensure::artillery(reader, entry),
        None => Ok(Vec::new()),
    }
}

/// Reports the remaining keys of `config`: known keys without effect, mistyped keys, and keys that Artillery ignores too.
fn leftovers(reader: &mut Reader, config: &mut Fields<'_>) -> Result<()> {
    for (key, why) in WITHOUT_EFFECT {
        if let Some(entry) = config.take_quietly(key) {
            let only_ensure = *key == "plugins"
                && entry.value.map().is_some_and(|entries| entries.iter().all(|entry| entry.key == "ensure"));
            let only_think = *key == "defaults"
                && entry.value.map().is_some_and(|entries| entries.iter().all(|entry| entry.key == "think"));
            if !only_ensure && !only_think {
                reader.notice(entry.place, format!("`config.{key}` {why}; it is ignored"));
            }
        }
    }
    for entry in config.left() {
        if suggest::nearest(&entry.key, config.known().iter().copied()).is_some() {
            return Err(reader.unknown_key(entry, "`config`", config.known()));
        }
        reader.notice(entry.place, format!("`config.{}` is unknown and ignored", entry.key));
    }
    Ok(())
}

fn unknown_top(reader: &mut Reader, entry: &MapEntry, known: &[&str]) -> Result<()> {
    if suggest::nearest(&entry.key, known.iter().copied()).is_some() {
        return Err(reader.unknown_key(entry, "the file", known));
    }
    // Keys that only contain YAML anchors are common.
    if !entry.key.starts_with(['x', '.', '_', '$']) {
        reader.notice(entry.place, format!("`{}` is unknown and ignored", entry.key));
    }
    Ok(())
}

fn payloads(reader: &mut Reader, entry: &MapEntry) -> Result<()> {
    let nodes = match &entry.value.kind {
        YamlValue::List(nodes) => nodes.as_slice(),
        _ => std::slice::from_ref(&entry.value),
    };
    for node in nodes {
        let mut fields = reader.fields(node, "`payload`")?;
        let (path, names, order) = (fields.take("path"), fields.take("fields"), fields.take("order"));
        let (skip, delimiter, cast) =
            (fields.take("skipHeader"), fields.take("delimiter"), fields.take("cast"));
        let (all, name) = (fields.take("loadAll"), fields.take("name"));
        // Empty lines are skipped in any case.
        fields.take("skipEmptyLines");
        reader.finish(&fields)?;
        let path = path.ok_or_else(|| reader.error(node.place, "`payload` needs a `path`"))?;
        let all = all.map(|entry| reader.flag(entry)).transpose()?.unwrap_or(false);
        if names.is_none() && !all {
            return Err(reader.error_with_help(
                node.place,
                "`payload` needs `fields`",
                "name the columns: `fields: [user, token]`",
            ));
        }
        let all_as = match (all, name) {
            (true, None) => return Err(reader.error(node.place, "`loadAll` needs a `name` for the list")),
            (true, Some(entry)) => Some(reader.text(entry)?),
            (false, _) => None,
        };
        let payload = PayloadFile {
            path: reader.fixed(path)?,
            place: path.value.place,
            fields: Some(names.map(|entry| field_names(reader, entry)).transpose()?.unwrap_or_default()),
            skip_header: skip.map(|entry| reader.flag(entry)).transpose()?.unwrap_or(false),
            delimiter: delimiter.map(|entry| one_byte(reader, entry)).transpose()?.unwrap_or(b','),
            in_sequence: match order {
                Some(entry) => one_of(reader, entry, &["sequence", "random"])? == 0,
                None => false,
            },
            cast: cast.map(|entry| reader.flag(entry)).transpose()?.unwrap_or(true),
            all_as,
        };
        payload.read(reader)?;
    }
    Ok(())
}

fn spacing(reader: &Reader, entry: &MapEntry) -> Result<Spacing> {
    match one_of(reader, entry, &["uniform", "poisson"])? {
        1 => Ok(Spacing::Poisson),
        _ => Ok(Spacing::Even),
    }
}

fn phase(reader: &mut Reader, node: &Node, mode: Spacing) -> Result<ArrivalPhase> {
    let mut fields = reader.fields(node, "a phase")?;
    let (name, duration) = (fields.take("name"), fields.take("duration"));
    let (rate, ramp) = (fields.take("arrivalRate"), fields.take("rampTo"));
    let (count, max, pause) = (fields.take("arrivalCount"), fields.take("maxVusers"), fields.take("pause"));
    let own_mode = fields.take("mode");
    reader.finish(&fields)?;

    let mode = own_mode.map(|entry| spacing(reader, entry)).transpose()?.unwrap_or(mode);
    let name = name.map(|entry| reader.text(entry)).transpose()?;
    let max_users: Option<NonZeroU32> = max.map(|entry| at_least_one(reader, entry)).transpose()?;
    let length = duration.map(|entry| reader.duration(entry)).transpose()?;
    let load = if let Some(entry) = pause {
        ArrivalPattern::Pause(reader.duration(entry)?)
    } else {
        let Some(duration) = length.filter(|length| !length.is_zero()) else {
            return Err(
                reader.error(node.place, "a phase needs a `duration` of more than zero, or is a `pause`")
            );
        };
        match (count, rate, ramp) {
            (Some(entry), rate, ramp) => {
                if let Some(other) = rate.or(ramp) {
                    let message =
                        format!("`arrivalCount` has precedence, as in Artillery; `{}` is ignored", other.key);
                    reader.notice(other.place, message);
                }
                ArrivalPattern::Count { duration, users: reader.count(entry)? }
            }
            (None, Some(entry), ramp) => {
                let from = reader.number(entry)?;
                let to = ramp.map(|entry| reader.number(entry)).transpose()?.unwrap_or(from);
                ArrivalPattern::Rate { duration, from, to, spacing: mode }
            }
            (None, None, Some(ramp)) => {
                let to = reader.number(ramp)?;
                reader.notice(ramp.place, "`rampTo` without `arrivalRate` starts at 0 users per second");
                ArrivalPattern::Rate { duration, from: 0.0, to, spacing: mode }
            }
            (None, None, None) => {
                return Err(reader.error_with_help(
                    node.place,
                    "this phase defines no arrivals",
                    "give it an `arrivalRate` (users per second) or an `arrivalCount`",
                ));
            }
        }
    };
    Ok(ArrivalPhase { name, line: node.place.line, load, max_users })
}

fn flows(
    reader: &mut Reader,
    context: &mut FlowContext,
    scenarios: Option<&MapEntry>,
    flow: Option<&MapEntry>,
    engine: Option<&str>,
    entries: &[MapEntry],
) -> Result<Vec<Flow>> {
    if let Some(entry) = scenarios {
        if let Some(flow) = flow {
            return Err(reader.error(flow.place, "`flow` belongs in a scenario of `scenarios`"));
        }
        let nodes = match &entry.value.kind {
            YamlValue::List(nodes) if !nodes.is_empty() => nodes.as_slice(),
            YamlValue::Map(_) => {
                context.corrected = true;
                reader.notice(entry.place, "`scenarios` must be a list; it is read as a list of one element");
                std::slice::from_ref(&entry.value)
            }
            _ => {
                return Err(reader.error_with_help(
                    entry.place,
                    "`scenarios` is empty",
                    "add `- engine: ws` with a `flow`",
                ));
            }
        };
        let nodes = nodes.iter().enumerate();
        return nodes.map(|(index, node)| scenario(reader, context, node, index, engine)).collect();
    }
    let Some(flow) = flow else {
        let place = entries.first().map(|entry| entry.place).unwrap_or_default();
        return Err(reader.error_with_help(
            place,
            "the file has no `scenarios`, so users would do nothing",
            "add `scenarios:` with `- engine: ws` and a `flow`",
        ));
    };
    context.corrected = true;
    reader.notice(
        flow.place,
        "Artillery rejects a file without `scenarios`; `flow` is read as the only scenario, with `engine: ws`",
    );
    Ok(vec![read_flow(reader, context, flow, "flow 1".to_owned(), 1)?])
}

fn scenario(
    reader: &mut Reader,
    context: &mut FlowContext,
    node: &Node,
    index: usize,
    default_engine: Option<&str>,
) -> Result<Flow> {
    let mut fields = reader.fields(node, "a scenario")?;
    refuse_scripts(reader, &mut fields)?;
    let (name, engine) = (fields.take("name"), fields.take("engine"));
    let (weight, flow) = (fields.take("weight"), fields.take("flow"));
    for key in ["tags", "description"] {
        fields.take_quietly(key);
    }
    reader.finish(&fields)?;
    let name = name.map(|entry| reader.text(entry)).transpose()?;
    let name = name.unwrap_or_else(|| format!("scenario {}", index + 1));
    let said = engine.map(|entry| reader.text(entry)).transpose()?;
    match said.as_deref().or(default_engine) {
        Some("ws") => {}
        Some("websocket") => {
            reader.notice(node.place, "`engine: websocket` is read as `engine: ws`");
        }
        Some(other) => {
            let place = engine.map_or(node.place, |entry| entry.value.place);
            return Err(reader.error_with_help(
                place,
                format!("the engine `{other}` is not supported"),
                "only `engine: ws` is: this is a load test for WebSockets",
            ));
        }
        None => {
            context.corrected = true;
            reader.notice(
                node.place,
                format!("the scenario `{name}` has no `engine`; Artillery would run it as HTTP, but it is read with `engine: ws`"),
            );
        }
    }
    let weight = match weight {
        None => 1,
        Some(entry) => match reader.number(entry)? as u32 {
            0 => {
                return Err(
                    reader.error(entry.value.place, "a `weight` of 0 is never picked; take the scenario out")
                );
            }
            weight => weight,
        },
    };
    let flow =
        flow.ok_or_else(|| reader.error(node.place, format!("the scenario `{name}` needs a `flow`")))?;
    read_flow(reader, context, flow, name, weight)
}

fn read_flow(
    reader: &mut Reader,
    context: &mut FlowContext,
    entry: &MapEntry,
    name: String,
    weight: u32,
) -> Result<Flow> {
    let nodes = reader.list(entry)?;
    if nodes.is_empty() {
        return Err(reader.error(entry.place, "`flow` is empty"));
    }
    let mut builder = Builder::default();
    for node in nodes {
        steps::read(reader, &mut builder, context, node)?;
    }
    let program = builder.finish(reader, &context.defaults, entry.place)?;
    Ok(Flow { name, line: entry.place.line, weight, program })
}
