//! From what searches found to what GitHub shows.

use jiff::Timestamp;
use kcluster_matrix::exit;
use kcluster_reports::bisect::Finding;
use kcluster_reports::issues::{Action, decide};
use kcluster_reports::trend::Day;

use super::client::Client;
use super::request::{Repository, Request};
use super::token::Token;
use crate::config::Host;
use crate::context::Context;
use crate::error::Told;

/// Where GitHub's API is; the variables are those that its own workflows set.
const API: &str = "https://api.github.com";
const API_VARIABLE: &str = "GITHUB_API_URL";
const REPOSITORY_VARIABLE: &str = "GITHUB_REPOSITORY";
const TOKEN_VARIABLE: &str = "GITHUB_TOKEN";

/// What both commands that write issues take.
#[derive(Debug, clap::Args)]
pub(crate) struct Flags {
    /// Whose issues they are [default: what GITHUB_REPOSITORY says]
    #[arg(long, value_name = "OWNER/NAME")]
    repo: Option<String>,
    /// Print what would be sent, and send nothing
    #[arg(long)]
    dry_run: bool,
}

/// Opens, updates and closes issues as `findings` and `days` want it; tells what it did.
pub(crate) async fn work(
    context: &Context,
    flags: &Flags,
    findings: &[Finding],
    days: &[Day],
) -> anyhow::Result<u8> {
    let host = &context.host;
    let repository = repository(flags, host)?;
    let token = host.variable(TOKEN_VARIABLE).and_then(Token::new);
    if token.is_none() && !flags.dry_run {
        return Err(Told::input("there is no token for GitHub")
            .help(format!(
                "set {TOKEN_VARIABLE} to one that may write issues of {}, or give --dry-run",
                repository.shown()
            ))
            .into());
    }
    context.follow()?;
    let base = base(host)?;
    // Without a token GitHub may well say that there is nothing.
    let asked = token.is_some();
    let mut client = Client::new(context, base, repository, token)?;
    let known = match asked {
        true => client.known().await?,
        false => {
            context.hub.finish();
            context.printer.warn(
                "without a token nobody was asked which issues there are: as if there were none",
            );
            Vec::new()
        }
    };
    let decision = decide(findings, days, &known, Timestamp::now());
    for action in &decision.actions {
        let requests = client.repository.requests(action);
        match flags.dry_run {
            true => {
                let shown: Vec<String> = requests.iter().map(Request::shown).collect();
                context.printer.data(&shown.join("\n"));
            }
            false => {
                let done = carry_out(&mut client, action, &requests).await?;
                context.printer.data(&done);
            }
        }
    }
    context.hub.finish();
    for note in &decision.notes {
        context.printer.data(note);
    }
    if decision.actions.is_empty() && decision.notes.is_empty() {
        context.printer.data("nothing to do");
    }
    Ok(exit::PASSED)
}

async fn carry_out(
    client: &mut Client<'_>,
    action: &Action,
    requests: &[Request],
) -> anyhow::Result<String> {
    if let (Action::Open { subject, .. }, [request]) = (action, requests) {
        return Ok(match client.open(request, subject).await? {
            Some(issue) => format!("opened #{}: {}", issue.number, issue.html_url),
            None => format!("opened an issue about {}", subject.shown()),
        });
    }
    for request in requests {
        client.send(request).await?;
    }
    Ok(match action {
        Action::Open { .. } => "opened an issue".to_owned(),
        Action::Update { number, .. } => format!("brought #{number} up to date"),
        Action::Reopen { number, .. } => format!("opened #{number} again"),
        Action::Close { number, .. } => format!("closed #{number}: green again"),
    })
}

fn repository(flags: &Flags, host: &Host) -> anyhow::Result<Repository> {
    let text = flags.repo.as_deref();
    let Some(text) = text.or_else(|| host.variable(REPOSITORY_VARIABLE)) else {
        return Err(Told::input("nothing says whose issues they are")
            .help("give --repo OWNER/NAME")
            .into());
    };
    let told = || Told::input(format!("`{text}` is no repository")).help("give --repo OWNER/NAME");
    Ok(Repository::parse(text).ok_or_else(told)?)
}

/// The API's address. A token goes to no other machine in the clear.
fn base(host: &Host) -> anyhow::Result<&str> {
    let base = host.variable(API_VARIABLE).unwrap_or(API);
    let near = |rest: &str| {
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let name = authority
            .rsplit_once(':')
            .map_or(authority, |(name, port)| {
                if port.chars().all(|c| c.is_ascii_digit()) {
                    name
                } else {
                    authority
                }
            });
        matches!(name, "localhost" | "127.0.0.1" | "[::1]")
    };
    match base.strip_prefix("http://") {
        None if base.starts_with("https://") => Ok(base),
        Some(rest) if near(rest) => Ok(base),
        _ => Err(Told::input(format!("{API_VARIABLE} is `{base}`"))
            .help("a token is sent by https only, except to this machine")
            .into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_not_sent_in_the_clear() {
        let host = |url: &str| Host {
            variables: [(API_VARIABLE.to_owned(), url.to_owned())].into(),
            ..Host::default()
        };
        for good in [
            "https://github.example/api/v3",
            "http://127.0.0.1:8080",
            "http://[::1]:80/api",
            "http://localhost",
        ] {
            assert_eq!(base(&host(good)).unwrap(), good);
        }
        for bad in [
            "http://github.example",
            "http://127.0.0.1@github.example",
            "http://localhost.example:80",
            "ftp://127.0.0.1",
            "127.0.0.1",
        ] {
            assert!(base(&host(bad)).is_err(), "{bad}");
        }
        assert_eq!(base(&Host::default()).unwrap(), API);
    }
}
