//! `undrop reference` (hidden): what `cargo xtask generate` keeps in `docs/reference/`, written from the declaration of the commands.

mod faults;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Command};
use clap_complete::Shell;

use crate::exit::{Code, Failure};

/// Columns of the help texts.
const WIDTH: usize = 110;

/// Writes the command reference (a page, man pages, shell completions) and the reference of faults.
#[derive(Debug, Args)]
pub(crate) struct Reference {
    /// The directory to write to; it is created.
    directory: PathBuf,
}

/// Writes all of it.
pub(crate) fn run(command: Reference, cli: Command) -> Result<ExitCode, Failure> {
    let to = &command.directory;
    write(cli, to)
        .with_context(|| format!("cannot write to {}", to.display()))
        .map_err(|error| Failure::new(Code::Usage, error))?;
    Ok(ExitCode::SUCCESS)
}

fn write(cli: Command, to: &Path) -> io::Result<()> {
    // The same on every terminal.
    let mut cli = cli
        .disable_help_subcommand(true)
        .term_width(WIDTH)
        .mut_subcommands(|command| command.term_width(WIDTH));
    fs::create_dir_all(to.join("completions"))?;
    fs::create_dir_all(to.join("man"))?;
    for shell in [Shell::Bash, Shell::Fish, Shell::Zsh] {
        clap_complete::generate_to(shell, &mut cli, "undrop", to.join("completions"))?;
    }
    clap_mangen::generate_to(cli.clone(), to.join("man"))?;
    fs::write(to.join("faults.md"), faults::page())?;
    fs::write(to.join("cli.md"), page(cli))
}

/// One section per command, with its long help.
fn page(mut cli: Command) -> String {
    cli.build();
    let mut page = "# Commands\n\nWhat each command prints with `--help`.\n".to_owned();
    let mut section = |name: &str, command: &mut Command| {
        let help = command.render_long_help().to_string();
        let help: Vec<&str> = help.lines().map(str::trim_end).collect();
        page.push_str(&format!("\n## {name}\n\n```text\n{}\n```\n", help.join("\n").trim_end()));
    };
    section("undrop", &mut cli);
    for command in cli.get_subcommands_mut().filter(|command| !command.is_hide_set()) {
        section(&format!("undrop {}", command.get_name()), command);
    }
    page
}
