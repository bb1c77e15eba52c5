//! Options that a mode has no use for: a misunderstanding, and better said than ignored.

use anyhow::bail;
use undrop_bench::Mode;

use super::args::{Load, SessionWish};

/// What messages are made of.
const MESSAGES: &[&str] =
    &["-r", "--verify", "--message", "--message-file", "--size", "--binary", "--settle"];

/// Says which option of a mode is useless, and why.
pub(super) fn refuse(mode: &Mode, load: &Load) -> anyhow::Result<()> {
    let (name, rules): (_, &[(&[&str], &str)]) = match mode {
        Mode::Flood { .. } => ("flood", &[(&["-r"], "it sends as fast as answers come")]),
        Mode::Hold => ("hold", &[(MESSAGES, "it sends nothing")]),
        Mode::Ramp { .. } => (
            "ramp",
            &[
                (MESSAGES, "it sends nothing"),
                (&["--ramp"], "--open-rate says how fast connections are opened"),
            ],
        ),
        Mode::Churn { .. } => (
            "churn",
            &[
                (MESSAGES, "it sends nothing"),
                (&["--ramp", "--concurrency"], "--churn-rate says how fast connections are opened"),
            ],
        ),
        Mode::Storm { .. } => {
            ("storm", &[(&["--reconnect"], "--policy says when lost connections come back")])
        }
        Mode::Run | Mode::Broadcast { .. } | Mode::Scenario(_) => ("", &[]),
    };
    check(name, rules, load)
}

/// The same for a search.
pub(super) fn refuse_in_search(load: &Load) -> anyhow::Result<()> {
    check(
        "search",
        &[
            (&["-d"], "--step says how long each rate is tried"),
            (&["--ensure"], "--p99 is its condition"),
            (&["--html", "--hdr-log"], "they are for one run, and a search is many"),
        ],
        load,
    )
}

/// The same for a scenario.
pub(super) fn refuse_in_scenario(load: &Load) -> anyhow::Result<()> {
    check(
        "scenario",
        &[
            (MESSAGES, "the file says what users send"),
            (&["--ramp", "--concurrency"], "the file says when users arrive"),
            (
                &["--session", "--reconnect"],
                "its users have plain connections, and open them when the file says",
            ),
            (&["--ping-interval", "--dead-after"], "the file says what users wait for"),
        ],
        load,
    )
}

fn check(mode: &str, rules: &[(&[&str], &str)], load: &Load) -> anyhow::Result<()> {
    let given = given(load);
    for (options, why) in rules {
        if let Some(option) = options.iter().find(|option| given.contains(option)) {
            bail!("{option}: `{mode}` has no use for it: {why}");
        }
    }
    if load.target.ping_interval.is_some() && load.target.session != SessionWish::Off {
        bail!("--ping-interval: sessions have a heartbeat of their own, so it is for --session off");
    }
    Ok(())
}

/// Options that some mode has no use for, as far as they were given.
fn given(load: &Load) -> Vec<&'static str> {
    let Load { size, message, target, output, .. } = load;
    let all = [
        ("-d", size.duration.is_some()),
        ("-r", size.rate.is_some()),
        ("--ramp", size.ramp.is_some()),
        ("--concurrency", size.concurrency.is_some()),
        ("--size", message.size.is_some()),
        ("--binary", message.binary),
        ("--message", message.message.is_some()),
        ("--message-file", message.message_file.is_some()),
        ("--verify", message.verify),
        ("--settle", message.settle.is_some()),
        ("--session", target.session != SessionWish::Off),
        ("--reconnect", target.reconnect.is_some()),
        ("--ping-interval", target.ping_interval.is_some()),
        ("--dead-after", target.dead_after.is_some()),
        ("--ensure", !output.ensure.is_empty()),
        ("--html", output.html.is_some()),
        ("--hdr-log", output.hdr_log.is_some()),
    ];
    all.into_iter().filter(|(_, given)| *given).map(|(option, _)| option).collect()
}
