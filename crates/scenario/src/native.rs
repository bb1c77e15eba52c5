//! The native format: `target`, `phases`, `flows`.

mod steps;

pub(crate) use steps::{
    EXPECT_KEYS, close, expect, json_checks, json_path, over_list, read_jitter, read_time,
};

use crate::builder::{Builder, Defaults};
use crate::ensure;
use crate::keys::{Parts, headers, target, texts, variables};
use crate::model::{ArrivalPattern, ArrivalPhase, ConnectionOptions, Dialect, Flow, Inputs, Spacing};
use crate::payload::PayloadFile;
use crate::yaml::node::{MapEntry, Node};
use crate::yaml::reader::{Fields, Reader, Result};
use std::num::NonZeroU32;
use std::time::Duration;
use undrop_text::duration;

/// The default time that a step waits for its message.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

pub(crate) fn read(reader: &mut Reader, entries: &[MapEntry], inputs: &Inputs) -> Result<Parts> {
    let mut fields = Fields::new(entries, "a scenario");
    let mut defaults = target(reader, fields.take("target"), inputs)?;
    let payload = fields.take("payload");
    let variable = fields.take("variables");
    let header = fields.take("headers");
    let protocols = fields.take("protocols");
    let within = fields.take("answer-within");
    let phase_list = fields.take("phases");
    let flow_list = fields.take("flows");
    let step_list = fields.take("steps");
    let conditions = fields.take("ensure");
    let connection = connection(reader, &mut fields)?;
    reader.finish(&fields)?;

    if let Some(entry) = payload {
        match entry.value.list() {
            Some(items) => items.iter().try_for_each(|item| read_payload(reader, item))?,
            None => read_payload(reader, &entry.value)?,
        }
    }
    variables(reader, variable, inputs)?;
    if let Some(entry) = header {
        headers(reader, entry, &mut defaults)?;
    }
    if let Some(entry) = protocols {
        defaults.protocols = texts(reader, entry)?;
    }
    let within = within.map(|entry| reader.duration(entry)).transpose()?.unwrap_or(ANSWER_WITHIN);
    let mut phases = Vec::new();
    if let Some(entry) = phase_list {
        for node in reader.list(entry)? {
            phases.push(phase(reader, node)?);
        }
    }
    let flows = match (flow_list, step_list) {
        (Some(list), None) => {
            let nodes = reader.list(list)?;
            if nodes.is_empty() {
                return Err(reader.error(list.place, "`flows` is empty"));
            }
            let flows = nodes.iter().enumerate();
            flows.map(|(index, node)| flow(reader, node, index, &defaults, within)).collect::<Result<_>>()?
        }
        (None, Some(entry)) => vec![steps_as_flow(reader, entry, "flow 1".to_owned(), 1, &defaults, within)?],
        (Some(_), Some(entry)) => {
            return Err(reader
                .error(entry.place, "a scenario has `flows`, or `steps` when it has one flow, not both"));
        }
        (None, None) => {
            let place = entries.first().map(|entry| entry.place).unwrap_or_default();
            return Err(reader.error_with_help(
                place,
                "the scenario has no steps",
                "add `steps:` or `flows:`",
            ));
        }
    };
    let ensure = conditions.map(|entry| ensure::native(reader, entry)).transpose()?.unwrap_or_default();
    Ok(Parts { dialect: Dialect::Native, connection, phases, flows, ensure })
}

fn connection(reader: &mut Reader, fields: &mut Fields<'_>) -> Result<ConnectionOptions> {
    let mut connection = ConnectionOptions::default();
    if let Some(entry) = fields.take("proxy") {
        connection.proxy = Some(reader.fixed(entry)?);
    }
    if let Some(entry) = fields.take("handshake-within") {
        connection.handshake_timeout = Some(reader.duration(entry)?);
    }
    if let Some(entry) = fields.take("compress") {
        connection.compress = Some(reader.flag(entry)?);
    }
    if let Some(entry) = fields.take("tls") {
        let mut tls = reader.fields(&entry.value, "`tls`")?;
        if let Some(entry) = tls.take("insecure") {
            connection.insecure = reader.flag(entry)?;
        }
        if let Some(entry) = tls.take("ca") {
            connection.ca = Some(reader.folder.join(reader.text(entry)?));
        }
        if let Some(entry) = tls.take("server-name") {
            connection.server_name = Some(reader.text(entry)?);
        }
        reader.finish(&tls)?;
    }
    Ok(connection)
}

fn read_payload(reader: &mut Reader, node: &Node) -> Result<()> {
    let mut fields = reader.fields(node, "`payload`")?;
    let file = fields.take("file");
    let names = fields.take("fields");
    let order = fields.take("order");
    let delimiter = fields.take("delimiter");
    let list_as = fields.take("list-as");
    let text = fields.take("text-only");
    reader.finish(&fields)?;
    let file = file.ok_or_else(|| reader.error(node.place, "`payload` needs a `file`"))?;
    let fields = names.map(|entry| field_names(reader, entry)).transpose()?;
    let payload = PayloadFile {
        path: reader.fixed(file)?,
        place: file.value.place,
        fields,
        skip_header: false,
        delimiter: delimiter.map(|entry| one_byte(reader, entry)).transpose()?.unwrap_or(b','),
        in_sequence: match order {
            None => true,
            Some(entry) => one_of(reader, entry, &["sequence", "random"])? == 0,
        },
        cast: !text.map(|entry| reader.flag(entry)).transpose()?.unwrap_or(false),
        all_as: list_as.map(|entry| reader.text(entry)).transpose()?,
    };
    payload.read(reader)
}

pub(crate) fn field_names(
    reader: &mut Reader,
    entry: &MapEntry,
) -> Result<Vec<(String, crate::yaml::node::Place)>> {
    let mut names = Vec::new();
    for item in reader.list(entry)? {
        let name = item.scalar().ok_or_else(|| reader.error(item.place, "`fields` is a list of names"))?;
        names.push((name, item.place));
    }
    Ok(names)
}

pub(crate) fn one_byte(reader: &mut Reader, entry: &MapEntry) -> Result<u8> {
    match reader.text(entry)?.as_bytes() {
        [byte] => Ok(*byte),
        b"\\t" => Ok(b'\t'),
        _ => Err(reader.error(entry.value.place, format!("`{}` is one character", entry.key))),
    }
}

/// Returns the index of a word in `words`.
pub(crate) fn one_of(reader: &Reader, entry: &MapEntry, words: &[&str]) -> Result<usize> {
    let word = reader.text(entry)?;
    words.iter().position(|known| *known == word).ok_or_else(|| {
        let message = format!("`{}` cannot be `{word}`", entry.key);
        reader.error_with_help(entry.value.place, message, crate::yaml::reader::suggestion(&word, words))
    })
}

fn phase(reader: &mut Reader, node: &Node) -> Result<ArrivalPhase> {
    let mut fields = reader.fields(node, "a phase")?;
    let name = fields.take("name");
    let duration = fields.take("duration");
    let rate_entry = fields.take("rate");
    let ramp = fields.take("ramp-to");
    let count = fields.take("count");
    let max = fields.take("max");
    let pause = fields.take("pause");
    let spacing = fields.take("spacing");
    reader.finish(&fields)?;

    let name = name.map(|entry| reader.text(entry)).transpose()?;
    let max_users = max.map(|entry| at_least_one(reader, entry)).transpose()?;
    let length = duration.map(|entry| reader.duration(entry)).transpose()?;
    let needs_duration = |reader: &Reader| reader.error(node.place, "a phase needs a `duration`");
    let load = match (rate_entry, count, pause) {
        (Some(entry), None, None) => {
            let duration = length.ok_or_else(|| needs_duration(reader))?;
            if duration.is_zero() {
                return Err(
                    reader.error(node.place, "a phase with a rate needs a `duration` of more than zero")
                );
            }
            let from = rate(reader, entry)?;
            let to = ramp.map(|entry| rate(reader, entry)).transpose()?.unwrap_or(from);
            let spacing = match spacing {
                Some(entry) if one_of(reader, entry, &["even", "poisson"])? == 1 => Spacing::Poisson,
                _ => Spacing::Even,
            };
            ArrivalPattern::Rate { duration, from, to, spacing }
        }
        (None, Some(entry), None) => {
            ArrivalPattern::Count { duration: length.unwrap_or_default(), users: reader.count(entry)? }
        }
        (None, None, Some(entry)) => ArrivalPattern::Pause(reader.duration(entry)?),
        (None, None, None) => {
            return Err(reader.error_with_help(
                node.place,
                "this phase defines no arrivals",
                "give it a `rate` (users per second), a `count`, or make it a `pause`",
            ));
        }
        _ => {
            return Err(
                reader.error(node.place, "a phase has one of `rate`, `count` and `pause`, not several")
            );
        }
    };
    for (entry, fits, with) in [
        (ramp, matches!(load, ArrivalPattern::Rate { .. }), "`rate`"),
        (spacing, matches!(load, ArrivalPattern::Rate { .. }), "`rate`"),
        (
            duration,
            !matches!(load, ArrivalPattern::Pause(_)),
            "`rate` or `count`; a `pause` is its own duration",
        ),
    ] {
        if let Some(entry) = entry
            && !fits
        {
            return Err(reader.error(entry.place, format!("`{}` goes with {with}", entry.key)));
        }
    }
    Ok(ArrivalPhase { name, line: node.place.line, load, max_users })
}

/// Reads a rate such as `5` (per second), `5/s`, `300/m` or `1000/h`.
fn rate(reader: &mut Reader, entry: &MapEntry) -> Result<f64> {
    let text = reader.fixed(entry)?;
    let (number, per) = text.split_once('/').unwrap_or((&text, "s"));
    let per = duration::parse(&format!("1{}", per.trim())).ok().filter(|per| !per.is_zero());
    match (number.trim().parse::<f64>(), per) {
        (Ok(number), Some(per)) if (0.0..=1e9).contains(&number) => Ok(number / per.as_secs_f64()),
        _ => Err(reader.error(
            entry.value.place,
            format!("`{}: {text}` is not a rate: write `5` or `5/s`, `300/m`", entry.key),
        )),
    }
}

pub(crate) fn at_least_one(reader: &mut Reader, entry: &MapEntry) -> Result<NonZeroU32> {
    let count = reader.count(entry)?;
    u32::try_from(count).ok().and_then(NonZeroU32::new).ok_or_else(|| {
        reader.error(
            entry.value.place,
            format!("`{}` is at least 1 and at most {}, not {count}", entry.key, u32::MAX),
        )
    })
}

fn flow(
    reader: &mut Reader,
    node: &Node,
    index: usize,
    defaults: &Defaults,
    within: Duration,
) -> Result<Flow> {
    let mut fields = reader.fields(node, "a flow")?;
    let name = fields.take("name");
    let weight = fields.take("weight");
    let steps = fields.take("steps");
    reader.finish(&fields)?;
    let name = name.map(|entry| reader.text(entry)).transpose()?;
    let name = name.unwrap_or_else(|| format!("flow {}", index + 1));
    let weight = weight.map(|entry| at_least_one(reader, entry)).transpose()?.map_or(1, NonZeroU32::get);
    let steps = steps.ok_or_else(|| reader.error(node.place, "a flow needs `steps`"))?;
    steps_as_flow(reader, steps, name, weight, defaults, within)
}

fn steps_as_flow(
    reader: &mut Reader,
    entry: &MapEntry,
    name: String,
    weight: u32,
    defaults: &Defaults,
    within: Duration,
) -> Result<Flow> {
    let nodes = reader.list(entry)?;
    if nodes.is_empty() {
        return Err(reader.error(entry.place, "`steps` is empty"));
    }
    let mut builder = Builder::default();
    for node in nodes {
        steps::read(reader, &mut builder, node, defaults, within)?;
    }
    let program = builder.finish(reader, defaults, entry.place)?;
    Ok(Flow { name, line: entry.place.line, weight, program })
}
