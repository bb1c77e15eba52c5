//! The steps of the native format.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use undrop_text::suggest;

use crate::builder::{Builder, Defaults, dial};
use crate::check::{Capture, Check, Expectation, Rule, Subject};
use crate::keys::{check_name, headers, texts};
use crate::path::JsonPath;
use crate::pattern;
use crate::program::{Action, Jitter, MessageBody, Pause, PauseTime, Rounds};
use crate::template::{Shape, Template};
use crate::yaml::node::{MapEntry, Node, Place, YamlValue};
use crate::yaml::reader::{Fields, Reader, Result, suggestion};

/// The maximum size of a generated message in bytes.
const MAX_FILLER: usize = 16 << 20;

/// The names of all steps, for suggestions.
const STEPS: &[&str] =
    &["connect", "send", "expect", "capture", "expect-close", "think", "loop", "set", "log", "close"];

pub(crate) fn read(
    reader: &mut Reader,
    builder: &mut Builder,
    node: &Node,
    defaults: &Defaults,
    within: Duration,
) -> Result<()> {
    match &node.kind {
        // A list of steps that was inserted by a YAML alias.
        YamlValue::List(items) => items.iter().try_for_each(|item| read(reader, builder, item, defaults, within)),
        YamlValue::Text(word) => {
            let nothing = Node { place: node.place, kind: YamlValue::Null };
            let entry = MapEntry { key: word.trim().to_owned(), place: node.place, value: nothing };
            step(reader, builder, &entry, defaults, within)
        }
        YamlValue::Map(entries) => match entries.as_slice() {
            [entry] => step(reader, builder, entry, defaults, within),
            [] => Err(reader.error(node.place, "this step is empty")),
            [_, second, ..] => Err(reader.error_with_help(
                second.place,
                format!("a step is one key, but here `{}` follows", second.key),
                "put `- ` before it to make it a separate step, or indent it to make it part of the one above",
            )),
        },
        _ => Err(reader.error(node.place, format!("a step is a key such as `send`, not {}", node.describe()))),
    }
}

fn step(
    reader: &mut Reader,
    builder: &mut Builder,
    entry: &MapEntry,
    defaults: &Defaults,
    within: Duration,
) -> Result<()> {
    let place = entry.place;
    let action = match entry.key.as_str() {
        "connect" => connect(reader, entry, defaults)?,
        "send" => Action::Send { body: body(reader, entry)?, forget_earlier: false },
        "expect" => Action::Expect(expect(reader, entry, within)?),
        "capture" => {
            let captures = captures(reader, entry)?;
            Action::Expect(Expectation { within, only_next: false, checks: Vec::new(), captures })
        }
        "expect-close" => expect_close(reader, entry)?,
        "think" => Action::Think(think(reader, entry)?),
        "loop" => return read_loop(reader, builder, entry, defaults, within),
        "set" => return set(reader, builder, entry),
        "log" => Action::Log(reader.template_of(entry)?),
        "close" => close(reader, entry)?,
        other => {
            let message = format!("unknown step `{other}`");
            return Err(reader.error_with_help(place, message, suggestion(other, STEPS)));
        }
    };
    builder.push(reader, place, action)
}

fn connect(reader: &mut Reader, entry: &MapEntry, defaults: &Defaults) -> Result<Action> {
    let dial = match &entry.value.kind {
        YamlValue::Null => dial(reader, defaults, None, entry.place)?,
        YamlValue::Map(_) => {
            let mut fields = reader.fields(&entry.value, "`connect`")?;
            let mut defaults = defaults.clone();
            let target = fields.take("target").map(|e| Ok((reader.text(e)?, e.value.place))).transpose()?;
            if let Some(entry) = fields.take("protocols") {
                defaults.protocols = texts(reader, entry)?;
            }
            if let Some(entry) = fields.take("headers") {
                headers(reader, entry, &mut defaults)?;
            }
            reader.finish(&fields)?;
            let target = target.as_ref().map(|(text, place)| (text.as_str(), *place));
            dial(reader, &defaults, target, entry.place)?
        }
        _ => {
            let target = reader.text(entry)?;
            dial(reader, defaults, Some((&target, entry.value.place)), entry.place)?
        }
    };
    Ok(Action::Connect(dial))
}

fn body(reader: &mut Reader, entry: &MapEntry) -> Result<MessageBody> {
    let forms = ["text", "json", "base64", "hex", "size"];
    let YamlValue::Map(entries) = &entry.value.kind else {
        return Ok(MessageBody::Text(reader.template_of(entry)?));
    };
    let mut fields = reader.fields(&entry.value, "`send`")?;
    let (text, json) = (fields.take("text"), fields.take("json"));
    let (base64, hex) = (fields.take("base64"), fields.take("hex"));
    let (size, binary) = (fields.take("size"), fields.take("binary"));
    refuse_unknown(reader, &fields, "`send`", &forms, "to send a JSON object, put it under `json:`")?;
    let given = [text, json, base64, hex, size].iter().flatten().count();
    if given != 1 {
        let message = format!("`send` has one of `text`, `json`, `base64`, `hex` and `size`, not {given}");
        return Err(reader.error(entries.first().map_or(entry.place, |e| e.place), message));
    }
    if let (Some(binary), None) = (binary, size) {
        return Err(reader.error(binary.place, "`binary` goes with `size`"));
    }
    if let Some(entry) = text {
        return Ok(MessageBody::Text(reader.template_of(entry)?));
    }
    if let Some(entry) = json {
        return Ok(MessageBody::Json(reader.shape(&entry.value)?));
    }
    if let Some(entry) = base64 {
        let text: String = reader.fixed(entry)?.split_whitespace().collect();
        let bytes = STANDARD.decode(text);
        return bytes
            .map(MessageBody::Binary)
            .map_err(|why| reader.error(entry.value.place, format!("not base64: {why}")));
    }
    if let Some(entry) = hex {
        let text = reader.fixed(entry)?;
        return match parse_hex(&text) {
            Some(bytes) => Ok(MessageBody::Binary(bytes)),
            None => Err(reader.error(entry.value.place, "`hex` is pairs of hexadecimal digits")),
        };
    }
    let size = size.ok_or_else(|| reader.error(entry.place, "`send` needs something to send"))?;
    let length = undrop_text::size::parse(&reader.fixed(size)?)
        .map_err(|error| reader.error(size.value.place, error.to_string()))?;
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > MAX_FILLER {
        return Err(
            reader.error(size.value.place, format!("a message of more than {} MiB", MAX_FILLER >> 20))
        );
    }
    Ok(MessageBody::Filler {
        length,
        binary: binary.map(|entry| reader.flag(entry)).transpose()?.unwrap_or(false),
    })
}

fn parse_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_digit(16).map(|d| d as u8))
        .collect::<Option<_>>()?;
    let pairs = digits.chunks_exact(2);
    pairs.remainder().is_empty().then(|| pairs.map(|pair| pair[0] << 4 | pair[1]).collect())
}

/// Returns an error for a key that was not requested: with the nearest of `known`, or with `advice` if none is near. Unlike
/// [`Reader::finish`], it is for maps in which an unknown key is probably a field of the user's own message.
fn refuse_unknown(
    reader: &Reader,
    fields: &Fields<'_>,
    what: &str,
    known: &[&str],
    advice: &str,
) -> Result<()> {
    let Some(unknown) = fields.left().next() else { return Ok(()) };
    let help = match suggest::nearest(&unknown.key, known.iter().copied()) {
        Some(key) => format!("did you mean `{key}`?"),
        None => advice.to_owned(),
    };
    let message = format!("unknown key `{}` in {what}", unknown.key);
    Err(reader.error_with_help(unknown.place, message, help))
}

/// The keys of `expect`, also for the same step in other dialects.
pub(crate) const EXPECT_KEYS: &[&str] =
    &["text", "contains", "regex", "json", "capture", "within", "next", "any"];

pub(crate) fn expect(reader: &mut Reader, entry: &MapEntry, within: Duration) -> Result<Expectation> {
    let mut expectation = Expectation { within, only_next: false, checks: Vec::new(), captures: Vec::new() };
    if !matches!(entry.value.kind, YamlValue::Map(_)) {
        let rule = match entry.value.kind {
            YamlValue::Null => return Ok(expectation),
            _ => Rule::Equals(Shape::Text(reader.template_of(entry)?)),
        };
        expectation.checks.push(Check { subject: Subject::Whole, rule, strict: true });
        return Ok(expectation);
    }
    let mut fields = reader.fields(&entry.value, "`expect`")?;
    let mut check = |subject, rule| expectation.checks.push(Check { subject, rule, strict: true });
    if let Some(entry) = fields.take("text") {
        check(Subject::Whole, Rule::Equals(Shape::Text(reader.template_of(entry)?)));
    }
    if let Some(entry) = fields.take("contains") {
        check(Subject::Whole, Rule::Contains(reader.template_of(entry)?));
    }
    if let Some(entry) = fields.take("regex") {
        let regex = pattern::compile(reader, &reader.text(entry)?, "", entry.value.place)?;
        check(Subject::Regex(Box::new(regex), crate::check::RegexGroup::All), Rule::Present);
    }
    if let Some(entry) = fields.take("json") {
        json_checks(reader, &entry.value, &mut expectation.checks)?;
    }
    if let Some(entry) = fields.take("capture") {
        expectation.captures = captures(reader, entry)?;
    }
    if let Some(entry) = fields.take("within") {
        expectation.within = reader.duration(entry)?;
    }
    if let Some(entry) = fields.take("next") {
        expectation.only_next = reader.flag(entry)?;
    }
    if let Some(entry) = fields.take("any") {
        reader.flag(entry)?;
    }
    let advice = "to compare fields of a JSON message, put them under `json:`";
    refuse_unknown(reader, &fields, "`expect`", EXPECT_KEYS, advice)?;
    Ok(expectation)
}

/// Reads the fields that the message must have: by name, or by path if the key starts with `$`.
pub(crate) fn json_checks(reader: &mut Reader, node: &Node, checks: &mut Vec<Check>) -> Result<()> {
    let Some(entries) = node.map() else {
        let path = json_path(reader, "$", node.place)?;
        let rule = Rule::Equals(reader.shape(node)?);
        checks.push(Check { subject: Subject::Json(path), rule, strict: true });
        return Ok(());
    };
    for entry in entries {
        let path = match entry.key.starts_with('$') {
            true => json_path(reader, &entry.key, entry.place)?,
            false => JsonPath::field(&entry.key),
        };
        let rule = Rule::Equals(reader.shape(&entry.value)?);
        checks.push(Check { subject: Subject::Json(path), rule, strict: true });
    }
    Ok(())
}

pub(crate) fn json_path(reader: &Reader, text: &str, place: Place) -> Result<JsonPath> {
    JsonPath::parse(text).map_err(|why| reader.error(place, why.to_string()))
}

/// Reads captures. The value of each name is `$.path`, `message` or `{ regex, group }`.
fn captures(reader: &mut Reader, entry: &MapEntry) -> Result<Vec<Capture>> {
    let Some(entries) = entry.value.map().filter(|entries| !entries.is_empty()) else {
        let message = format!("`capture` is a map such as `id: $.id`, not {}", entry.value.describe());
        return Err(reader.error(entry.value.place, message));
    };
    let mut captures = Vec::with_capacity(entries.len());
    for entry in entries {
        check_name(reader, &entry.key, entry.place)?;
        let slot = reader.names.set(&entry.key);
        let subject = if entry.value.map().is_some() {
            let mut fields = reader.fields(&entry.value, "a capture")?;
            let (regex, group) = (fields.take("regex"), fields.take("group"));
            reader.finish(&fields)?;
            let regex =
                regex.ok_or_else(|| reader.error(entry.place, "a capture needs a path or a `regex`"))?;
            let compiled = pattern::compile(reader, &reader.text(regex)?, "", regex.value.place)?;
            let group = pattern::group(reader, group, &compiled)?;
            Subject::Regex(Box::new(compiled), group)
        } else {
            match reader.text(entry)?.as_str() {
                "message" => Subject::Whole,
                path => Subject::Json(json_path(reader, path, entry.value.place)?),
            }
        };
        captures.push(Capture { subject, slot, strict: true });
    }
    Ok(captures)
}

fn expect_close(reader: &mut Reader, entry: &MapEntry) -> Result<Action> {
    let (mut code, mut within) = (None, None);
    match &entry.value.kind {
        YamlValue::Null => {}
        YamlValue::Map(_) => {
            let mut fields = reader.fields(&entry.value, "`expect-close`")?;
            code = fields.take("code").map(|entry| close_code(reader, entry)).transpose()?;
            within = fields.take("within").map(|entry| reader.duration(entry)).transpose()?;
            reader.finish(&fields)?;
        }
        _ => code = Some(close_code(reader, entry)?),
    }
    Ok(Action::ExpectEnd { within: within.unwrap_or(Duration::from_secs(60)), code })
}

fn close_code(reader: &mut Reader, entry: &MapEntry) -> Result<u16> {
    match reader.count(entry)? {
        code @ 1000..=4999 => Ok(code as u16),
        code => Err(reader.error(entry.value.place, format!("close codes are 1000 to 4999, not {code}"))),
    }
}

fn think(reader: &mut Reader, entry: &MapEntry) -> Result<Pause> {
    let (time, jitter) = match &entry.value.kind {
        YamlValue::Map(_) => {
            let mut fields = reader.fields(&entry.value, "`think`")?;
            let (time, jitter) = (fields.take("time"), fields.take("jitter"));
            reader.finish(&fields)?;
            (time.ok_or_else(|| reader.error(entry.place, "`think` needs a `time`"))?, jitter)
        }
        _ => (entry, None),
    };
    let jitter = jitter.map(|entry| read_jitter(reader, entry)).transpose()?.unwrap_or(Jitter::None);
    Ok(Pause { time: read_time(reader, time)?, jitter })
}

/// Reads a duration, or a template that is rendered when the step starts.
pub(crate) fn read_time(reader: &mut Reader, entry: &MapEntry) -> Result<PauseTime> {
    if let YamlValue::Text(text) = &entry.value.kind
        && text.contains("{{")
    {
        let template = reader.template(text, entry.value.place)?;
        if template.fixed().is_none() {
            return Ok(PauseTime::Computed(template));
        }
    }
    reader.duration(entry).map(PauseTime::Fixed)
}

/// Reads a percentage of the pause, or a duration.
pub(crate) fn read_jitter(reader: &mut Reader, entry: &MapEntry) -> Result<Jitter> {
    if let Some(percent) = entry.value.scalar().as_deref().and_then(|text| text.trim().strip_suffix('%')) {
        return match percent.trim().parse::<f64>() {
            Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(Jitter::Part(percent / 100.0)),
            _ => Err(reader.error(entry.value.place, "`jitter` is a duration, or 0% to 100% of the pause")),
        };
    }
    reader.duration(entry).map(Jitter::By)
}

fn read_loop(
    reader: &mut Reader,
    builder: &mut Builder,
    entry: &MapEntry,
    defaults: &Defaults,
    within: Duration,
) -> Result<()> {
    let mut fields = reader.fields(&entry.value, "`loop`")?;
    let (times, duration) = (fields.take("times"), fields.take("for"));
    let (over, forever) = (fields.take("over"), fields.take("forever"));
    let (counter, element) = (fields.take("index"), fields.take("as"));
    let steps = fields.take("steps");
    reader.finish(&fields)?;
    let given = [times, duration, over, forever].iter().flatten().count();
    if given != 1 {
        let message = format!("a loop has one of `times`, `for`, `over` and `forever`, not {given}");
        return Err(reader.error(entry.place, message));
    }
    let rounds = if let Some(entry) = times {
        match entry.value.scalar().filter(|text| text.contains("{{")) {
            Some(text) => Rounds::Computed(reader.template(&text, entry.value.place)?),
            None => Rounds::Range(0, reader.count(entry)?),
        }
    } else if let Some(entry) = duration {
        Rounds::For(reader.duration(entry)?)
    } else if let Some(entry) = over {
        Rounds::Over(over_list(reader, entry)?)
    } else if let Some(entry) = forever.filter(|entry| !matches!(entry.value.kind, YamlValue::Bool(true))) {
        return Err(reader.error(entry.value.place, "write `forever: true`"));
    } else {
        Rounds::Forever
    };
    let name = |entry: Option<&MapEntry>, usual: &str| match entry {
        Some(entry) => {
            let name = reader.text(entry)?;
            check_name(reader, &name, entry.value.place).map(|()| name)
        }
        None => Ok(usual.to_owned()),
    };
    let (counter, element) = (name(counter, "$loopCount")?, name(element, "$loopElement")?);
    let steps = steps.ok_or_else(|| reader.error(entry.place, "a loop needs `steps`"))?;
    let entered = builder.enter(reader, entry.place, rounds, (&counter, &element))?;
    for node in reader.list(steps)? {
        read(reader, builder, node, defaults, within)?;
    }
    builder.leave(reader, entry.place, entered)
}

/// Reads a list, or the name of a variable that contains one.
pub(crate) fn over_list(reader: &mut Reader, entry: &MapEntry) -> Result<Shape> {
    match &entry.value.kind {
        YamlValue::List(_) => reader.shape(&entry.value),
        YamlValue::Text(name) if name.contains("{{") => Ok(Shape::Text(reader.template_of(entry)?)),
        YamlValue::Text(name) => {
            Ok(Shape::Text(reader.template(&format!("{{{{ {name} }}}}"), entry.value.place)?))
        }
        _ => Err(reader.error(entry.value.place, "`over` is a list, or the name of a variable that is one")),
    }
}

fn set(reader: &mut Reader, builder: &mut Builder, entry: &MapEntry) -> Result<()> {
    let Some(entries) = entry.value.map() else {
        return Err(reader.error(entry.value.place, "`set` is a map of names and values"));
    };
    for variable in entries {
        check_name(reader, &variable.key, variable.place)?;
        let shape = reader.shape(&variable.value)?;
        let slot = reader.names.set(&variable.key);
        builder.push(reader, variable.place, Action::Set(slot, shape))?;
    }
    Ok(())
}

pub(crate) fn close(reader: &mut Reader, entry: &MapEntry) -> Result<Action> {
    let (mut code, mut reason) = (1000, Template::default());
    match &entry.value.kind {
        YamlValue::Null => {}
        YamlValue::Map(_) => {
            let mut fields = reader.fields(&entry.value, "`close`")?;
            if let Some(entry) = fields.take("code") {
                code = sendable_code(reader, entry)?;
            }
            if let Some(entry) = fields.take("reason") {
                reason = reader.template_of(entry)?;
            }
            reader.finish(&fields)?;
        }
        _ => code = sendable_code(reader, entry)?,
    }
    Ok(Action::Close(code, reason))
}

fn sendable_code(reader: &mut Reader, entry: &MapEntry) -> Result<u16> {
    let code = close_code(reader, entry)?;
    // RFC 6455 §7.4: other codes must not be sent, or are not defined.
    if !undrop_frame::CloseCode::new(code).is_valid_on_wire() {
        return Err(reader.error(entry.value.place, format!("the close code {code} may not be sent")));
    }
    Ok(code)
}
