//! The command line as clap sees it, and the way from it to an exit code.

use std::ffi::OsString;

use camino::Utf8PathBuf;
use clap::builder::Styles;
use clap::builder::styling::{AnsiColor, Effects};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use kcluster_matrix::exit;

use crate::commands::Command;
use crate::config::{self, Chosen, GlobalFlags, Host};
use crate::context::Context;
use crate::error;
use crate::output::Printer;

/// The colours cargo's own help has.
const STYLES: Styles = Styles::styled()
    .header(AnsiColor::BrightGreen.on_default().effects(Effects::BOLD))
    .usage(AnsiColor::BrightGreen.on_default().effects(Effects::BOLD))
    .literal(AnsiColor::BrightCyan.on_default().effects(Effects::BOLD))
    .placeholder(AnsiColor::Cyan.on_default())
    .error(AnsiColor::BrightRed.on_default().effects(Effects::BOLD))
    .valid(AnsiColor::BrightCyan.on_default().effects(Effects::BOLD))
    .invalid(AnsiColor::BrightYellow.on_default().effects(Effects::BOLD));

/// Cargo calls `cargo-kcluster kcluster …`.
#[derive(Debug, Parser)]
#[command(name = "cargo", bin_name = "cargo", styles = STYLES, max_term_width = 100)]
struct Cargo {
    #[command(subcommand)]
    command: CargoCommand,
}

#[derive(Debug, Subcommand)]
enum CargoCommand {
    /// Boots Kubernetes clusters as containers and runs conformance specs against them
    #[command(version, after_help = AFTER_HELP)]
    Kcluster(Box<Cli>),
}

const AFTER_HELP: &str = "\
Exit codes: 0 done and passed, 2 bad input, 3 cluster or engine failed, 4 specs failed, \
5 budget spent, 130 interrupted, 1 anything else.
Every setting is a flag, a KCLUSTER_* variable and a key of kcluster.toml; \
`cargo kcluster config show` prints them all.";

#[derive(Debug, Args)]
struct Cli {
    #[command(flatten)]
    global: GlobalFlags,

    /// Configuration file, instead of the nearest kcluster.toml
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        help_heading = "Global options"
    )]
    config: Option<Utf8PathBuf>,

    /// Profile of the file, a table [profile.NAME], laid over its other settings
    ///
    /// [variable: KCLUSTER_PROFILE]
    #[arg(
        long,
        global = true,
        value_name = "NAME",
        help_heading = "Global options"
    )]
    profile: Option<String>,

    #[command(subcommand)]
    command: Command,
}

/// The whole command line, for completions, manual pages and tests.
#[must_use]
pub fn command() -> clap::Command {
    Cargo::command()
}

/// Both `cargo kcluster up` and `cargo-kcluster up` are `cargo kcluster up`.
fn normalised(mut args: Vec<OsString>) -> Vec<OsString> {
    if args.is_empty() {
        args.push("cargo".into());
    }
    if args.get(1).is_none_or(|first| first != "kcluster") {
        args.insert(1, "kcluster".into());
    }
    args
}

/// Parses, sets up, runs, and renders whatever went wrong.
pub(crate) fn run(args: Vec<OsString>) -> u8 {
    let host = Host::of_process();
    let printer = Printer::of_process(&host);
    let parsed = command()
        .try_get_matches_from(normalised(args))
        .and_then(|matches| Cargo::from_arg_matches(&matches));
    let CargoCommand::Kcluster(cli) = match parsed {
        Ok(cargo) => cargo.command,
        Err(error) => {
            printer.clap(&error);
            return if error.use_stderr() {
                exit::BAD_INPUT
            } else {
                exit::PASSED
            };
        }
    };
    match start(*cli, host, &printer) {
        Ok(code) => code,
        Err(error) => {
            printer.error(&error);
            error::code(&error)
        }
    }
}

fn start(cli: Cli, host: Host, printer: &Printer) -> anyhow::Result<u8> {
    let flags = cli.command.layer().over(*cli.global.0);
    let chosen = Chosen {
        file: cli.config.as_deref(),
        profile: cli.profile.as_deref(),
    };
    let (settings, warnings) = config::load(flags, chosen, &host)?;
    for warning in warnings {
        printer.warn(&warning);
    }
    init_tracing(settings.verbosity);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let context = Context::new(settings, host, printer.clone());
    let result = runtime.block_on(cli.command.run(context));
    // Whatever still waits for input must not keep the process.
    runtime.shutdown_background();
    result
}

/// Diagnostics for developers of kcluster; users are told through events.
fn init_tracing(verbosity: u8) {
    let level = if verbosity >= 3 {
        "kcluster=debug,info"
    } else {
        "off"
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("KCLUSTER_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(level));
    // A second initialisation only happens in tests, and changes nothing.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .try_init();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn bare_and_cargo_calls_are_the_same() {
        let words = |text: &str| text.split(' ').map(OsString::from).collect::<Vec<_>>();
        assert_eq!(
            normalised(words("cargo-kcluster up")),
            words("cargo-kcluster kcluster up")
        );
        assert_eq!(normalised(words("x kcluster up")), words("x kcluster up"));
        assert_eq!(normalised(words("x")), words("x kcluster"));
    }
}
