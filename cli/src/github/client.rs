//! The client: octocrab, and what to do when an answer does not come.
//!
//! octocrab's own retries send everything again at once and wait as long as they are told. Here a change that may
//! have been made is looked for first, and a wait has an end.

use std::error::Error as _;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use kcluster_matrix::Sink as _;
use kcluster_reports::issues::{Known, LABEL, Subject};
use octocrab::Octocrab;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::refusal::{Advice, Refusal};
use super::request::{Method, PAGE, Repository, Request};
use super::token::Token;
use crate::context::Context;
use crate::error::Told;

/// How often one request is sent.
const TRIES: u32 = 5;

/// What all waits for limits may take together.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// How long a connection may take, and how long nothing may come.
const CONNECT: Duration = Duration::from_secs(30);
const SILENCE: Duration = Duration::from_secs(60);

/// At most this much of what an answer says.
const MOST: usize = 400;

/// An issue as GitHub tells it; the rest does not matter to us.
#[derive(Debug, Deserialize)]
pub(super) struct Issue {
    pub(super) number: u64,
    state: String,
    body: Option<String>,
    pub(super) html_url: String,
    created_at: Timestamp,
    /// There when it is a pull request.
    pull_request: Option<serde::de::IgnoredAny>,
}

#[derive(Debug, Deserialize)]
struct Comment {
    body: Option<String>,
}

/// An answer of which only that it is one matters.
#[derive(Debug, Deserialize)]
struct Taken {}

/// GitHub, as seen by one command.
pub(super) struct Client<'a> {
    context: &'a Context,
    crab: Octocrab,
    pub(super) repository: Repository,
    token: Option<Token>,
    waited: Duration,
}

impl fmt::Debug for Client<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("repository", &self.repository)
            .finish_non_exhaustive()
    }
}

impl<'a> Client<'a> {
    pub(super) fn new(
        context: &'a Context,
        base: &str,
        repository: Repository,
        token: Option<Token>,
    ) -> anyhow::Result<Self> {
        let mut builder = Octocrab::builder()
            .base_uri(base)
            .map_err(|_| Told::input(format!("`{base}` is no address of an API")))?
            .set_connect_timeout(Some(CONNECT))
            .set_read_timeout(Some(SILENCE))
            .set_write_timeout(Some(SILENCE));
        if let Some(token) = &token {
            builder = builder.personal_token(token.secret());
        }
        let crab = builder.build().map_err(|error| {
            let text = token.as_ref().map_or_else(
                || error.to_string(),
                |token| token.scrubbed(&error.to_string()),
            );
            anyhow::anyhow!("failed to set up a client for GitHub: {text}")
        })?;
        Ok(Self {
            context,
            crab,
            repository,
            token,
            waited: Duration::ZERO,
        })
    }

    /// Our issues, open and closed.
    pub(super) async fn known(&mut self) -> anyhow::Result<Vec<Known>> {
        let issues: Vec<Issue> = {
            let path = self.repository.issues();
            let more = json!({ "labels": LABEL, "state": "all" });
            self.pages(&path, &more).await?
        };
        let ours = issues
            .into_iter()
            .filter(|issue| issue.pull_request.is_none());
        Ok(ours
            .map(|issue| Known {
                number: issue.number,
                open: issue.state == "open",
                body: issue.body.unwrap_or_default(),
                created: issue.created_at,
            })
            .collect())
    }

    /// All pages by number: an address in a header could be anybody's, and the token would go there.
    async fn pages<T: DeserializeOwned + 'static>(
        &mut self,
        path: &str,
        parameters: &serde_json::Value,
    ) -> anyhow::Result<Vec<T>> {
        let mut all = Vec::new();
        let mut page = 0u32;
        loop {
            page += 1;
            let mut parameters = parameters.clone();
            parameters["per_page"] = PAGE.into();
            parameters["page"] = page.into();
            let got: Vec<T> = self.get(path, &parameters).await?;
            let last = got.len() < PAGE;
            all.extend(got);
            if last {
                return Ok(all);
            }
        }
    }

    async fn get<T: DeserializeOwned + 'static>(
        &mut self,
        path: &str,
        parameters: &serde_json::Value,
    ) -> anyhow::Result<T> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let answer = self.crab.get::<T, _, _>(path, Some(parameters)).await;
            match answer {
                Ok(answer) => return Ok(answer),
                Err(error) => {
                    self.after(&format!("GET {path}"), &error, attempt).await?;
                }
            }
        }
    }

    /// Opens an issue; if that may have been done already, it is looked for first.
    pub(super) async fn open(
        &mut self,
        request: &Request,
        subject: &Subject,
    ) -> anyhow::Result<Option<Issue>> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let answer = self
                .crab
                .post::<_, Issue>(&request.path, Some(&request.body));
            let error = match answer.await {
                Ok(issue) => return Ok(Some(issue)),
                Err(error) => error,
            };
            let doubtful = self.after("opening an issue", &error, attempt).await?;
            let there = |issue: &Known| {
                issue.open && Subject::read(&issue.body).is_some_and(|it| it.is_same(subject))
            };
            if doubtful && self.known().await?.iter().any(there) {
                return Ok(None);
            }
        }
    }

    /// Sends a change of an issue, or a comment.
    pub(super) async fn send(&mut self, request: &Request) -> anyhow::Result<()> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let (path, body) = (&request.path, Some(&request.body));
            let answer = match request.method {
                Method::Post => self.crab.post::<_, Taken>(path, body).await,
                Method::Patch => self.crab.patch::<Taken, _, _>(path, body).await,
            };
            let Err(error) = answer else { return Ok(()) };
            let doubtful = self.after(path, &error, attempt).await?;
            if doubtful && request.method == Method::Post && self.is_said(request).await? {
                return Ok(());
            }
        }
    }

    /// Whether a comment that may have been made is there.
    async fn is_said(&mut self, request: &Request) -> anyhow::Result<bool> {
        let comments: Vec<Comment> = self.pages(&request.path, &json!({})).await?;
        let text = request.body["body"].as_str().unwrap_or_default().trim();
        Ok(comments
            .iter()
            .any(|comment| comment.body.as_deref().unwrap_or_default().trim() == text))
    }

    /// Waits as the refusal wants it, and says whether the request may have been carried out all the same.
    async fn after(
        &mut self,
        what: &str,
        error: &octocrab::Error,
        attempt: u32,
    ) -> anyhow::Result<bool> {
        let refusal = self.refusal(error);
        let advice = refusal.advice(Timestamp::now());
        let (wait, doubtful) = match advice {
            Advice::No => return Err(self.refused(what, &refusal)),
            _ if attempt >= TRIES => return Err(self.refused(what, &refusal)),
            Advice::Wait(wait) => (wait, false),
            Advice::Again => (Duration::from_secs(1 << (attempt - 1).min(5)), true),
        };
        let waited = self.waited.saturating_add(wait);
        if waited > PATIENCE {
            let minutes = wait.as_secs().div_ceil(60);
            let told = format!("GitHub's rate limit lasts {minutes} minutes more");
            return Err(Told::outside(format!("{told} ({what})"))
                .help("do it again then; nothing that was done is done twice")
                .into());
        }
        self.waited = waited;
        self.context.hub.note(&format_args!(
            "{what}: {}; again in {} s",
            refusal.message,
            wait.as_secs()
        ));
        tokio::select! {
            () = tokio::time::sleep(wait) => Ok(doubtful),
            () = self.context.cancel.cancelled() => Err(Told::interrupted().into()),
        }
    }

    /// What an error says, without the token.
    fn refusal(&self, error: &octocrab::Error) -> Refusal {
        let clean = |text: &str| {
            let text = match &self.token {
                Some(token) => token.scrubbed(text),
                None => text.to_owned(),
            };
            let text = kcluster_reports::text::one_line(&kcluster_reports::text::xml_text(&text));
            kcluster_reports::text::cap(&text, MOST).into_owned()
        };
        let octocrab::Error::GitHub { source, .. } = error else {
            let mut message = error.to_string();
            let mut cause = error.source();
            while let Some(inner) = cause {
                let inner_text = inner.to_string();
                if !message.contains(&inner_text) {
                    message = format!("{message}: {inner_text}");
                }
                cause = inner.source();
            }
            return Refusal {
                message: clean(&message),
                ..Refusal::default()
            };
        };
        let header = |name: &str| -> Option<String> {
            let value = source.headers.as_ref()?.get(name)?;
            Some(value.to_str().ok()?.to_owned())
        };
        let status = source.status_code.as_u16();
        Refusal {
            status: Some(status),
            message: format!("{status} {}", clean(&source.to_string())),
            retry_after: header("retry-after"),
            remaining: header("x-ratelimit-remaining"),
            reset: header("x-ratelimit-reset"),
        }
    }

    fn refused(&self, what: &str, refusal: &Refusal) -> anyhow::Error {
        let repository = self.repository.shown();
        let told = format!("GitHub: {what}: {}", refusal.message);
        match refusal.status {
            Some(401) => Told::input(told)
                .help(format!(
                    "set GITHUB_TOKEN to a token that is valid and may write issues of {repository}"
                ))
                .into(),
            Some(403 | 404) => Told::input(told)
                .help(format!(
                    "the token in GITHUB_TOKEN must be allowed to write issues of {repository}"
                ))
                .into(),
            Some(410) => Told::input(told)
                .help(format!("issues are switched off in {repository}"))
                .into(),
            _ => Told::outside(told)
                .help("do it again later; nothing that was done is done twice")
                .into(),
        }
    }
}
