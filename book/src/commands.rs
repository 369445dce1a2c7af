//! A page for each command, from what clap knows of it.

use std::fmt::Write as _;

use cargo_kcluster::config::KEYS;
use clap::{Arg, Command};

use crate::words::prose;

/// A page of the reference.
pub(crate) struct Page {
    pub(crate) name: String,
    pub(crate) text: String,
}

fn kcluster() -> Command {
    let mut cargo = cargo_kcluster::command();
    cargo.build();
    cargo.find_subcommand("kcluster").cloned().unwrap_or(cargo)
}

fn shown(command: &Command) -> impl Iterator<Item = &Command> {
    let shown = |below: &&Command| !below.is_hide_set() && below.get_name() != "help";
    command.get_subcommands().filter(shown)
}

fn about(command: &Command) -> String {
    let about = command.get_long_about().or_else(|| command.get_about());
    about.map(ToString::to_string).unwrap_or_default()
}

/// All commands in one table, and the options that each of them takes.
pub(crate) fn overview() -> String {
    let kcluster = kcluster();
    let mut text = String::from(
        "# Commands\n\nMade from the program's own help; `cargo kcluster help COMMAND` prints the same in a terminal.\n\n\
         | command | what it does |\n|---|---|\n",
    );
    for command in shown(&kcluster) {
        let name = command.get_name();
        let about = command.get_about().map(ToString::to_string);
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "| [`{name}`](commands/{name}.md) | {} |",
            prose(&about.unwrap_or_default())
        );
    }
    text.push_str("\n## Options of every command\n\n");
    for arg in kcluster.get_arguments().filter(|arg| arg.is_global_set()) {
        option(&mut text, arg, "");
    }
    text
}

/// A page for each command, those below it included.
pub(crate) fn pages() -> Vec<Page> {
    let kcluster = kcluster();
    let page = |command: &Command| {
        let mut text = String::new();
        section(&mut text, command, "cargo kcluster", 1);
        Page {
            name: command.get_name().to_owned(),
            text,
        }
    };
    shown(&kcluster).map(page).collect()
}

fn section(text: &mut String, command: &Command, above: &str, level: usize) {
    let name = format!("{above} {}", command.get_name());
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ");
    let _ = write!(
        text,
        "{} `{name}`\n\n{}\n\n```text\n{usage}\n```\n\n",
        "#".repeat(level),
        prose(&about(command))
    );
    let visible = |arg: &&Arg| !arg.is_hide_set() && !arg.is_global_set() && arg.get_id() != "help";
    let mut headings: Vec<Option<&str>> = Vec::new();
    for arg in command.get_arguments().filter(visible) {
        let heading = arg.get_help_heading();
        if !headings.contains(&heading) {
            headings.push(heading);
        }
    }
    for heading in headings {
        if let Some(heading) = heading {
            let _ = write!(text, "**{heading}**\n\n");
        }
        let mine = |arg: &&Arg| visible(arg) && arg.get_help_heading() == heading;
        for arg in command.get_arguments().filter(mine) {
            option(text, arg, "../");
        }
        text.push('\n');
    }
    if let Some(after) = command.get_after_help() {
        let _ = write!(text, "{}\n\n", prose(&after.to_string()));
    }
    for below in shown(command) {
        section(text, below, &name, level + 1);
    }
}

/// An option or argument; a key's flag leads to the key, which tells more.
fn option(text: &mut String, arg: &Arg, up: &str) {
    let short = arg.get_short().map(|short| format!("-{short}, "));
    let short = short
        .filter(|_| arg.get_long().is_some())
        .unwrap_or_default();
    let key = KEYS
        .iter()
        .map(cargo_kcluster::config::Key::name)
        .find(|name| arg.get_long() == Some(name));
    let help = arg.get_long_help().or_else(|| arg.get_help());
    let help = help.map(ToString::to_string).unwrap_or_default();
    let mut shown = format!("`{short}{arg}`");
    let told = match &key {
        Some(key) => {
            shown = format!("[{shown}]({up}keys.md#{key})");
            prose(help.lines().next().unwrap_or_default())
        }
        None => {
            let values: Vec<String> = arg
                .get_possible_values()
                .iter()
                .filter(|_| arg.get_action().takes_values())
                .map(|value| format!("`{}`", value.get_name()))
                .collect();
            let default: Vec<_> = arg
                .get_default_values()
                .iter()
                .map(|value| format!("`{}`", value.to_string_lossy()))
                .collect();
            let mut told = prose(&help).replace('\n', "\n  ");
            if !values.is_empty() {
                let _ = write!(told, " One of {}.", values.join(", "));
            }
            if !default.is_empty() && arg.get_action().takes_values() {
                let _ = write!(told, " Default: {}.", default.join(" "));
            }
            told
        }
    };
    let _ = writeln!(text, "- {shown}: {told}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_and_option_has_its_place() {
        let pages = pages();
        let all: String = pages.iter().map(|page| page.text.as_str()).collect();
        let all = all + &overview();
        fn check(command: &Command, above: &str, all: &str) {
            for below in shown(command) {
                let name = format!("{above} {}", below.get_name());
                assert!(all.contains(&format!("# `{name}`\n")), "{name}");
                for arg in below
                    .get_arguments()
                    .filter(|arg| !arg.is_hide_set() && arg.get_id() != "help")
                {
                    let long = arg.get_long().unwrap_or_default();
                    assert!(all.contains(&format!("--{long}")), "{name} --{long}");
                }
                check(below, &name, all);
            }
        }
        check(&kcluster(), "cargo kcluster", &all);
        let up = pages.iter().find(|page| page.name == "up").unwrap();
        let nodes = "- [`--nodes <N>`](../keys.md#nodes): Workers";
        assert!(up.text.contains(nodes), "{}", up.text);
        assert!(!up.text.contains("--cache-dir"), "{}", up.text);
    }
}
